//! What a Raft group replicates: control (group 0) or one shard, behind one `apply`.

use strowger_model::{GroupId, LogTime, Wall};

use crate::layout::LayoutFault;
use crate::{Control, Outcome, Proposal, RowKey, Shard};

/// Where and when an entry stands in its log. The proposer stamped the times; `apply` never reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct At {
    pub index: u64,
    /// Log time as stamped; `apply` takes the later of this and the last entry's.
    pub time: LogTime,
    pub wall: Wall,
}

/// What an applied entry did, for the one who proposed it and for those who perform.
#[derive(Clone, PartialEq, Debug)]
pub struct Applied {
    pub outcome: Outcome,
    /// Rows that changed: their owners compare.
    pub touched: Touched,
}

/// Which rows an entry changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Touched {
    Few(Vec<RowKey>),
    /// Too many to name: whoever cares looks at all of them.
    Many,
}

impl Touched {
    pub(crate) fn nothing() -> Self {
        Touched::Few(Vec::new())
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Touched::Few(rows) if rows.is_empty())
    }
}

/// The state of one group.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one machine a group, and none of them is moved about")]
pub enum Machine {
    Control(Control),
    Shard(Shard),
}

/// A snapshot that does not decode as this group's.
#[derive(Debug, thiserror::Error)]
#[error("a snapshot of {group} cannot be used: {why}")]
pub struct BadSnapshot {
    pub group: GroupId,
    pub why: LayoutFault,
}

impl Machine {
    pub fn new(group: GroupId) -> Self {
        match group.shard() {
            None => Machine::Control(Control::default()),
            Some(shard) => Machine::Shard(Shard::new(shard)),
        }
    }

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

    pub fn restore(group: GroupId, bytes: &[u8]) -> Result<Self, BadSnapshot> {
        match group.shard() {
            None => Control::restore(bytes).map(Machine::Control),
            Some(_) => Shard::restore(bytes).map(Machine::Shard),
        }
        .map_err(|why| BadSnapshot { group, why })
    }

    pub fn control(&self) -> Option<&Control> {
        match self {
            Machine::Control(control) => Some(control),
            Machine::Shard(_) => None,
        }
    }

    pub fn shard(&self) -> Option<&Shard> {
        match self {
            Machine::Shard(shard) => Some(shard),
            Machine::Control(_) => None,
        }
    }
}
