//! The planner on states made by the table itself: who is offered, in what order, and that nobody is overtaken.

use std::collections::{BTreeMap, BTreeSet};

use strowger_acd::UsableRelay;
use strowger_model::config::{Agent, Flow, Phone, Queue, Step, Strategy, Tenant};
use strowger_model::{
    AgentId, CallId, Cause, Dialog, DialogState, Digest, Far, FlowId, Incarnation, LegKey, LegNo, LogTime, NodeId,
    QueueId, RelayId, Role, ShardId, TenantId, TrunkId, Wall,
};
use strowger_table::{
    Admit, AdmitKey, At, Body, Command, Offer, Outcome, Plan, Presence, Proposal, Proposer, Shard, Source, Target,
    Then, ToldBy, limit,
};

const TENANT: TenantId = TenantId(1);
const FLOW: FlowId = FlowId(1);

fn plan(shard: &Shard) -> Plan {
    strowger_acd::plan(shard, &[UsableRelay { relay: RelayId(1), site: String::new() }])
}

/// A shard and the log that made it.
struct World {
    shard: Shard,
    index: u64,
    now_ms: u64,
    seq: u64,
}

impl World {
    /// Each agent with the queues it serves; all have fixed phones and are ready.
    fn new(queues: u32, agents: &[&[u32]]) -> World {
        Self::configured(&tenant(queues, agents))
    }

    fn configured(tenant: &Tenant) -> World {
        let mut world = World { shard: Shard::new(ShardId(0)), index: 0, now_ms: 1000, seq: 0 };
        for command in Command::configuring(1, tenant) {
            assert_eq!(world.say(command), Outcome::Done);
        }
        world
    }

    fn say(&mut self, command: Command) -> Outcome {
        self.index += 1;
        self.now_ms += 10;
        self.seq += 1;
        let at = At { index: self.index, time: LogTime::from_millis(self.now_ms), wall: Wall(self.now_ms) };
        let from = Proposer { node: NodeId(1), incarnation: Incarnation(1) };
        self.shard.apply(at, &Proposal { from, seq: self.seq, body: Body::Shard(command) }).outcome
    }

    /// A call that waits in a queue.
    fn call(&mut self, queue: u32) -> CallId {
        let key = AdmitKey { call_id: format!("call-{}", self.index), from_tag: "t".into(), cseq: 1 };
        let admit = Admit {
            key,
            tenant: TENANT,
            source: Source::Trunk(TrunkId(1)),
            target: Target::Flow(FLOW),
            from: "+4930".into(),
            to: "+4940".into(),
            dialog: dialog(),
            observed: LogTime::from_millis(self.now_ms),
        };
        let admitted = self.say(Command::Admit(Box::new(admit)));
        let Outcome::Admitted { call, .. } = admitted else { panic!("not admitted") };
        let (leg, dialog) = (LegKey { call, leg: LegNo(0) }, Box::new(dialog()));
        assert_eq!(self.say(Command::Answer { leg, dialog, relay: RelayId(1) }), Outcome::Done);
        let queue = QueueId(queue);
        assert_eq!(self.say(Command::Enqueue { call, step: 0, queue, then: Then::End }), Outcome::Done);
        call
    }

    /// Makes an agent the last in the line of idle ones.
    fn renew(&mut self, agent: u32) {
        let agent = AgentId(agent);
        for presence in [Presence::NotReady { reason: "a cup of tea".into() }, Presence::Ready] {
            assert_eq!(self.say(Command::Presence { agent, presence }), Outcome::Done);
        }
    }

    fn grant(&mut self, plan: Plan) -> u32 {
        let Outcome::Planned { granted } = self.say(Command::Plan(plan)) else { panic!("not planned") };
        granted.count_ones()
    }
}

