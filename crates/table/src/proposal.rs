//! A command on its way into a log: who says it, under which number, and what.

use strowger_model::{Incarnation, NodeId};

use crate::{Command, ControlCommand};

/// One proposer: one start of one node. Its numbers make a repeat harmless.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Proposer {
    pub node: NodeId,
    pub incarnation: Incarnation,
}

/// The unit of the log. A repeat under the same number gets the first answer.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Proposal {
    pub from: Proposer,
    /// Counts up per proposer and group; 0 is for commands that need no memory (`Tick`, `Expire`).
    pub seq: u64,
    pub body: Body,
}

#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Body {
    Control(ControlCommand),
    Shard(Command),
}
