//! Why a number is not dialled.

use strowger_model::{AgentId, CampaignId, E164, TrunkId};

use crate::destination::ForbiddenNumber;
use crate::spending::Capped;
use crate::zone::NoSuchZone;

/// Why an agent's own call is not dialled, in words for that agent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denial {
    /// Unknown in the configuration in force.
    #[error("there is no campaign {0}")]
    NoSuchCampaign(CampaignId),
    /// Unknown, or another tenant's.
    #[error("there is no agent {0} in the campaign's tenant")]
    NoSuchAgent(AgentId),
    /// With what the agent is doing instead.
    #[error("the agent is {0}: only who is idle or not ready, with a phone, can ask for a call")]
    AgentBusy(&'static str),
    /// By the cluster's list or the tenant's.
    #[error("{0} is on a do-not-call list")]
    Barred(E164),
    /// By its kind, or by a list of the node's file.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenNumber),
    /// Whoever called it, and for whichever campaign.
    #[error("{0} is on another call of this tenant")]
    OnACall(E164),
    /// Neither the lead nor the campaign names one.
    #[error(
        "the time zone of {0} is not known, so nobody can say whether it may be called now: give the campaign a zone, or import the number with its zone"
    )]
    NoZone(E164),
    /// The campaign, or the list, names one that this build does not know.
    #[error(transparent)]
    NoSuchZone(#[from] NoSuchZone),
    /// By the clock of that zone.
    #[error("outside the calling hours in {zone}")]
    Closed {
        /// As IANA names it.
        zone: String,
    },
    /// Left the configuration while the campaign stayed.
    #[error("the campaign's trunk {0} is not in the configuration")]
    NoTrunk(TrunkId),
    /// It is for calls that come in.
    #[error("trunk {trunk} takes no outbound calls: it has no destination")]
    NoDestination {
        /// By its name in the configuration.
        trunk: String,
    },
    /// Its rate of dialling is used up, or all of its lines are taken; later it has room.
    #[error("trunk {trunk} takes no more calls at this moment")]
    TrunkFull {
        /// By its name in the configuration.
        trunk: String,
    },
    /// Too many calls to numbers outside.
    #[error(transparent)]
    Capped(#[from] Capped),
    /// None says that it lives.
    #[error("no media relay can be reached")]
    NoRelay,
    /// None is up that could own a call.
    #[error("no node can take the call")]
    NoNode,
}
