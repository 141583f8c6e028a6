//! How a call began: what stays true of it for its whole life.

use strowger_model::{AgentId, CallId, CampaignId, E164, Far, FlowId, LeadId, QueueId, RelayId, TrunkId};

/// What makes an INVITE the same INVITE (RFC 3261, 8.2.2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdmitKey {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag in its From.
    pub from_tag: String,
    /// Its CSeq.
    pub cseq: u32,
}

/// How a call began.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    /// Who calls, as told and recorded.
    pub from: String,
    /// Who is called, as told and recorded.
    pub to: String,
    /// By what.
    pub began: Began,
}

/// What made a call begin.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Began {
    /// By an INVITE to us.
    Inbound {
        /// By which a repetition is known.
        key: AdmitKey,
        /// Who sent it.
        source: Source,
        /// What it is for.
        target: Target,
    },
    /// By a `Dial`.
    Outbound(Outbound),
    /// A leg that left another call's row for one of its own.
    Split {
        /// The call that it left.
        from: CallId,
        /// The trunk that its far end is reached over.
        trunk: TrunkId,
    },
}

/// Who sent the INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// A carrier.
    Trunk(TrunkId),
    /// An agent's own call, to another agent, a queue or a number.
    Agent(AgentId),
    /// Another tenant's call, over the trunk within. A call goes through at most five tenants.
    Internal {
        /// The trunk within.
        trunk: TrunkId,
        /// The other tenant's call.
        call: CallId,
        /// Tenants that it went through before; a sixth is refused.
        hops: u8,
    },
}

/// What the INVITE is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A flow: its first step comes next.
    Flow(FlowId),
    /// A queue, at once.
    Queue(QueueId),
    /// An agent, at once.
    Agent(AgentId),
    /// A number outside.
    Number(E164),
}

/// What an outbound call was granted with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Outbound {
    /// Whose call it is.
    pub campaign: CampaignId,
    /// The campaign's queue: its agents, ring time and wrap-up.
    pub queue: QueueId,
    /// None for a number that an agent dialled and that is on no list.
    pub lead: Option<LeadId>,
    /// Whom to call.
    pub number: E164,
    /// What the called party is shown.
    pub caller_id: E164,
    /// Over which.
    pub trunk: TrunkId,
    /// Copied when the call was granted: a trunk that moves does not move a call that is being dialled.
    pub destination: Far,
    /// How long the called party's phone rings, in milliseconds; copied likewise.
    pub ring_timeout_ms: u32,
    /// The relay of the called party's leg.
    pub relay: RelayId,
    /// Who was taken for the call in its first entry, and the relay of that agent's leg.
    pub agent: AgentId,
    /// For the agent's leg.
    pub agent_relay: RelayId,
}

impl Origin {
    /// If a `Dial` began it.
    pub fn outbound(&self) -> Option<&Outbound> {
        match &self.began {
            Began::Outbound(outbound) => Some(outbound),
            Began::Inbound { .. } | Began::Split { .. } => None,
        }
    }

    /// If an INVITE began it.
    pub fn key(&self) -> Option<&AdmitKey> {
        match &self.began {
            Began::Inbound { key, .. } => Some(key),
            Began::Outbound(_) | Began::Split { .. } => None,
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
