//! What a shard's leader does by itself, and when it looks again.

use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_model::config::{Agent, NextIds, Phone, Queue, Strategy, Tenant, Trunk};
use strowger_model::{AgentId, Digest, Far, LegKey, LegNo, LogTime, Mono, NodeId, QueueId, RelayId, TenantId, Wall};
use strowger_table::{
    At, Body, Command, Content, Control, ControlCommand, Outcome, Proposal, Proposer, Refusal, TenantRef, Then, limit,
};

use super::bench::{Bench, ME, OTHER, SHARD, THIRD, tenant};
use crate::{Heard, Leader, Led, Look, Task, What};

pub(super) const QUEUE: QueueId = QueueId(1);
/// Where the lead belongs.
const HOME: NodeId = ME.node;
const SECOND: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(100);

/// A node that leads a shard with one queue, in a cluster of three.
pub(super) struct World {
    pub bench: Bench,
    control: Control,
    rules: Leader,
    pub changed: Heard,
    led: Option<Led>,
    /// What calls can be made over.
    pub trunks: Vec<Trunk>,
    /// The calendar's time when this process's clock began.
    pub wall_ms: u64,
}

impl World {
    pub fn new() -> Self {
        Self::at_home(HOME)
    }

    /// All nodes have been up for long, and the agent is where it belongs.
    fn at_home(home: NodeId) -> Self {
        let mut world = Self::young(home);
        world.look();
        world.pass(10 * SECOND);
        while let [(Task::Spread, What::Propose(command))] = &world.look().0[..] {
            let outcome = world.say((**command).clone());
            world.answer(Task::Spread, Some(outcome));
        }
        world.led = Some(Led { term: 1, since: world.bench.now });
        world
    }

    /// The nodes have just come up.
    fn young(home: NodeId) -> Self {
        let bench = Bench::new();
        let led = Some(Led { term: 1, since: bench.now });
        let rules = Leader::new(SHARD, ME.node, home);
        let (control, changed) = (Control::default(), Heard::default());
        let mut world = Self { bench, control, rules, changed, led, trunks: Vec::new(), wall_ms: 0 };
        let nodes = [ME, OTHER, THIRD];
        world.decide(ControlCommand::Found { voters: nodes.map(|node| node.node).to_vec(), shards: 1 });
        for Proposer { node, incarnation } in nodes {
            world.decide(ControlCommand::Hello { node, incarnation });
        }
        world.configure(&staffed());
        Command::configuring(2, &staffed())
            .into_iter()
            .for_each(|command| assert!(world.say(command).refusal().is_none()));
        world
    }

    /// The control group has another configuration.
    pub fn configure(&mut self, tenant: &Tenant) -> TenantRef {
        let what = TenantRef { tenant: tenant.id, shard: SHARD, digest: content(tenant).digest };
        // The shard began with version 1.
        while self.control.version() < 1 {
            self.in_force(Vec::new());
        }
        self.in_force(vec![what]);
        what
    }

    fn in_force(&mut self, tenants: Vec<TenantRef>) {
        let (version, next_ids) = (self.control.version() + 1, NextIds::default());
        self.decide(ControlCommand::Configure { version, tenants, trunks: self.trunks.clone(), next_ids });
    }

    fn decide(&mut self, command: ControlCommand) {
        let at = At { index: self.control.last().index + 1, time: LogTime(self.bench.now.0), wall: Wall(0) };
        self.control.apply(at, &Proposal { from: ME, seq: 0, body: Body::Control(command) });
        self.changed.control();
    }

    pub fn version(&self) -> u64 {
        self.control.version()
    }

    fn dies(&mut self, node: Proposer) {
        for voter in [ME, OTHER, THIRD].map(|voter| voter.node) {
            self.decide(ControlCommand::Silent { voter, node: node.node, incarnation: node.incarnation });
        }
    }

    pub fn say(&mut self, command: Command) -> Outcome {
        let outcome = self.bench.commit(ME, command);
        self.changed.touched(&self.bench.touched);
        outcome
    }

    fn waits(&mut self, call_id: &str) {
        let command = self.bench.admit(call_id);
        let Command::Admit(admit) = &command else { panic!("an admission") };
        let dialog = Box::new(admit.dialog.clone());
        let Outcome::Admitted { call, .. } = self.say(command) else { panic!("not admitted") };
        let leg = LegKey { call, leg: LegNo(0) };
        assert_eq!(self.say(Command::Answer { leg, dialog, relay: RelayId(1) }), Outcome::Done);
        assert_eq!(self.say(Command::Enqueue { call, step: 0, queue: QUEUE, then: Then::End }), Outcome::Done);
    }

