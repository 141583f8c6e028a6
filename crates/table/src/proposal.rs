//! A command on its way into a log: who says it, under which number, and what.

use std::time::Duration;

use strowger_model::{Incarnation, NodeId};

use crate::{Command, ControlCommand, layout};

/// One proposer: one start of one node. Its numbers make a repeat harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Proposer {
    /// Which node.
    pub node: NodeId,
    /// Which start of it.
    pub incarnation: Incarnation,
}

/// The unit of the log. A repeat under the same number gets the first answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal {
    /// Who proposes it.
    pub from: Proposer,
    /// Counts up per proposer and group; 0 is for commands that need no memory (`Tick`, `Expire`).
    pub seq: u64,
    /// What it says.
    pub body: Body,
}

impl Proposal {
    /// One attempt waits no longer than this for its outcome. A leader that lost its majority keeps what it wrote
    /// pending: another one may exist by now.
    pub const ATTEMPT: Duration = Duration::from_secs(1);
    /// Between attempts, unless a leader appears sooner. A lost lease is renewed within a heartbeat (50 ms) or not at
    /// all.
    pub const PAUSE: Duration = Duration::from_millis(20);
}

/// What a proposal says, to a group of which kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// To group 0.
    Control(ControlCommand),
    /// To a shard.
    Shard(Command),
}

impl Body {
    /// The first layout in which it can be said.
    pub(crate) fn since(&self) -> u16 {
        match self {
            Body::Control(_) => layout::FIRST,
            Body::Shard(command) => command.since(),
        }
    }
}
