//! Everything that can happen in a world.

use std::net::SocketAddr;
use std::rc::Rc;

use strowger_media::protocol::Answers;
use strowger_media::{RelayCommand, RelayEvent};
use strowger_model::{AgentId, CallId, Far, Incarnation, Mono, NodeId, RelayId, TrunkId};
use strowger_table::{Outcome, Proposal, Proposer};

use crate::node::Pulse;
use crate::relay::Play;
use crate::scenario::Fault;
use crate::world::End;

/// One start of one node's process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Who {
    pub node: usize,
    pub life: Incarnation,
}

impl Who {
    pub fn id(self) -> NodeId {
        node_id(self.node)
    }

    pub fn proposer(self) -> Proposer {
        Proposer { node: self.id(), incarnation: self.life }
    }
}

pub(crate) fn node_id(node: usize) -> NodeId {
    NodeId(node as u16 + 1)
}

pub(crate) enum Happening {
    /// A datagram reaches the address that every node answers.
    AtCluster {
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    AtFarEnd {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// What was said on a line comes to its other end.
    OnLine {
        line: u64,
        from: End,
        bytes: Vec<u8>,
    },
    /// The far end learns that a line is gone.
    LineOver {
        line: u64,
    },
    /// A far end that found nobody to connect to tries again.
    ConnectAgain {
        home: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A far end may have something to do.
    FarTimer {
        addr: SocketAddr,
        at: Mono,
    },
    /// In a process: lost when that process is gone, waits while it is frozen.
    In(Who, Task),
    /// A proposal reaches whoever led when it was sent.
    Proposed {
        term: u64,
        by: Who,
        seq: u64,
        proposal: Rc<Proposal>,
    },
    Commit {
        term: u64,
    },
    Elect {
        term: u64,
    },
    /// The same two in the control group.
    CommitControl {
        term: u64,
    },
    ElectControl {
        term: u64,
    },
    AtRelay {
        relay: usize,
        from: Who,
        batch: u64,
        orders: Rc<Vec<RelayCommand>>,
    },
    PlayOver {
        relay: usize,
        play: Play,
    },
    Fault(Fault),
    Start {
        node: usize,
    },
    Thaw(Who),
    Mend(Who),
    /// A relay is well again.
    RelayWell(usize),
    Unstall(Who),
    /// Errands, leases, promises.
    Pulse,
    /// An agent says how a call went.
    Dispose {
        agent: AgentId,
        call: CallId,
    },
    /// Somebody proposes what nobody should.
    Stranger,
    /// Somebody makes one call of two.
    Merge,
    /// One of a call goes to a row of its own.
    Split,
    /// An actor breaks.
    Break,
    /// Somebody at a desk presses ready or not ready.
    Desk,
    /// Somebody applies the configuration.
    Configure,
    /// An agent asks for a number as hours may be about to end.
    AskForNumber,
    /// Somebody does something about campaigns.
    Operator,
    Calm,
}

pub(crate) enum Task {
    /// A datagram, or what a line brought.
    Message {
        source: Far,
        bytes: Vec<u8>,
    },
    Forwarded {
        source: Far,
        bytes: Vec<u8>,
    },
    /// A phone's REGISTER, from the node that it came to.
    Registering {
        source: Far,
        bytes: Vec<u8>,
    },
    /// For a line of this node's.
    Post {
        to: Far,
        bytes: Vec<u8>,
    },
    /// What waits at the intake may have waited long enough.
    Intake {
        at: Mono,
    },
    Apply {
        upto: u64,
    },
    ApplyControl {
        upto: u64,
    },
    /// It is time to beat.
    Beat,
    /// It is time to ask whether this process is a member.
    Join,
    Heartbeat {
        from: Who,
        number: u64,
        /// How many calls of the trunks it has let in.
        let_in: Vec<(TrunkId, u64)>,
    },
    Pulse(Pulse),
    Answered {
        seq: u64,
        outcome: Outcome,
    },
    Retry {
        seq: u64,
    },
    GiveUp {
        seq: u64,
    },
    Tick {
        call: CallId,
        at: Mono,
    },
    /// Rows and actors are compared.
    Sweep,
    SayDone,
    Courier {
        relay: usize,
    },
    CourierAgain {
        relay: usize,
        batch: u64,
    },
    RelayAnswers {
        relay: usize,
        batch: u64,
        answers: Answers,
    },
    RelayEvent {
        relay: RelayId,
        event: RelayEvent,
    },
    /// The leader's rules have something to look at.
    Lead,
    /// The leader's rules said that they look then.
    LeadAt {
        at: Mono,
    },
    /// The pacer has something to look at.
    Pace,
    /// The pacer said that it looks then.
    PaceAt {
        at: Mono,
    },
}

impl Task {
    /// Comes over the network between processes: waits while the node is cut off.
    pub fn is_from_peers(&self) -> bool {
        matches!(
            self,
            Task::Forwarded { .. }
                | Task::Registering { .. }
                | Task::Post { .. }
                | Task::Apply { .. }
                | Task::ApplyControl { .. }
                | Task::Heartbeat { .. }
                | Task::Pulse(_)
                | Task::Answered { .. }
                | Task::RelayAnswers { .. }
                | Task::RelayEvent { .. }
        )
    }
}
