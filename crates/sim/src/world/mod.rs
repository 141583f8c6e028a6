//! A world: one seed, one tenant, three nodes, three relays, far ends, a log and a wire, and what happens to them.

mod commit;
mod control;
mod drain;
mod operator;
mod planted;
mod run;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_model::config::Tenant;
use strowger_model::{CallId, Mono, RelayId};
use strowger_sip::Local;
use strowger_table::Shard;

pub(crate) use control::{ControlGroup, ControlReplica};

use crate::dialling::Dialling;
use crate::far::{AgentPhone, Called, Caller};
use crate::happening::Happening;
use crate::log::Log;
use crate::node::Node;
use crate::plant::Plant;
use crate::promise::Promises;
use crate::relay::Relay;
use crate::rng::Rng;
use crate::scenario::{Faults, Scenario};
use crate::tenant::{SHARD, site_of, tenant};
use crate::timeline::Timeline;
use crate::trace::{About, Trace};

pub(crate) const NODES: usize = 3;
const RELAYS: usize = 3;
/// How often errands and promises are looked at.
const PULSE: Duration = Duration::from_millis(50);
/// Of the callers a world would have, one in so many comes where campaigns dial.
const DIALLED_CALLERS: usize = 3;
/// Callers stop; faults are mended this much later.
const AFTERMATH: Duration = Duration::from_secs(2);

pub struct World {
    pub(crate) now: Mono,
    pub(crate) rng: Rng,
    pub(crate) scenario: Scenario,
    pub(crate) plant: Option<Plant>,
    pub(crate) tenant: Tenant,
    pub(crate) timeline: Timeline<Happening>,
    pub(crate) trace: Trace,
    pub(crate) log: Log,
    /// The state after every committed entry, as no node has it so soon: what the promises look at.
    pub(crate) truth: Shard,
    pub(crate) nodes: Vec<Node>,
    pub(crate) control: ControlGroup,
    pub(crate) relays: Vec<Relay>,
    /// The same, as those see them who choose.
    pub(crate) usable: Vec<UsableRelay>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) phones: Vec<AgentPhone>,
    pub(crate) called: Vec<Called>,
    pub(crate) dialling: Dialling,
    /// Parts of lists that were imported.
    pub(crate) imported: usize,
    /// When each far end's timer is due already.
    pub(crate) far_armed: BTreeMap<SocketAddr, Mono>,
    pub(crate) promises: Promises,
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
    pub fn new(seed: u64, faults: Faults, plant: Option<Plant>) -> Self {
        let mut rng = Rng::new(seed);
        let scenario = Scenario::draw(&mut rng, faults, NODES);
        let mut dialling = Dialling::draw(&mut rng, scenario.queues, scenario.trunk_site);
        if plant == Some(Plant::TrunkFlood) {
            dialling.flood();
        }
        let tenant = tenant(&mut rng, &scenario, &dialling);
        let numbers = dialling.numbers.iter().enumerate();
        let called = numbers.map(|(at, number)| Called::draw(&mut rng, at, *number)).collect();
        // Where campaigns dial, agents must be free for it.
        let many = if dialling.is_on() { scenario.callers / DIALLED_CALLERS } else { scenario.callers };
        let callers = (0..many).map(|id| Caller::draw(&mut rng, id, scenario.busy)).collect();
        let phones = (0..scenario.agents).map(AgentPhone::new).collect();
        let promises = Promises::new(scenario.trunk_site);
        let mut world = Self {
            now: Mono::ZERO,
            rng,
            scenario,
            plant,
            tenant,
            timeline: Timeline::new(),
            trace: Trace::default(),
            log: Log::default(),
            truth: Shard::new(SHARD),
            nodes: (0..NODES).map(|node| Node::new(node, RELAYS)).collect(),
            control: ControlGroup::default(),
            relays: (0..RELAYS).map(Relay::new).collect(),
            usable: (0..RELAYS).map(usable).collect(),
            callers,
            phones,
            called,
            dialling,
            imported: 0,
            far_armed: BTreeMap::new(),
            promises,
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
        }
        self.timeline.plan(Mono::ZERO + PULSE, Happening::Pulse);
        self.timeline.plan(Mono::ZERO + PULSE, Happening::Configure);
        self.timeline.plan(Mono::ZERO + Duration::from_secs(5), Happening::Desk);
        self.timeline.plan(Mono::ZERO + Duration::from_secs(1), Happening::Operator);
        for (at, fault) in self.scenario.faults.clone() {
            self.timeline.plan(at, Happening::Fault(fault));
        }
        let calm = Mono::ZERO + self.scenario.busy + AFTERMATH;
        self.timeline.plan(calm, Happening::Calm);
        for caller in 0..self.callers.len() {
            self.arm_far(self.callers[caller].addr);
        }
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    pub fn now(&self) -> Mono {
        self.now
    }

    /// Calls admitted so far.
    pub fn calls(&self) -> usize {
        self.promises.conservation.admitted()
    }

    pub(crate) fn say(&mut self, about: About, text: impl FnOnce() -> String) {
        self.trace.say(self.now, about, text());
    }
}

/// Relays and phones stand at the same few sites in turn.
fn usable(relay: usize) -> UsableRelay {
    UsableRelay { relay: RelayId(relay as u16), site: site_of(relay).to_owned() }
}

/// What every leg says of the cluster.
pub(crate) fn local() -> Local {
    Local { contact_host: "10.0.0.1:5060".to_owned(), user_agent: String::new() }
}
