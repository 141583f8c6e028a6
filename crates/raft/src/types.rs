//! The consensus library's type parameters: everything else in this crate speaks through these aliases.

use std::fmt;

use bytes::Bytes;
use openraft::impls::{BoxedErrorSource, EntryPayload, InlineBatch, leader_id_adv};
use openraft::raft::responder::Responder;
use openraft::{OptionalSend, RaftTypeConfig, TokioRuntime};
use strowger_model::{LogTime, NodeId, Wall};
use strowger_table::Outcome;

use crate::replica::Replica;

/// Names the types below to the library.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Stamped;
    type R = Option<Outcome>;
    type NodeId = u64;
    type Node = ();
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = Payload;
    type Entry = Entry;
    type AsyncRuntime = TokioRuntime;
    type Responder<T>
        = Callback<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

pub(crate) type Raft = openraft::Raft<Types, Replica>;
/// A term may have several leaders, one after the other; the one with the higher node id wins. That settles split
/// votes without another round.
pub(crate) type LeaderId = leader_id_adv::LeaderId<u64, u64>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Payload = EntryPayload<Stamped, u64, ()>;
pub(crate) type Entry = openraft::Entry<LeaderId, Payload>;
pub(crate) type Membership = openraft::Membership<u64, ()>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, u64, ()>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<LeaderId, u64, ()>;
/// The state is carried as the bytes `Machine::snapshot` made.
pub(crate) type Snapshot = openraft::Snapshot<LeaderId, u64, (), Bytes>;

pub(crate) fn node_of(id: u64) -> NodeId {
    NodeId(u16::try_from(id).expect("the voters were given as 16-bit ids"))
}

/// One proposal in the log: stamped by the leader's proposer, carried sealed so that nobody encodes it again.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Stamped {
    pub time: LogTime,
    pub wall: Wall,
    pub body: Bytes,
}

impl fmt::Display for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proposal of {} bytes at {}", self.body.len(), self.time)
    }
}

/// What to do with the answer to a write. If it is dropped uncalled, the entry's fate is unknown.
pub(crate) struct Callback<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Callback<T> {
    pub fn new(call: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(call))
    }
}

impl<T: Send + 'static> Responder<Types, T> for Callback<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}
