//! A place in a queue: a row of its own, which may outlive the call that it was made for.

use strowger_model::config::StepNo;
use strowger_model::{AgentId, CallId, E164, LegKey, LogTime, PlaceId, QueueId, TenantId};

use super::data::Data;
use super::kept::Kept;

/// What waits in a queue, until it is served, has waited too long or its call is over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Shard, and index of the entry that made it; never changes.
    pub id: PlaceId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it waits.
    pub queue: QueueId,
    /// The call that it was made for.
    pub from: CallId,
    /// What is to be served.
    pub of: PlaceOf,
    /// How far it is.
    pub state: PlaceState,
    /// Where it stands in its queue. Kept through offers, misses and adoptions.
    pub rank: Rank,
    /// When the wait began.
    pub since: LogTime,
    /// When the wait is over by rule; judged while it waits, not while a phone rings for it.
    pub until: LogTime,
    /// What comes then.
    pub then: Then,
    /// Its worth is in the rank already.
    pub priority: u8,
    /// Who is to take it.
    pub wants: Option<AgentId>,
    /// When the next step of its rules begins; none: there is none.
    pub relax: Option<Relax>,
    /// Callbacks tried.
    pub tries: u8,
    /// The number to call back.
    pub number: Option<E164>,
    /// The call that waits at it, or talks from it.
    pub call: Option<CallId>,
    /// What the flow learnt of the caller, once the call is gone and the place goes on.
    pub data: Option<Kept<Data>>,
}

/// What is to be served.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PlaceOf {
    /// A customer on the line.
    Call,
    /// Somebody who left the line and is called when the turn comes.
    Callback,
    /// A recorded message.
    Message,
    /// Something without a voice: a mail, a case.
    Item,
    /// An agent who asks another, beside a customer.
    Aside {
        /// The leg of the agent who asks.
        leg: LegKey,
    },
}

/// How far a place is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PlaceState {
    /// Free to be offered.
    Waiting,
    /// An agent is being asked: the phones ring, or show it.
    Offered,
    /// Its callback is being dialled.
    Dialling {
        /// Which call.
        call: CallId,
    },
    /// Its next try is not due yet.
    Resting {
        /// When it waits again.
        until: LogTime,
    },
    /// Somebody talks from it: kept until the call ends, so that a transfer can keep the rank.
    Served,
    /// An agent has it, without a call.
    Taken {
        /// Who has it.
        agent: AgentId,
        /// In which slot.
        slot: u8,
        /// When it goes back.
        until: LogTime,
    },
}

/// The order of a queue. Lower is earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rank {
    /// Microseconds of log time: when the wait began, less what the priority is worth. May be before the beginning.
    pub at: i64,
    /// Places of one instant stand in the order of their entries.
    pub id: PlaceId,
}

impl Rank {
    /// Before every other.
    pub const FIRST: Rank = Rank { at: i64::MIN, id: PlaceId(0) };

    /// Of a place without priority that has waited since then.
    pub fn since(since: LogTime, id: PlaceId) -> Self {
        Self { at: i64::try_from(since.0).unwrap_or(i64::MAX), id }
    }
}

/// What comes when a place has waited as long as it may, or its queue takes no more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Then {
    /// On with the flow at this step.
    Step(StepNo),
    /// The call ends, and the place with it.
    End,
}

/// The next moment at which more agents may take it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Relax {
    /// Which step of the rules begins.
    pub no: u8,
    /// When.
    pub at: LogTime,
}

impl Place {
    /// Free to be offered.
    pub fn is_waiting(&self) -> bool {
        self.state == PlaceState::Waiting
    }

    /// In the queue, offered or not.
    pub fn is_in_queue(&self) -> bool {
        matches!(self.state, PlaceState::Waiting | PlaceState::Offered)
    }

    /// The first moment at which this row must change if nobody changes it before.
    pub(crate) fn lease(&self) -> LogTime {
        match self.state {
            PlaceState::Waiting => self.relax.map_or(self.until, |relax| relax.at.min(self.until)),
            PlaceState::Resting { until } | PlaceState::Taken { until, .. } => until,
            // Ends with a deadline of the call that rings, dials or talks.
            PlaceState::Offered | PlaceState::Dialling { .. } | PlaceState::Served => LogTime::MAX,
        }
    }
}
