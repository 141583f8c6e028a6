//! A world: one seed, one or two tenants, three nodes, three relays, far ends, a log and a wire, and what happens to them.

mod broken;
mod commit;
mod control;
mod drain;
mod lines;
mod merging;
mod operator;
mod planted;
mod run;
mod stranger;
mod wire;
mod wrap;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_model::config::{Agent, Phone};
use strowger_model::{AgentId, CallId, Mono, RelayId};
use strowger_sip::{Local, TokenKeys};
use strowger_table::{Proposer, Shard};

pub(crate) use broken::Broken;
pub(crate) use control::{ControlGroup, ControlReplica};
pub(crate) use lines::{End, Lines};

use crate::asked::Asked;
pub(crate) use stranger::Wrong;

use crate::change::changed;
use crate::dialling::Dialling;
use crate::far::{AgentPhone, Called, Caller, Manners, Registering};
use crate::happening::Happening;
use crate::log::Log;
use crate::node::Node;
use crate::plant::Plant;
use crate::promise::Promises;
use crate::relay::{Obeys, Relay};
use crate::rng::Rng;
use crate::scenario::{Faults, Scenario};
use crate::seen::Seen;
use crate::tenant::{SHARD, site_of, tenants};
use crate::timeline::Timeline;
use crate::trace::{About, Trace};

pub(crate) const NODES: usize = 3;
const RELAYS: usize = 3;
/// How often errands and promises are looked at.
const PULSE: Duration = Duration::from_millis(50);
/// Of the callers a world would have, one in so many comes where campaigns dial.
const DIALLED_CALLERS: usize = 3;
/// So many times agents ask for a number shortly before the minute at which hours may end.
const ASKED_BEFORE_HOURS_END: usize = 6;
const MINUTE_MS: u64 = 60_000;
/// Callers stop; faults are mended this much later.
const AFTERMATH: Duration = Duration::from_secs(2);

/// A cluster with its relays, far ends and wires, under one clock.
pub struct World {
    pub(crate) now: Mono,
    pub(crate) rng: Rng,
    pub(crate) scenario: Scenario,
    pub(crate) plant: Option<Plant>,
    /// Versions of the configuration as they are asked for, and what is in force of them.
    pub(crate) versions: Vec<Asked>,
    pub(crate) asked: Asked,
    pub(crate) seen: Seen,
    pub(crate) timeline: Timeline<Happening>,
    pub(crate) trace: Trace,
    pub(crate) log: Log,
    /// The state after every committed entry, as no node has it so soon: what the promises look at.
    pub(crate) truth: Shard,
    pub(crate) nodes: Vec<Node>,
    pub(crate) control: ControlGroup,
    pub(crate) lines: Lines,
    pub(crate) relays: Vec<Relay>,
    /// The same, as those see them who choose.
    pub(crate) usable: Vec<UsableRelay>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) phones: Vec<AgentPhone>,
    pub(crate) called: Vec<Called>,
    pub(crate) dialling: Dialling,
    /// Whoever says the next call to a lead dies of it, for so long.
    pub(crate) pacer_dies: Option<Duration>,
    /// Whoever waits for an answer next stops, for so long.
    pub(crate) freezes_midway: Option<Duration>,
    /// Parts of lists that were imported.
    pub(crate) imported: usize,
    /// When each far end's timer is due already.
    pub(crate) far_armed: BTreeMap<SocketAddr, Mono>,
    pub(crate) promises: Promises,
    /// Wrap-ups that were looked at.
    pub(crate) wraps: BTreeSet<(AgentId, CallId)>,
    /// Proposals that no part of the product made, by number; and those of the product that somebody repeated.
    pub(crate) wrong: BTreeMap<u64, Wrong>,
    pub(crate) repeated: BTreeSet<(Proposer, u64)>,
    /// Calls whose actor broke.
    pub(crate) broken: BTreeMap<CallId, Broken>,
    /// How often somebody asked to make one call of two.
    pub(crate) merges: u32,
    /// The outbox is read up to here.
    pub(crate) recorded: u64,
    /// All faults are mended and nobody calls any more.
    pub(crate) calm_since: Option<Mono>,
    pub(crate) drained: bool,
    /// How often a planted bug saw an INVITE leave, by Call-ID.
    pub(crate) sent_invites: BTreeMap<String, u32>,
    /// Offers that a planted bug made up, one a call.
    pub(crate) made_up: BTreeMap<CallId, std::sync::Arc<strowger_table::Call>>,
}

