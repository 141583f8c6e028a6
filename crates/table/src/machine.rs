//! What a Raft group replicates: control (group 0) or one shard, behind one `apply`.

use strowger_model::{GroupId, LogTime, Wall};

use crate::layout::LayoutFault;
use crate::{Control, Outcome, Proposal, RowKey, Shard};

/// Where and when an entry stands in its log. The proposer stamped the times; `apply` never reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct At {
    /// From 1, without gaps.
    pub index: u64,
    /// Log time as stamped; `apply` takes the later of this and the last entry's.
    pub time: LogTime,
    /// Calendar time as stamped; likewise never earlier than before.
    pub wall: Wall,
}

/// What an applied entry did, for the one who proposed it and for those who perform.
#[derive(Clone, PartialEq, Debug)]
pub struct Applied {
    /// What became of the proposal.
    pub outcome: Outcome,
    /// Rows that changed: their owners compare.
    pub touched: Touched,
}

/// Which rows an entry changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Touched {
    /// These, at most `limit::TOUCHED_FEW`.
    Few(Vec<RowKey>),
    /// Too many to name: whoever cares looks at all of them.
    Many,
}

impl Touched {
    pub(crate) fn nothing() -> Self {
        Touched::Few(Vec::new())
    }

    /// Whether no row changed.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Touched::Few(rows) if rows.is_empty())
    }
}

/// The state of one group.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one machine a group, and none of them is moved about")]
pub enum Machine {
    /// Group 0.
    Control(Control),
    /// Any other group.
    Shard(Shard),
}

/// A snapshot that does not decode as this group's.
#[derive(Debug, thiserror::Error)]
#[error("a snapshot of {group} cannot be used: {why}")]
pub struct BadSnapshot {
    /// Whose it should be.
    pub group: GroupId,
    /// What is wrong with its bytes.
    pub why: LayoutFault,
}

impl Machine {
    /// The state before the first entry.
    pub fn new(group: GroupId) -> Self {
        match group.shard() {
            None => Machine::Control(Control::default()),
            Some(shard) => Machine::Shard(Shard::new(shard)),
        }
    }

    /// Takes the next entry. Nothing but this state and the arguments goes into it, and it never fails: what cannot be
    /// done is refused.
    pub fn apply(&mut self, at: At, proposal: &Proposal) -> Applied {
        match self {
            Machine::Control(control) => control.apply(at, proposal),
            Machine::Shard(shard) => shard.apply(at, proposal),
        }
    }

    /// Index and log time of the last entry applied.
    pub fn last(&self) -> At {
        match self {
            Machine::Control(control) => control.last(),
            Machine::Shard(shard) => shard.last(),
        }
    }

    /// A hash of the whole state, kept up incrementally: replicas with the same log have the same one.
    pub fn hash(&self) -> u64 {
        match self {
            Machine::Control(control) => control.hash(),
            Machine::Shard(shard) => shard.hash(),
        }
    }

    /// What proposals to this group, and its snapshots, are written in.
    pub fn layout(&self) -> u16 {
        match self {
            Machine::Control(control) => control.layout(),
            Machine::Shard(shard) => shard.layout(),
        }
    }

    /// The whole state as bytes, in the layout in force; equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        match self {
            Machine::Control(control) => control.snapshot(),
            Machine::Shard(shard) => shard.snapshot(),
        }
    }

    /// From what [`Machine::snapshot`] made, in any layout that this build knows.
    pub fn restore(group: GroupId, bytes: &[u8]) -> Result<Self, BadSnapshot> {
        match group.shard() {
            None => Control::restore(bytes).map(Machine::Control),
            Some(_) => Shard::restore(bytes).map(Machine::Shard),
        }
        .map_err(|why| BadSnapshot { group, why })
    }

    /// If it is group 0.
    pub fn control(&self) -> Option<&Control> {
        match self {
            Machine::Control(control) => Some(control),
            Machine::Shard(_) => None,
        }
    }

    /// If it is not.
    pub fn shard(&self) -> Option<&Shard> {
        match self {
            Machine::Shard(shard) => Some(shard),
            Machine::Control(_) => None,
        }
    }
}