fn tenant(queues: u32, agents: &[&[u32]]) -> Tenant {
    let queue = |id| Queue {
        id: QueueId(id),
        name: format!("queue-{id}"),
        strategy: Strategy::LongestIdle,
        music: Digest([7; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 0,
        miss_pause_ms: 0,
        max_waiting: 1000,
        max_wait_ms: 3_600_000,
        service_level_ms: 20_000,
    };
    let agent = |(at, queues): (usize, &&[u32])| Agent {
        id: AgentId(at as u32 + 1),
        name: format!("agent-{}", at + 1),
        queues: queues.iter().map(|queue| QueueId(*queue)).collect(),
        phone: Phone::Static { uri: "sip:a@192.0.2.1".into(), far: Far::udp(([192, 0, 2, 1], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    Tenant {
        id: TENANT,
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: ShardId(0),
        numbers: Vec::new(),
        flows: vec![Flow { id: FLOW, name: "main".into(), steps: vec![Step::HangUp] }],
        queues: (1..=queues).map(queue).collect(),
        agents: agents.iter().enumerate().map(agent).collect(),
        campaigns: Vec::new(),
        takes_anonymous: true,
        offers_sha256: false,
    }
}

fn dialog() -> Dialog {
    Dialog {
        role: Role::Uas,
        state: DialogState::Confirmed,
        call_id: "c".into(),
        local_uri: String::new(),
        local_tag: String::new(),
        remote_uri: String::new(),
        remote_tag: String::new(),
        local_contact: String::new(),
        remote_target: String::new(),
        route_set: Vec::new(),
        local_cseq: 0,
        remote_cseq: 1,
        far: Far::udp(([192, 0, 2, 9], 5060)),
        local_sdp: String::new(),
        remote_sdp: String::new(),
        sdp_version: 1,
        pending: None,
    }
}

/// The calls whose places are offered, each with the agent.
fn pairs(shard: &Shard, plan: &Plan) -> Vec<(CallId, u32)> {
    let call = |offer: &Offer| shard.place(offer.place).and_then(|place| place.call).expect("a caller's place");
    plan.offers.iter().map(|offer| (call(offer), offer.agent.0)).collect()
}

#[test]
fn the_longest_idle_agent_gets_the_first_call() {
    let mut world = World::new(1, &[&[1], &[1], &[1]]);
    world.renew(1);
    world.renew(3);
    let (first, second) = (world.call(1), world.call(1));
    let plan = plan(&world.shard);
    assert_eq!(pairs(&world.shard, &plan), [(first, 2), (second, 1)]);
    assert_eq!(plan.basis, world.index);
    assert!(plan.offers[0].score > plan.offers[1].score, "scores are times idle");
}

#[test]
fn queues_that_share_an_agent_are_served_in_order_of_arrival() {
    let mut world = World::new(2, &[&[1, 2]]);
    let (_later, earlier) = {
        let earlier = world.call(2);
        (world.call(1), earlier)
    };
    assert_eq!(pairs(&world.shard, &plan(&world.shard)), [(earlier, 1)]);
}

#[test]
fn a_queue_without_agents_holds_up_no_other() {
    let mut world = World::new(2, &[&[2]]);
    world.call(1);
    let served = world.call(2);
    assert_eq!(pairs(&world.shard, &plan(&world.shard)), [(served, 1)]);
}

#[test]
fn a_plan_names_an_agent_once_and_is_granted_whole() {
    let mut world = World::new(3, &[&[1, 2, 3], &[1, 2], &[3]]);
    for queue in [1, 2, 3, 1, 2, 3] {
        world.call(queue);
    }
    let plan = plan(&world.shard);
    let agents: BTreeSet<AgentId> = plan.offers.iter().map(|offer| offer.agent).collect();
    assert_eq!((plan.offers.len(), agents.len()), (3, 3));
    assert_eq!(world.grant(plan), 3, "made on the newest state, nothing is refused");
}

#[test]
fn a_plan_is_never_longer_than_an_entry_may_be() {
    let serves: Vec<&[u32]> = vec![&[1]; 100];
    let mut world = World::new(1, &serves);
    for _ in 0..100 {
        world.call(1);
    }
    let first = plan(&world.shard);
    assert_eq!(first.offers.len(), limit::OFFERS_PER_PLAN);
    assert_eq!(world.grant(first), 64);
    assert_eq!(plan(&world.shard).offers.len(), 36, "the rest comes with the next");
}

/// An agent is carried by a relay of the own site, although the caller is on another one.
#[test]
fn an_agents_relay_is_one_of_the_agents_site() {
    let mut config = tenant(1, &[&[1]]);
    config.agents[0].site = "west".into();
    let mut world = World::configured(&config);
    world.call(1);
    let usable =
        [(1, "east"), (2, "west")].map(|(relay, site)| UsableRelay { relay: RelayId(relay), site: site.into() });
    let plan = strowger_acd::plan(&world.shard, &usable);
    assert_eq!(plan.offers[0].relay, RelayId(2));
    // Without one of the site it is the caller's.
    assert_eq!(strowger_acd::plan(&world.shard, &usable[..1]).offers[0].relay, RelayId(1));
}

#[test]
fn who_waits_is_told_how_many_are_ahead_and_who_could_come() {
    let mut world = World::new(2, &[&[1], &[1, 2]]);
    let (first, second, other) = (world.call(1), world.call(1), world.call(2));
    let why = |call| strowger_acd::why(&world.shard, call).expect("it waits");
    assert_eq!([first, second, other].map(|call| why(call).ahead), [0, 1, 0]);
    assert_eq!((why(first).field.idle, why(other).field.idle), (2, 1));
    assert_eq!(why(first).field.excluded, []);
    let plan = plan(&world.shard);
    world.grant(plan);
    assert!(strowger_acd::why(&world.shard, first).is_none(), "a phone rings for it");
    let states = strowger_acd::why(&world.shard, other).expect("it waits").field;
    assert_eq!((states.idle, states.excluded), (0, vec![("offered", 1)]));
}

/// As many as are idle are told, also where not all of them are named.
#[test]
fn all_who_are_idle_are_counted() {
    let serves: Vec<&[u32]> = vec![&[1]; 20];
    let mut world = World::new(1, &serves);
    let call = world.call(1);
    let field = strowger_acd::why(&world.shard, call).expect("it waits").field;
    assert_eq!((field.idle, field.candidates.len(), field.excluded), (20, 8, Vec::new()));
    assert!(field.candidates.is_sorted_by_key(|candidate| candidate.idle_since));
}

/// Legs that the table has count as much as those given away since; legs of calls that are over count no more.
#[test]
fn a_relay_that_carries_calls_gets_the_next_leg_last() {
    let mut world = World::new(1, &[]);
    let usable = [1, 2].map(|relay| UsableRelay { relay: RelayId(relay), site: String::new() });
    let calls = [world.call(1), world.call(1)];
    let next = |world: &World| {
        let choice = strowger_acd::RelayChoice::new(&world.shard, &usable);
        [(); 3].map(|()| choice.choose("", None).expect("one is usable").0)
    };
    assert_eq!(next(&world), [2, 2, 1], "the first carries two");
    for call in calls {
        let (leg, observed) = (LegKey { call, leg: LegNo(0) }, LogTime::from_millis(world.now_ms));
        let left = Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed };
        assert_eq!(world.say(left), Outcome::Done);
    }
    assert_eq!(next(&world), [1, 2, 1]);
}

/// The call's owner hears that there is no port, and says so; the planner does not let the caller wait for it.
#[test]
fn without_any_relay_it_is_the_callers() {
    let mut world = World::new(1, &[&[1]]);
    world.call(1);
    let offers = strowger_acd::plan(&world.shard, &[]).offers;
    assert_eq!(offers.iter().map(|offer| offer.relay).collect::<Vec<_>>(), [RelayId(1)]);
}

/// Where the caller's relay takes no more legs the agents' are spread over the others.
#[test]
fn the_legs_of_one_plan_are_spread() {
    let mut world = World::new(1, &[&[1], &[1], &[1], &[1]]);
    for _ in 0..4 {
        world.call(1);
    }
    let usable = [2, 3].map(|relay| UsableRelay { relay: RelayId(relay), site: String::new() });
    let offers = strowger_acd::plan(&world.shard, &usable).offers;
    assert_eq!(offers.iter().map(|offer| offer.relay.0).collect::<Vec<_>>(), [2, 3, 2, 3]);
}

/// The record of the call tells how long its agent had been idle, and the queue it came from.
#[test]
fn an_offer_says_for_which_queue_it_is_and_how_long_the_agent_was_idle() {
    let mut world = World::new(2, &[&[1, 2]]);
    world.renew(1);
    let call = world.call(2);
    let field = strowger_acd::why(&world.shard, call).expect("it waits").field;
    let offers = plan(&world.shard).offers;
    let [offer] = &offers[..] else { panic!("{offers:?}") };
    assert_eq!((offer.queue, field.queue), (QueueId(2), QueueId(2)));
    assert!(!offer.ring_all, "it is one agent's");
    let idle = world.shard.last().time.since(field.candidates[0].idle_since);
    assert_eq!((offer.score, idle.as_millis()), (30_000, 30), "three entries of the call came since");
}

#[test]
fn who_cannot_come_is_counted_by_what_keeps_them() {
    let mut world = World::new(2, &[&[1], &[1], &[1], &[1], &[2]]);
    for agent in [1, 3] {
        let presence = Presence::NotReady { reason: "a cup of tea".into() };
        assert_eq!(world.say(Command::Presence { agent: AgentId(agent), presence }), Outcome::Done);
    }
    world.call(1);
    let plan = plan(&world.shard);
    world.grant(plan);
    let waits = world.call(1);
    let why = strowger_acd::why(&world.shard, waits).expect("it waits");
    assert_eq!((why.call, why.basis, why.ahead), (waits, world.index, 0));
    assert_eq!(why.field.candidates.iter().map(|candidate| candidate.agent.0).collect::<Vec<_>>(), [4]);
    let mut excluded = why.field.excluded.clone();
    excluded.sort_unstable();
    assert_eq!((why.field.idle, excluded), (1, vec![("not_ready", 2), ("offered", 1)]));
    // Each queue by itself, in the order asked for.
    let fields = strowger_acd::fields(&world.shard, &[QueueId(2), QueueId(1)]);
    assert_eq!(fields.iter().map(|field| (field.queue.0, field.idle)).collect::<Vec<_>>(), [(2, 1), (1, 1)]);
    let place = world.shard.call(waits).and_then(|row| row.place).expect("its place");
    let ahead = |queue| strowger_acd::ahead(&world.shard, QueueId(queue), place);
    assert_eq!((ahead(1), ahead(2)), (Some(0), None), "it does not wait there");
    assert!(strowger_acd::why(&world.shard, CallId::new(ShardId(0), 999)).is_none());
}

#[test]
fn nobody_waiting_or_nobody_idle_is_an_empty_plan() {
    let mut world = World::new(1, &[]);
    assert!(plan(&world.shard).offers.is_empty());
    world.call(1);
    assert!(plan(&world.shard).offers.is_empty());
}

/// Over random states: an offer of an agent to a call means that no earlier call could have had that agent and
/// went without, and that no idle agent stays without work while a call of its queues waits.
#[test]
fn nobody_is_overtaken_and_nobody_idles() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    for _ in 0..200 {
        let serves: Vec<Vec<u32>> =
            (0..next(12)).map(|_| (1..=4).filter(|_| next(2) == 0).map(|queue| queue as u32).collect()).collect();
        let serves: Vec<&[u32]> = serves.iter().map(Vec::as_slice).collect();
        let mut world = World::new(4, &serves);
        let calls: BTreeMap<CallId, u32> = (0..next(12))
            .map(|_| {
                let queue = next(4) as u32 + 1;
                (world.call(queue), queue)
            })
            .collect();
        let plan = plan(&world.shard);
        let offered: BTreeMap<CallId, AgentId> =
            pairs(&world.shard, &plan).into_iter().map(|(call, agent)| (call, AgentId(agent))).collect();
        let could = |agent: AgentId, queue: u32| serves[agent.0 as usize - 1].contains(&queue);
        for (call, queue) in &calls {
            if offered.contains_key(call) {
                continue;
            }
            // Calls' ids ascend with their arrival.
            for (later, agent) in offered.iter().filter(|(later, _)| *later > call) {
                assert!(!could(*agent, *queue), "{later} got an agent that {call} had a right to");
            }
            for agent in (1..=serves.len() as u32).map(AgentId).filter(|agent| !offered.values().any(|a| a == agent)) {
                assert!(!could(agent, *queue), "{agent} idles while {call} waits");
            }
        }
    }
}

/// Of a relay nobody said where it stands: that is not everywhere.
#[test]
fn a_relay_without_a_site_is_at_no_agents_site() {
    let mut config = tenant(1, &[&[1]]);
    config.agents[0].site = "west".into();
    let mut world = World::configured(&config);
    world.call(1);
    let usable = [(1, ""), (2, "west")].map(|(relay, site)| UsableRelay { relay: RelayId(relay), site: site.into() });
    let plan = strowger_acd::plan(&world.shard, &usable);
    assert_eq!(plan.offers[0].relay, RelayId(2), "although the caller is on the first");
}