impl World {
    /// Draws what there is in it; nothing has happened yet.
    pub fn new(seed: u64, faults: Faults, plant: Option<Plant>) -> Self {
        let mut rng = Rng::new(seed);
        let mut more = Rng::new(!seed);
        let mut scenario = Scenario::draw(&mut rng, faults, NODES).with(&mut more);
        if plant == Some(Plant::LetInUntold) {
            scenario = scenario.rush();
        }
        let mut dialling = Dialling::draw(&mut rng, &scenario);
        if plant == Some(Plant::TrunkFlood) {
            dialling.flood();
        }
        let versions = versions(&mut rng, &scenario, &dialling);
        let numbers = dialling.numbers.iter().enumerate();
        let called = numbers.map(|(at, number)| Called::draw(&mut rng, at, *number, scenario.manners)).collect();
        // Where campaigns dial, agents must be free for it.
        let many = if dialling.is_on() { scenario.callers / DIALLED_CALLERS } else { scenario.callers };
        let callers = (0..many).map(|id| Caller::draw(&mut rng, id, &scenario).with(&mut more, &scenario)).collect();
        let registers = |agent: &Agent| matches!(agent.phone, Phone::Registers { .. });
        let lines: Vec<bool> = versions[0].agents().map(registers).collect();
        let lines = lines.into_iter().enumerate();
        let line = |rng: &mut Rng, at| {
            let way = scenario.way(rng);
            Registering::draw(rng, at, way)
        };
        // An agent's phone loses its power, or stays.
        let manners = Manners { vanish: false, ..scenario.manners };
        let phone = |rng: &mut Rng, at, registers: bool| AgentPhone::new(at, registers.then(|| line(rng, at)), manners);
        let phones = lines.map(|(at, registers)| phone(&mut rng, at, registers)).collect();
        let promises = Promises::new(&scenario);
        let (began, limits) = (scenario.began, scenario.node_limits);
        let mut world = Self {
            now: Mono::ZERO,
            rng,
            scenario,
            plant,
            versions,
            asked: Asked::default(),
            seen: Seen::default(),
            timeline: Timeline::new(),
            trace: Trace::default(),
            log: Log::new(began),
            truth: Shard::new(SHARD),
            nodes: (0..NODES).map(|node| Node::new(node, RELAYS, limits)).collect(),
            control: ControlGroup::new(Log::new(began)),
            lines: Lines::default(),
            relays: (0..RELAYS).map(|id| Relay::new(id, Obeys::of(plant))).collect(),
            usable: (0..RELAYS).map(usable).collect(),
            callers,
            phones,
            called,
            dialling,
            pacer_dies: None,
            freezes_midway: None,
            imported: 0,
            far_armed: BTreeMap::new(),
            promises,
            wraps: BTreeSet::new(),
            wrong: BTreeMap::new(),
            repeated: BTreeSet::new(),
            broken: BTreeMap::new(),
            merges: 0,
            recorded: 0,
            calm_since: None,
            drained: false,
            sent_invites: BTreeMap::new(),
            made_up: BTreeMap::new(),
        };
        world.begin_time();
        world
    }

    fn begin_time(&mut self) {
        self.timeline.plan(Mono::ZERO, Happening::Elect { term: 0 });
        self.timeline.plan(Mono::ZERO, Happening::ElectControl { term: 0 });
        for node in 0..NODES {
            self.begin_vitals(node);
            self.begin_couriers(node);
            self.begin_sweep(node);
        }
        self.timeline.plan(Mono::ZERO + PULSE, Happening::Pulse);
        self.timeline.plan(Mono::ZERO + PULSE, Happening::Configure);
        for at in self.scenario.applies.clone() {
            self.timeline.plan(at, Happening::Configure);
        }
        self.timeline.plan(Mono::ZERO + Duration::from_secs(5), Happening::Desk);
        self.timeline.plan(Mono::ZERO + Duration::from_secs(1), Happening::Operator);
        if self.dialling.is_on() {
            let minute_us = (MINUTE_MS - self.scenario.began.0 % MINUTE_MS) * 1000;
            for _ in 0..ASKED_BEFORE_HOURS_END {
                let before = self.rng.millis(100, 3500).as_micros() as u64;
                self.timeline.plan(Mono(minute_us.saturating_sub(before)), Happening::AskForNumber);
            }
        }
        if self.scenario.strange {
            self.timeline.plan(Mono::ZERO + Duration::from_secs(3), Happening::Stranger);
        }
        if self.scenario.merges {
            self.timeline.plan(Mono::ZERO + Duration::from_secs(3), Happening::Merge);
            self.timeline.plan(Mono::ZERO + Duration::from_secs(4), Happening::Split);
        }
        if self.scenario.breaks {
            self.timeline.plan(Mono::ZERO + Duration::from_secs(4), Happening::Break);
        }
        for (at, fault) in self.scenario.faults.clone() {
            self.timeline.plan(at, Happening::Fault(fault));
        }
        let calm = Mono::ZERO + self.scenario.busy + AFTERMATH;
        self.timeline.plan(calm, Happening::Calm);
        for phone in 0..self.phones.len() {
            self.arm_far(self.phones[phone].phone.addr);
        }
        for caller in 0..self.callers.len() {
            self.arm_far(self.callers[caller].addr);
        }
    }

    /// What was said so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The world's clock.
    pub fn now(&self) -> Mono {
        self.now
    }

    /// What really happened.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Calls admitted so far.
    pub fn calls(&self) -> usize {
        self.promises.conservation.admitted()
    }

    pub(crate) fn say(&mut self, about: About, text: impl FnOnce() -> String) {
        self.trace.say(self.now, about, text());
    }
}

/// One that changes something, and the first again.
fn versions(rng: &mut Rng, scenario: &Scenario, dialling: &Dialling) -> Vec<Asked> {
    let first = tenants(rng, scenario, dialling);
    let second = changed(rng, &first);
    let all = [first.clone(), second, first];
    all.into_iter().take(1 + scenario.applies.len()).collect()
}

/// Relays and phones stand at the same few sites in turn.
fn usable(relay: usize) -> UsableRelay {
    UsableRelay { relay: RelayId(relay as u16), site: site_of(relay).to_owned() }
}

/// What every leg says of the cluster.
pub(crate) fn local() -> Local {
    let tokens = TokenKeys::new(&[7; 32], &[]);
    Local { contact_host: "10.0.0.1:5060".to_owned(), user_agent: String::new(), tokens }
}
