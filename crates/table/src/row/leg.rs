//! A leg: one far end of a call, under a name that it keeps for ever.

use strowger_model::{AgentId, Cause, E164, EndpointId, Far, Instance, LegKey, LogTime, QueueId, RelayId, TrunkId};

/// With the customer.
pub const WITH_CUSTOMER: u8 = 0;
/// Beside the customer, who hears music meanwhile.
pub const ASIDE: u8 = 1;

/// One far end of a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Leg {
    /// The call and number it was born with. Token, tags, Call-ID, relay port and journal derive from it.
    pub key: LegKey,
    /// What it is for.
    pub role: LegRole,
    /// How it is reached.
    pub reach: Reach,
    /// The relay that holds its media; none before one was chosen.
    pub relay: Option<RelayId>,
    /// The relay it is moving to: its far end is told, and has not agreed yet.
    pub next_relay: Option<RelayId>,
    /// How far it is.
    pub state: LegState,
    /// Nothing is heard of it: until then it may come back.
    pub unreachable: Option<LogTime>,
    /// Whom it hears and is heard by: `WITH_CUSTOMER`, `ASIDE`, or none while it is parked with music.
    pub room: Option<u8>,
    /// The far end's own description holds us (RFC 3264, 8.4).
    pub holds: bool,
    /// Nobody hears it: we asked for that, not its far end.
    pub muted: bool,
    /// The queue whose rules it follows: ring time, wrap-up, misses; in a row of its own whose music it hears.
    pub queue: Option<QueueId>,
    /// The newest request to transfer that came on it (RFC 3515). Its number is kept for the leg's life.
    pub asked: Option<Asked>,
    /// How often it went to another owner: each one's CSeqs begin higher than its predecessor's.
    pub takeovers: u16,
}

/// What a leg is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LegRole {
    /// Whom the call is for: who called us, or whom we called.
    Customer,
    /// An agent, and which of the agent's slots the leg takes.
    Agent(AgentId, u8),
    /// Somebody else who was brought in.
    Party,
    /// Listens, whispers or takes part.
    Supervisor {
        /// Who follows.
        by: AgentId,
        /// Whom.
        on: Watched,
        /// How.
        mode: Watch,
    },
    /// A step of the flow: a voice agent, an outside service.
    Step,
}

/// What a supervisor follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Watched {
    /// Gone when that leg is.
    Leg(LegKey),
    /// Stays as long as the call.
    Call,
}

/// How a supervisor takes part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Watch {
    /// Hears, and is heard by nobody.
    Listen,
    /// Hears, and is heard by the agent alone.
    Whisper,
    /// Takes part.
    Barge,
}

/// How a far end is reached. SIP, browser or socket is the dialog's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reach {
    /// It came to us.
    Inbound,
    /// A phone of an agent. The address is copied when the offer is granted: a registration that moves does not move a
    /// ringing phone.
    Binding {
        /// Whose.
        agent: AgentId,
        /// Which of the agent's.
        instance: Instance,
        /// Its Contact.
        uri: String,
        /// Where its packets go.
        far: Far,
    },
    /// A number outside.
    Trunk {
        /// Which trunk.
        trunk: TrunkId,
        /// Whom to call.
        number: E164,
        /// What the called party is shown.
        caller_id: E164,
        /// The trunk's, as it was when the call was granted.
        destination: Far,
    },
    /// The relay opens a socket to it.
    Socket {
        /// Which.
        endpoint: EndpointId,
    },
}

/// How far a leg is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LegState {
    /// Not answered yet, by us or by the far end.
    Ringing {
        /// When it is given up.
        until: LogTime,
    },
    /// Answered and committed, not yet in the call.
    Screening {
        /// For what.
        screen: Screen,
        /// When that is decided by rule.
        until: LogTime,
    },
    /// In the call.
    Up,
    /// Being told to go, or gone.
    Releasing {
        /// When nobody waits for it any more.
        until: LogTime,
        /// What its far end is told.
        why: Released,
    },
}

/// What an answered leg waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Screen {
    /// A key that says a person is there; without it nobody is.
    Key,
    /// Whether a machine answered; who is not known to be one is a person.
    Detect,
    /// Something that is told before the customer is heard.
    Briefing,
}

/// Why a leg leaves: what its far end is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Released {
    /// The far end left by itself.
    ByFarEnd,
    /// The call is over, or goes on without it.
    Over(Cause),
    /// It did not answer in time.
    Unanswered,
    /// Another phone of the same offer answered (RFC 3326: "Call completed elsewhere").
    Elsewhere,
}

/// A REFER, from its entry until its far end was told what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Asked {
    /// By which a repetition is known.
    pub cseq: u32,
    /// When it is given up.
    pub until: LogTime,
}

impl Leg {
    /// Whether the call is for its far end.
    pub fn is_customer(&self) -> bool {
        self.role == LegRole::Customer
    }

    /// Whose leg it is; none if it is no agent's.
    pub fn agent(&self) -> Option<AgentId> {
        match self.role {
            LegRole::Agent(agent, _) => Some(agent),
            _ => None,
        }
    }

    /// The agent's slot that it takes.
    pub fn slot(&self) -> Option<(AgentId, u8)> {
        match self.role {
            LegRole::Agent(agent, slot) => Some((agent, slot)),
            _ => None,
        }
    }

    /// Nobody has answered it.
    pub fn is_ringing(&self) -> bool {
        matches!(self.state, LegState::Ringing { .. })
    }

    /// Answered, and waits for what its `Screen` says.
    pub fn is_screening(&self) -> bool {
        matches!(self.state, LegState::Screening { .. })
    }

    /// In the call.
    pub fn is_up(&self) -> bool {
        self.state == LegState::Up
    }

    /// Being told to go, or gone.
    pub fn is_releasing(&self) -> bool {
        matches!(self.state, LegState::Releasing { .. })
    }

    /// Ringing, screening or up: counts to the call's legs.
    pub fn is_live(&self) -> bool {
        !self.is_releasing()
    }

    /// Its far end has answered and not left.
    pub fn is_answered(&self) -> bool {
        self.is_up() || self.is_screening()
    }

    /// The URI and address of an agent's phone.
    pub fn contact(&self) -> Option<(&str, Far)> {
        match &self.reach {
            Reach::Binding { uri, far, .. } => Some((uri, *far)),
            _ => None,
        }
    }

    /// Until when it must have changed.
    pub(crate) fn until(&self) -> LogTime {
        let state = match self.state {
            LegState::Ringing { until } | LegState::Screening { until, .. } => until,
            // Who is being told to go is its duty's.
            LegState::Up | LegState::Releasing { .. } => LogTime::MAX,
        };
        self.unreachable.map_or(state, |until| state.min(until))
    }
}
