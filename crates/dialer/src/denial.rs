//! Why a number is not dialled.

use strowger_model::{AgentId, CampaignId, E164, TrunkId};

use crate::zone::NoSuchZone;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denial {
    #[error("there is no campaign {0}")]
    NoSuchCampaign(CampaignId),
    #[error("there is no agent {0} in the campaign's tenant")]
    NoSuchAgent(AgentId),
    #[error("the agent is {0}: only who is idle or not ready, with a phone, can ask for a call")]
    AgentBusy(&'static str),
    #[error("{0} is on a do-not-call list")]
    Barred(E164),
    #[error("{0} is on another call of this tenant")]
    OnACall(E164),
    #[error(
        "the time zone of {0} is not known, so nobody can say whether it may be called now: give the campaign a zone, or import the number with its zone"
    )]
    NoZone(E164),
    #[error(transparent)]
    NoSuchZone(#[from] NoSuchZone),
    #[error("outside the calling hours in {zone}")]
    Closed { zone: String },
    #[error("the campaign's trunk {0} is not in the configuration")]
    NoTrunk(TrunkId),
    #[error("trunk {trunk} takes no outbound calls: it has no destination")]
    NoDestination { trunk: String },
    #[error("trunk {trunk} takes no more calls at this moment")]
    TrunkFull { trunk: String },
    #[error("no media relay can be reached")]
    NoRelay,
    #[error("no node can take the call")]
    NoNode,
}
