//! A node's process as the product's shell has it: replica, actors, proposals under way, couriers to relays.

mod actors;
mod apply;
mod around;
mod courier;
mod edge;
mod intake;
mod lead;
mod life;
mod pacer;
mod propose;
mod register;
mod sweep;
mod vitals;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use strowger_call::Machine;
use strowger_model::{AgentId, CallId, Incarnation, LogClock, LogNow, LogTime, Mono};
use strowger_switch::courier::{Courier, Order};
use strowger_switch::{Intake, Performed, Sweep, Vitals};
use strowger_table::{Proposal, Shard};

use crate::happening::{Happening, Who, node_id};
use crate::scenario::Limits;
use crate::tenant::SHARD;
use crate::world::ControlReplica;

pub(crate) use actors::{News, relay_of};
use edge::Edge;
pub(crate) use lead::Lead;
use pacer::Pacing;
pub(crate) use propose::Purpose;
pub(crate) use register::Desk;
pub(crate) use vitals::Pulse;
use vitals::voters;

pub(crate) struct Node {
    pub who: Who,
    pub up: bool,
    pub frozen: bool,
    pub cut: bool,
    pub stalled: bool,
    pub vitals: Vitals,
    /// Passive from then on, unless it is answered meanwhile.
    pub active_until: Mono,
    pub control: ControlReplica,
    pub replica: Replica,
    pub lead: Lead,
    pub pacing: Pacing,
    pub actors: BTreeMap<CallId, Seated>,
    /// Where phones of agents register.
    pub desks: BTreeMap<AgentId, Desk>,
    pub edge: Edge,
    pub intake: Intake,
    /// When its next tick is on its way.
    pub intake_armed: Option<Mono>,
    pub asking: BTreeMap<u64, Asking>,
    pub last_seq: u64,
    pub done: Performed,
    pub sweep: Sweep,
    /// To each relay.
    pub ways: Vec<Way>,
    /// What came while it was frozen.
    pub waiting: Vec<Happening>,
    /// What peers sent while it was cut off; their connections outlive that.
    pub stranded: Vec<Happening>,
    /// What it would find on its disk.
    pub disk: Disk,
}

pub(crate) struct Replica {
    pub shard: Shard,
    /// Entries applied, first entries of terms included.
    pub applied: u64,
    /// When the last stamped entry was applied.
    pub received: Mono,
    /// What it takes the log's time to be.
    pub clock: LogClock,
    /// What it has been told is committed, and when it applies it.
    pub told: VecDeque<(Mono, u64)>,
}

/// An actor: a machine and when its next `Tick` is on its way.
pub(crate) struct Seated {
    pub machine: Machine,
    pub armed: Option<Mono>,
}

/// A proposal under way.
pub(crate) struct Asking {
    pub proposal: Rc<Proposal>,
    pub purpose: Purpose,
}

/// Orders to one relay.
#[derive(Default)]
pub(crate) struct Way {
    pub courier: Courier,
    pub waiting: VecDeque<Order>,
    /// So many of the first, in the last batch.
    pub under_way: Option<usize>,
    /// Its number.
    pub batch: u64,
}

impl Way {
    /// That batch is under way no more: how many orders were. None: it was given up before.
    pub fn arrived(&mut self, batch: u64) -> Option<usize> {
        self.under_way.take_if(|_| self.batch == batch)
    }
}

#[derive(Default)]
pub(crate) struct Disk {
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// Known to be committed.
    pub committed: u64,
    /// The same of the control group.
    pub control: u64,
}

impl Node {
    pub fn new(node: usize, relays: usize, limits: Limits) -> Self {
        let who = Who { node, life: Incarnation(1) };
        Self {
            who,
            up: true,
            frozen: false,
            cut: false,
            stalled: false,
            vitals: Vitals::new(node_id(node), voters()),
            active_until: Mono::ZERO,
            control: ControlReplica::default(),
            replica: Replica::new(Mono::ZERO),
            lead: Lead::new(node),
            pacing: Pacing::new(who),
            actors: BTreeMap::new(),
            desks: BTreeMap::new(),
            edge: Edge::default(),
            intake: around::intake(limits, Mono::ZERO),
            intake_armed: None,
            asking: BTreeMap::new(),
            last_seq: 0,
            done: Performed::default(),
            sweep: Sweep::default(),
            ways: (0..relays).map(|_| Way::default()).collect(),
            waiting: Vec::new(),
            stranded: Vec::new(),
            disk: Disk::default(),
        }
    }

    pub fn owns(&self, owner: strowger_model::Owner) -> bool {
        (owner.node, owner.incarnation) == (self.who.id(), self.who.life)
    }

    /// Runs, and the others reach it.
    pub fn is_sound(&self) -> bool {
        self.up && !self.frozen && !self.cut
    }

    pub fn log_now(&self, now: Mono) -> LogNow {
        self.replica.clock.now(now)
    }
}

impl Replica {
    fn new(now: Mono) -> Self {
        let clock = LogClock::new(LogTime::ZERO, now);
        Self { shard: Shard::new(SHARD), applied: 0, received: now, clock, told: VecDeque::new() }
    }

    /// Something with a stamp was applied.
    fn hear(&mut self, now: Mono) {
        self.received = now;
        self.clock.hear(self.shard.last().time, now);
    }
}
