//! One group on this node: its consensus, its state, and who leads it.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use strowger_model::{GroupId, Mono, NodeId};
use strowger_table::Outcome;
use tokio::sync::{mpsc, oneshot, watch};

use crate::numbers::Numbers;
use crate::proposer::Stamper;
use crate::replica::Shared;
use crate::store::Log;
use crate::types::Raft;

pub(crate) struct Group {
    pub id: GroupId,
    pub me: NodeId,
    pub raft: Raft,
    pub log: Log,
    pub shared: Arc<Shared>,
    pub numbers: Numbers,
    pub leadership: watch::Sender<Leadership>,
    seat: RwLock<Option<LeaderSeat>>,
}

/// Who leads, as far as this node knows. Itself only once it may propose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Leadership {
    pub leader: Option<NodeId>,
    pub term: u64,
}

/// This node leads a group and has applied the first entry of its term: its state holds all that was decided before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leading {
    /// With this node's id it names the leadership; a later one of this node has a higher term.
    pub term: u64,
    /// This process's time when it began.
    pub since: Mono,
    /// Index of the first entry of the term.
    pub first_index: u64,
}

/// The leader's chair: whoever sits in it has a proposer.
#[derive(Clone)]
pub(crate) struct LeaderSeat {
    pub leading: Leading,
    /// As the proposer began to stamp.
    pub stamper: Stamper,
    pub proposals: mpsc::Sender<Submission>,
    /// True while leadership is being handed over: nothing new is written.
    pub hold: Arc<watch::Sender<bool>>,
}

/// A sealed proposal on its way to the proposer.
pub(crate) struct Submission {
    pub body: Bytes,
    /// Waits for no others: what a leader decided by itself.
    pub urgent: bool,
    pub answer: oneshot::Sender<Result<Outcome, WriteFault>>,
}

/// Why a write has no outcome here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WriteFault {
    /// It was not written.
    NotLeader(Option<NodeId>),
    /// It may be committed yet.
    Unknown,
}

impl Group {
    pub fn new(id: GroupId, me: NodeId, raft: Raft, log: Log, shared: Arc<Shared>) -> Self {
        Self {
            id,
            me,
            raft,
            log,
            shared,
            numbers: Numbers::default(),
            leadership: watch::Sender::default(),
            seat: RwLock::default(),
        }
    }

    pub fn seat(&self) -> Option<LeaderSeat> {
        self.seat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_seat(&self, seat: Option<LeaderSeat>) {
        *self.seat.write().unwrap_or_else(PoisonError::into_inner) = seat;
    }

    /// Writes a sealed proposal through this node's proposer and waits for its outcome.
    pub async fn submit(&self, seat: &LeaderSeat, body: Bytes, urgent: bool) -> Result<Outcome, WriteFault> {
        let (answer, outcome) = oneshot::channel();
        let submission = Submission { body, urgent, answer };
        if seat.proposals.send(submission).await.is_err() {
            return Err(self.not_leader());
        }
        outcome.await.unwrap_or(Err(WriteFault::Unknown))
    }

    /// What proposals to the group are written in, as far as this node knows.
    pub fn layout(&self) -> u16 {
        self.shared.view.get().machine.layout()
    }

    pub fn not_leader(&self) -> WriteFault {
        WriteFault::NotLeader(self.leadership.borrow().leader.filter(|leader| *leader != self.me))
    }
}
