//! How a call began: what stays true of it for its whole life.

use strowger_model::{AgentId, CallId, CampaignId, E164, Far, FlowId, LeadId, QueueId, RelayId, TrunkId};

/// What makes an INVITE the same INVITE (RFC 3261, 8.2.2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdmitKey {
    pub call_id: String,
    pub from_tag: String,
    pub cseq: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    /// Numbers as they are told and recorded: who calls, who is called.
    pub from: String,
    pub to: String,
    pub began: Began,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Began {
    /// By an INVITE to us.
    Inbound { key: AdmitKey, source: Source, target: Target },
    /// By a `Dial`.
    Outbound(Outbound),
    /// A leg that left another call's row for one of its own.
    Split { from: CallId, trunk: TrunkId },
}

/// Who sent the INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    Trunk(TrunkId),
    /// An agent's own call, to another agent, a queue or a number.
    Agent(AgentId),
    /// Another tenant's call, over the trunk within. A call goes through at most five tenants.
    Internal {
        trunk: TrunkId,
        call: CallId,
        hops: u8,
    },
}

/// What the INVITE is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    Flow(FlowId),
    Queue(QueueId),
    Agent(AgentId),
    Number(E164),
}

/// What an outbound call was granted with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Outbound {
    pub campaign: CampaignId,
    /// The campaign's queue: its agents, ring time and wrap-up.
    pub queue: QueueId,
    /// None for a number that an agent dialled and that is on no list.
    pub lead: Option<LeadId>,
    pub number: E164,
    pub caller_id: E164,
    pub trunk: TrunkId,
    /// Copied when the call was granted: a trunk that moves does not move a call that is being dialled.
    pub destination: Far,
    pub ring_timeout_ms: u32,
    /// The relay of the called party's leg.
    pub relay: RelayId,
    /// Who was taken for the call in its first entry, and the relay of that agent's leg.
    pub agent: AgentId,
    pub agent_relay: RelayId,
}

impl Origin {
    pub fn outbound(&self) -> Option<&Outbound> {
        match &self.began {
            Began::Outbound(outbound) => Some(outbound),
            Began::Inbound { .. } | Began::Split { .. } => None,
        }
    }

    pub fn key(&self) -> Option<&AdmitKey> {
        match &self.began {
            Began::Inbound { key, .. } => Some(key),
            Began::Outbound(_) | Began::Split { .. } => None,
        }
    }

    /// The flow that an inbound call is for.
    pub fn flow(&self) -> Option<FlowId> {
        match &self.began {
            Began::Inbound { target: Target::Flow(flow), .. } => Some(*flow),
            _ => None,
        }
    }

    /// The trunk that the customer is reached over; none for an agent's own call.
    pub fn trunk(&self) -> Option<TrunkId> {
        match &self.began {
            Began::Inbound { source: Source::Trunk(trunk) | Source::Internal { trunk, .. }, .. } => Some(*trunk),
            Began::Inbound { source: Source::Agent(_), .. } => None,
            Began::Outbound(outbound) => Some(outbound.trunk),
            Began::Split { trunk, .. } => Some(*trunk),
        }
    }
}