    /// What is to be done, and when it looks again.
    pub fn look(&mut self) -> (Vec<(Task, What)>, Option<Mono>) {
        let look = Look {
            led: self.led,
            shard: &self.bench.shard,
            control: &self.control,
            relays: &[UsableRelay { relay: RelayId(1), site: String::new() }],
            now: self.bench.now,
            log_now: LogTime(self.bench.now.0),
            wall: Wall(self.wall_ms + self.bench.now.0 / 1000),
        };
        let (errands, again) = self.rules.look(&std::mem::take(&mut self.changed), &look);
        (errands.into_iter().map(|errand| (errand.task, errand.what)).collect(), again)
    }

    /// The only command that it has to say.
    fn says(&mut self) -> Command {
        match &self.look().0[..] {
            [(_, What::Propose(command))] => (**command).clone(),
            other => panic!("not one command but {other:?}"),
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.look().0.is_empty()
    }

    pub fn answer(&mut self, task: Task, outcome: Option<Outcome>) {
        self.rules.answered(1, task, outcome.as_ref(), self.bench.now);
    }

    /// Says what it has to say, and has it committed.
    fn commits(&mut self, task: Task) -> Command {
        let command = self.says();
        let outcome = self.say(command.clone());
        self.answer(task, Some(outcome));
        command
    }

    pub fn pass(&mut self, time: Duration) {
        self.bench.now = self.bench.now + time;
    }
}

pub(super) fn staffed() -> Tenant {
    let agent = |id: u32| Agent {
        id: AgentId(id),
        name: format!("{id}"),
        queues: vec![QUEUE],
        phone: Phone::Static { uri: format!("sip:{id}@192.0.2.20"), far: Far::udp(([192, 0, 2, 20], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    Tenant { queues: vec![queue()], agents: vec![agent(1)], ..tenant() }
}

fn content(tenant: &Tenant) -> Content {
    Content::of(tenant, strowger_table::layout::FIRST).unwrap()
}

fn queue() -> Queue {
    Queue {
        id: QUEUE,
        name: "sales".into(),
        strategy: Strategy::LongestIdle,
        music: Digest([0; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 0,
        miss_pause_ms: 0,
        max_waiting: 10,
        max_wait_ms: 600_000,
        service_level_ms: 20_000,
    }
}

fn offers(command: &Command) -> usize {
    match command {
        Command::Plan(plan) => plan.offers.len(),
        other => panic!("not a plan but {other:?}"),
    }
}

#[test]
fn nobody_waits_so_nothing_is_said() {
    assert!(World::new().is_quiet());
}

#[test]
fn one_plan_is_under_way_and_the_next_waits_for_news() {
    let mut world = World::new();
    world.waits("a");
    let first = world.says();
    assert_eq!(offers(&first), 1);
    world.waits("b");
    assert!(world.is_quiet(), "one is under way");
    let outcome = world.say(first);
    assert_eq!(outcome, Outcome::Planned { granted: 1 });
    world.answer(Task::Plan, Some(outcome));
    assert!(world.is_quiet(), "the only agent is taken");
}

#[test]
fn a_plan_of_which_nothing_was_granted_is_not_made_again_before_something_changes() {
    let mut world = World::new();
    world.waits("a");
    assert_eq!(offers(&world.says()), 1);
    world.answer(Task::Plan, Some(Outcome::Planned { granted: 0 }));
    assert!(world.is_quiet());
    world.waits("b");
    assert_eq!(offers(&world.says()), 1);
}

#[test]
fn what_was_not_committed_is_tried_again_a_little_later() {
    let mut world = World::new();
    world.waits("a");
    world.says();
    world.answer(Task::Plan, None);
    let (errands, again) = world.look();
    assert_eq!((errands, again), (Vec::new(), Some(world.bench.now + AGAIN)));
    world.pass(AGAIN);
    assert_eq!(offers(&world.says()), 1);
}

#[test]
fn a_lease_is_ended_at_its_instant() {
    let mut world = World::new();
    let begun = world.bench.now;
    world.bench.call_of(ME, "a");
    let (errands, again) = world.look();
    let due = begun + limit::ADMITTED_MAX;
    assert_eq!((errands, again), (Vec::new(), Some(due)));
    world.pass(limit::ADMITTED_MAX - Duration::from_micros(1));
    assert_eq!(world.look(), (Vec::new(), Some(due)));
    world.pass(Duration::from_micros(1));
    assert_eq!(world.says(), Command::Expire);
    assert_eq!(world.look(), (Vec::new(), None), "it is under way");
    world.answer(Task::Expire, None);
    assert_eq!(world.look(), (Vec::new(), Some(due + AGAIN)));
    world.pass(AGAIN);
    assert_eq!(world.commits(Task::Expire), Command::Expire);
    assert!(world.is_quiet());
}

#[test]
fn a_new_leader_lets_facts_come_first() {
    let mut world = World::new();
    world.bench.call_of(ME, "a");
    world.pass(limit::ADMITTED_MAX);
    world.led = Some(Led { term: 2, since: world.bench.now });
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + SECOND)));
    world.pass(SECOND);
    assert_eq!(world.says(), Command::Expire);
}

#[test]
fn the_rows_of_the_dead_go_to_the_living_once() {
    let mut world = World::new();
    world.bench.call_of(OTHER, "a");
    assert!(world.is_quiet(), "it lives");
    world.dies(OTHER);
    let command = world.says();
    let heirs = [ME, THIRD].map(|heir| (heir.node, heir.incarnation)).to_vec();
    assert_eq!(command, Command::Adopt { node: OTHER.node, incarnation: OTHER.incarnation, heirs });
    world.dies(THIRD);
    assert!(world.is_quiet(), "one is under way");
    let outcome = world.say(command);
    world.answer(Task::Own, Some(outcome));
    // Some of them may have gone to the other one that died meanwhile; then it is over, too.
    while let [(Task::Own, What::Propose(command))] = &world.look().0[..] {
        assert!(matches!(**command, Command::Adopt { node, .. } if node == THIRD.node));
        let outcome = world.say((**command).clone());
        world.answer(Task::Own, Some(outcome));
    }
    assert!(world.bench.shard.owners().all(|owner| owner == (ME.node, ME.incarnation)));
}

#[test]
fn an_adoption_that_changed_nothing_waits_for_the_control_group() {
    let mut world = World::new();
    world.bench.call_of(OTHER, "a");
    world.dies(OTHER);
    world.says();
    world.answer(Task::Own, Some(Outcome::Done));
    assert!(world.is_quiet());
    world.changed.control();
    assert!(matches!(world.says(), Command::Adopt { .. }));
}

#[test]
fn an_older_incarnation_is_over_when_its_node_comes_back() {
    let mut world = World::new();
    world.bench.call_of(OTHER, "a");
    let incarnation = strowger_model::Incarnation(OTHER.incarnation.0 + 1);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    let Command::Adopt { node, heirs, .. } = world.says() else { panic!("an adoption") };
    assert_eq!(node, OTHER.node);
    assert!(heirs.contains(&(OTHER.node, incarnation)));
}

/// This node may be behind in the control group, when the newer life's first calls are in the shard already.
#[test]
fn what_is_down_is_the_life_that_is_known_and_no_newer_one() {
    let mut world = World::new();
    let newer = Proposer { incarnation: strowger_model::Incarnation(OTHER.incarnation.0 + 1), ..OTHER };
    world.bench.call_of(newer, "a");
    world.dies(OTHER);
    assert!(world.is_quiet(), "its newer life lives as far as anybody knows");
    world.decide(ControlCommand::Hello { node: newer.node, incarnation: newer.incarnation });
    world.dies(newer);
    let Command::Adopt { incarnation, .. } = world.says() else { panic!("an adoption") };
    assert_eq!(incarnation, newer.incarnation);
}

#[test]
fn tenants_that_are_gone_are_retired_one_after_the_other() {
    let mut world = World::new();
    let second = Tenant { id: TenantId(2), agents: Vec::new(), queues: Vec::new(), ..staffed() };
    Command::configuring(2, &second).into_iter().for_each(|command| assert!(world.say(command).refusal().is_none()));
    world.in_force(Vec::new());
    let version = world.control.version();
    assert_eq!(world.commits(Task::Own), Command::Retire { version, tenant: TenantId(1) });
    assert_eq!(world.commits(Task::Own), Command::Retire { version, tenant: TenantId(2) });
    assert!(world.is_quiet());
    assert_eq!(world.bench.shard.tenants().count(), 0);
}

#[test]
fn a_new_configuration_is_fetched_and_brought_part_by_part() {
    let mut world = World::new();
    let agents = |many: u32| (1..=many).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    let large = Tenant { agents: agents(2000), ..staffed() };
    let what = world.configure(&large);
    assert_eq!(world.look().0, [(Task::Configure, What::Fetch(what))]);
    assert!(world.is_quiet(), "it is on its way");
    world.rules.fetched(1, Some(content(&large)), world.bench.now);
    let mut parts = 0;
    loop {
        match world.commits(Task::Configure) {
            Command::Part(part) => {
                assert_eq!(part.no, parts);
                parts += 1;
            }
            Command::Configure { version, .. } => break assert_eq!(version, world.control.version()),
            other => panic!("{other:?}"),
        }
    }
    assert!(parts > 1);
    assert_eq!(world.bench.shard.agents().count(), 2000);
    assert!(world.look().0.iter().all(|(task, _)| *task != Task::Configure));
}

#[test]
fn content_that_nobody_has_is_looked_for_less_and_less_often() {
    let mut world = World::new();
    let what = world.configure(&Tenant { takes_anonymous: false, ..staffed() });
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(world.look().0, [(Task::Configure, What::Fetch(what))]);
        world.rules.fetched(1, None, world.bench.now);
        let (errands, again) = world.look();
        assert_eq!(errands, []);
        let again = again.expect("it is tried again");
        pauses.push(again.since(world.bench.now).as_secs());
        world.bench.now = again;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn a_configuration_that_the_table_will_never_take_is_not_said_again_until_there_is_another() {
    let mut world = World::new();
    let tenant = Tenant { takes_anonymous: false, ..staffed() };
    let refuse = |world: &mut World, refusal| {
        assert!(matches!(world.look().0[..], [(Task::Configure, What::Fetch(_))]));
        world.rules.fetched(1, Some(content(&tenant)), world.bench.now);
        world.says();
        world.answer(Task::Configure, Some(Outcome::Refused(refusal)));
        world.look()
    };
    world.configure(&tenant);
    let (errands, again) = refuse(&mut world, Refusal::NotWhole);
    assert_eq!((errands, again), (Vec::new(), Some(world.bench.now + SECOND)), "parts may be said again");
    world.pass(SECOND);
    assert_eq!(refuse(&mut world, Refusal::BadParts), (Vec::new(), None));
    world.pass(1000 * SECOND);
    world.changed.control();
    assert_eq!(world.look(), (Vec::new(), None));
    world.configure(&Tenant { name: "other".into(), ..staffed() });
    assert!(matches!(world.look().0[..], [(Task::Configure, What::Fetch(_))]));
}

#[test]
fn a_lead_goes_home_when_its_home_lives_and_this_node_has_settled() {
    let mut world = World::at_home(OTHER.node);
    let handed = |world: &mut World| {
        let (errands, again) = world.look();
        (errands.into_iter().filter(|(task, _)| *task == Task::HandOver).map(|(_, what)| what).collect(), again)
    };
    world.dies(OTHER);
    world.pass(10 * SECOND);
    assert_eq!(handed(&mut world), (Vec::new(), None), "nobody is at home");
    world.led = Some(Led { term: 2, since: world.bench.now });
    let incarnation = strowger_model::Incarnation(OTHER.incarnation.0 + 1);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    let settled = world.bench.now + 3 * SECOND;
    assert_eq!(handed(&mut world), (Vec::new(), Some(settled)));
    world.pass(3 * SECOND);
    assert_eq!(handed(&mut world).0, [What::HandOver(OTHER.node)]);
    assert_eq!(handed(&mut world).0, [], "it is under way");
    world.rules.answered(2, Task::HandOver, None, world.bench.now);
    assert_eq!(handed(&mut world), (Vec::new(), Some(settled + SECOND)), "it did not take the lead");
}

#[test]
fn who_does_not_lead_or_is_passive_says_nothing_and_looks_at_everything_afterwards() {
    let mut world = World::new();
    assert!(world.is_quiet());
    let led = world.led.take();
    world.waits("a");
    assert_eq!(world.look(), (Vec::new(), None));
    world.led = led;
    assert_eq!(offers(&world.says()), 1, "though nothing was told it since");
    let led = world.led.take();
    assert!(world.is_quiet());
    world.led = led;
    assert!(world.is_quiet(), "its plan is still under way");
}

#[test]
fn a_new_term_waits_for_nothing_of_the_old_one() {
    let mut world = World::new();
    world.waits("a");
    world.says();
    world.led = Some(Led { term: 2, since: world.bench.now });
    assert_eq!(offers(&world.says()), 1);
    world.answer(Task::Plan, None);
    assert!(world.is_quiet(), "an answer of the old term says nothing of the new one's plan");
}

/// The owners of all agents.
fn shares(world: &World) -> std::collections::BTreeMap<NodeId, usize> {
    let mut shares = std::collections::BTreeMap::new();
    for (node, _) in world.bench.shard.agents().filter_map(|agent| agent.owner) {
        *shares.entry(node).or_insert(0) += 1;
    }
    shares
}

/// A cluster with some agents whose phones are always there, who belong to nobody yet.
fn crowd(many: u32) -> World {
    let mut world = World::young(HOME);
    let agents = (1..=many).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    let tenant = Tenant { agents, ..staffed() };
    world.configure(&tenant);
    let version = world.control.version();
    Command::configuring(version, &tenant)
        .into_iter()
        .for_each(|command| assert!(world.say(command).refusal().is_none()));
    world
}

/// Commits assignments until nothing is left to assign; how many there were.
fn assign_all(world: &mut World) -> usize {
    let mut assigned = 0;
    loop {
        let (errands, again) = world.look();
        match (&errands[..], again) {
            ([(Task::Spread, What::Propose(command))], _) => {
                assert!(world.is_quiet(), "one is under way");
                let outcome = world.say((**command).clone());
                assert_eq!(outcome, Outcome::Done);
                world.answer(Task::Spread, Some(outcome));
                assigned += 1;
            }
            ([], Some(again)) if again <= world.bench.now => {}
            ([], _) => return assigned,
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn agents_go_one_after_the_other_to_nodes_that_have_stayed_up() {
    let mut world = crowd(600);
    let (errands, again) = world.look();
    assert_eq!((errands, again), (Vec::new(), Some(world.bench.now + 10 * SECOND)), "nobody has settled");
    world.pass(10 * SECOND);
    assert_eq!(assign_all(&mut world), 600);
    let shares = shares(&world);
    assert!(shares.len() == 3 && shares.values().all(|share| (150..250).contains(share)), "{shares:?}");
    assert_eq!(assign_all(&mut world), 0);
}

#[test]
fn after_a_restart_a_node_gets_back_what_was_its_own_and_nothing_else_moves() {
    let mut world = crowd(300);
    world.look();
    world.pass(10 * SECOND);
    assign_all(&mut world);
    let before = shares(&world);
    world.dies(OTHER);
    let Command::Adopt { .. } = world.commits(Task::Own) else { panic!("an adoption") };
    assert_eq!(assign_all(&mut world), 0, "heirs are chosen alike");
    assert_eq!(shares(&world).len(), 2);
    let incarnation = strowger_model::Incarnation(OTHER.incarnation.0 + 1);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    world.look();
    world.pass(10 * SECOND - Duration::from_micros(1));
    assert_eq!(assign_all(&mut world), 0, "it might die again");
    world.pass(Duration::from_micros(1));
    assert_eq!(assign_all(&mut world), before[&OTHER.node]);
    assert_eq!(shares(&world), before);
}

#[test]
fn who_talks_or_has_a_connection_stays() {
    let mut world = World::young(HOME);
    world.look();
    world.waits("a");
    world.commits(Task::Plan);
    world.pass(10 * SECOND);
    let agent = world.bench.shard.agent(AgentId(1)).expect("the agent");
    assert!(agent.is_at_work(), "the phone rings");
    assert!(world.look().0.iter().all(|(task, _)| *task != Task::Spread));
    let mut world = World::young(HOME);
    let agent = world.bench.shard.agent(AgentId(1)).expect("the agent");
    let line = strowger_model::Line { node: THIRD.node, number: 1 };
    let flow = Far { line: Some(line), ..Far::tcp(([192, 0, 2, 20], 5060)) };
    let binding = Box::new(strowger_table::Binding { flow, ..agent.bindings[0].clone() });
    world.bench.commit(THIRD, Command::Bind { agent: AgentId(1), binding });
    world.look();
    world.pass(10 * SECOND);
    assert_eq!(assign_all(&mut world), 0);
}
