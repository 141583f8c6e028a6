//! An agent's row: one slot of work, and where the phone is.

use strowger_model::{AgentId, CallId, Far, LegNo, LogTime, QueueId, TenantId};

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Agent {
    pub id: AgentId,
    pub tenant: TenantId,
    pub name: String,
    pub queues: Vec<QueueId>,
    pub state: AgentState,
    /// Since when in this state.
    pub since: LogTime,
    /// Longest idle is counted from here: the end of the last call, or the log-in.
    pub idle_since: LogTime,
    /// Offers missed in a row.
    pub misses: u16,
    pub contact: Option<Contact>,
    /// Asked for while busy; takes effect when the work is over.
    pub not_ready_next: Option<String>,
    /// Calls answered since the agent was made known.
    pub answered: u64,
}

/// Where an agent's phone is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Contact {
    pub uri: String,
    /// Where the REGISTER came from: behind a NAT the URI alone does not lead back. Over TCP its line.
    pub far: Far,
    /// `LogTime::MAX` for a phone that is always there.
    pub expires: LogTime,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum AgentState {
    /// No phone.
    LoggedOut,
    NotReady {
        reason: String,
    },
    /// Free for an offer.
    Idle,
    /// Kept for the called party of an outbound call.
    Reserved {
        call: CallId,
    },
    Offered {
        call: CallId,
        leg: LegNo,
    },
    Talking {
        call: CallId,
    },
    WrapUp {
        call: CallId,
        until: LogTime,
    },
    /// Left alone for a moment after a miss.
    Paused {
        until: LogTime,
    },
}

impl AgentState {
    pub const NAMES: [&str; 8] =
        ["logged_out", "not_ready", "idle", "reserved", "offered", "talking", "wrap_up", "paused"];

    pub fn as_str(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// Its place in `NAMES`.
    pub fn index(&self) -> usize {
        match self {
            AgentState::LoggedOut => 0,
            AgentState::NotReady { .. } => 1,
            AgentState::Idle => 2,
            AgentState::Reserved { .. } => 3,
            AgentState::Offered { .. } => 4,
            AgentState::Talking { .. } => 5,
            AgentState::WrapUp { .. } => 6,
            AgentState::Paused { .. } => 7,
        }
    }

    pub fn call(&self) -> Option<CallId> {
        match self {
            AgentState::Reserved { call } | AgentState::Offered { call, .. } | AgentState::Talking { call } => {
                Some(*call)
            }
            _ => None,
        }
    }
}

impl Agent {
    pub(crate) fn enter(&mut self, state: AgentState, now: LogTime) {
        self.state = state;
        self.since = now;
    }

    /// The work is over: idle, or what was asked for meanwhile.
    pub(crate) fn come_free(&mut self, now: LogTime) {
        self.idle_since = now;
        let next = match (self.not_ready_next.take(), &self.contact) {
            (_, None) => AgentState::LoggedOut,
            (Some(reason), Some(_)) => AgentState::NotReady { reason },
            (None, Some(_)) => AgentState::Idle,
        };
        self.enter(next, now);
    }

    /// No phone from now on: logged out, or as soon as the work is over.
    pub(crate) fn lose_phone(&mut self, now: LogTime) {
        self.contact = None;
        if matches!(self.state, AgentState::Idle | AgentState::NotReady { .. } | AgentState::Paused { .. }) {
            self.enter(AgentState::LoggedOut, now);
        }
    }

    /// Reserved, offered, talking or wrapping up: a call or its record still refers to this agent.
    pub(crate) fn is_at_work(&self) -> bool {
        match self.state {
            AgentState::Reserved { .. }
            | AgentState::Offered { .. }
            | AgentState::Talking { .. }
            | AgentState::WrapUp { .. } => true,
            AgentState::LoggedOut | AgentState::NotReady { .. } | AgentState::Idle | AgentState::Paused { .. } => false,
        }
    }

    /// The first moment at which this row must change if nobody changes it before.
    pub(crate) fn lease(&self) -> LogTime {
        let state = match self.state {
            AgentState::WrapUp { until, .. } | AgentState::Paused { until } => until,
            // Offered and talking end with the call's own lease.
            _ => LogTime::MAX,
        };
        self.contact.as_ref().map_or(state, |contact| state.min(contact.expires))
    }
}
