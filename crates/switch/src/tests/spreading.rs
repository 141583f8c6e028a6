//! Rows that nobody is busy with go back to where they belong.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::{Agent, Campaign, Phone, Queue, Tenant};
use strowger_model::{AgentId, CampaignId, Far, Incarnation, NodeId, QueueId};
use strowger_table::{Command, ControlCommand, Outcome, RowKey, heir_of};

use super::bench::{ME, OTHER, THIRD};
use super::leading::{AGAIN, ALL_DAY, HOME, SECOND, World, campaign, queue, staffed};
use crate::{Task, What};

/// The owners of all agents.
fn shares(world: &World) -> BTreeMap<NodeId, usize> {
    let mut shares = BTreeMap::new();
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
    let incarnation = Incarnation(OTHER.incarnation.0 + 1);
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
    for holder in [ME, OTHER, THIRD] {
        let mut world = World::young(HOME);
        let agent = world.bench.shard.agent(AgentId(1)).expect("the agent").clone();
        let line = strowger_model::Line { node: holder.node, number: 1 };
        let flow = Far { line: Some(line), ..Far::tcp(([192, 0, 2, 20], 5060)) };
        // One of several phones is enough.
        let instance = strowger_model::Instance(7);
        let binding = Box::new(strowger_table::Binding { flow, instance, ..agent.bindings[0].clone() });
        world.bench.commit(holder, Command::Bind { agent: AgentId(1), binding });
        world.look();
        world.pass(10 * SECOND);
        assert_eq!(assign_all(&mut world), 0, "the connection is at {holder:?}");
    }
}

/// The next assignment, which is not answered yet.
fn assignment(world: &mut World) -> Option<(RowKey, (NodeId, Incarnation))> {
    let spread = world.look().0.into_iter().find(|(task, _)| *task == Task::Spread)?;
    match spread.1 {
        What::Propose(command) => match *command {
            Command::Assign { row, to } => Some((row, to)),
            other => panic!("not an assignment but {other:?}"),
        },
        other => panic!("not a proposal but {other:?}"),
    }
}

/// A young cluster with campaigns, each of a queue of its own, and without agents.
fn campaigns(many: u32) -> World {
    let mut world = World::young(HOME);
    let queues = (1..=many).map(|id| Queue { id: QueueId(id), name: format!("{id}"), ..queue() }).collect();
    let of_queue = |id| Campaign { id: CampaignId(id), queue: QueueId(id), ..campaign(ALL_DAY) };
    let campaigns = (1..=many).map(of_queue).collect();
    let tenant = Tenant { agents: Vec::new(), queues, campaigns, ..staffed() };
    world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    world
}

fn pacers(world: &World) -> Vec<Option<(NodeId, Incarnation)>> {
    world.bench.shard.campaigns().map(|it| it.owner.map(|owner| (owner.node, owner.incarnation))).collect()
}

#[test]
fn a_campaign_that_nobody_paces_is_given_to_its_heir_at_once() {
    let mut world = campaigns(12);
    assert_eq!(assign_all(&mut world), 12, "nobody has settled, and nobody would dial");
    let up = [ME, OTHER, THIRD].map(|node| (node.node, node.incarnation));
    let heirs: Vec<_> = (1..=12).map(|id| heir_of(&up, RowKey::Queue(QueueId(id)))).collect();
    assert_eq!(pacers(&world), heirs);
    assert!(up.iter().all(|node| heirs.contains(&Some(*node))), "spread over all");
    world.pass(10 * SECOND);
    assert_eq!(assign_all(&mut world), 0, "there it is at home");
}

#[test]
fn a_campaign_goes_home_when_its_home_has_stayed_up() {
    let mut world = campaigns(12);
    assign_all(&mut world);
    let home = pacers(&world);
    world.pass(10 * SECOND);
    world.dies(OTHER);
    let (errands, _) = world.look();
    assert!(matches!(&errands[..], [(Task::Own, _)]), "whoever takes over from the dead takes it: {errands:?}");
    let [(_, What::Propose(adopt))] = &errands[..] else { panic!("{errands:?}") };
    let outcome = world.say((**adopt).clone());
    world.answer(Task::Own, Some(outcome));
    assert_eq!(assign_all(&mut world), 0);
    let orphans = home.iter().filter(|owner| owner.is_some_and(|owner| owner.0 == OTHER.node)).count();
    assert!(orphans > 0 && pacers(&world).iter().all(|owner| owner.is_some_and(|owner| owner.0 != OTHER.node)));
    let incarnation = Incarnation(OTHER.incarnation.0 + 1);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    assert_eq!(assign_all(&mut world), 0, "it might die again");
    world.pass(10 * SECOND);
    assert_eq!(assign_all(&mut world), orphans);
    let nodes = |owners: &[Option<(NodeId, Incarnation)>]| {
        owners.iter().map(|owner| owner.map(|owner| owner.0)).collect::<Vec<_>>()
    };
    assert_eq!(nodes(&pacers(&world)), nodes(&home));
}

/// A node that is young keeps what it has.
#[test]
fn nothing_leaves_a_node_because_it_has_not_settled() {
    let mut world = campaigns(12);
    assign_all(&mut world);
    let incarnation = Incarnation(OTHER.incarnation.0 + 1);
    world.pass(10 * SECOND);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    while let Some((task, What::Propose(command))) = world.look().0.into_iter().next() {
        assert_eq!(task, Task::Own);
        let outcome = world.say(*command);
        world.answer(Task::Own, Some(outcome));
    }
    let campaigns = pacers(&world).iter().filter(|owner| owner.is_some_and(|owner| owner.0 == OTHER.node)).count();
    assert!(campaigns > 0, "it inherits what its last life had");
    assert_eq!(assign_all(&mut world), 0);
}

#[test]
fn an_assignment_that_was_lost_is_said_again_a_little_later() {
    let mut world = campaigns(1);
    let first = assignment(&mut world).expect("nobody paces it");
    world.answer(Task::Spread, None);
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + AGAIN)));
    world.pass(AGAIN);
    assert_eq!(assignment(&mut world), Some(first));
    world.answer(Task::Spread, Some(Outcome::Done));
    assert_eq!(assignment(&mut world), None, "what was done or refused is told by rows");
}

/// An agent who was at work, or had no phone, when all were looked at.
#[test]
fn who_may_move_later_is_looked_at_then() {
    let mut world = World::young(HOME);
    world.waits("a");
    world.commits(Task::Plan);
    world.pass(10 * SECOND);
    assert_eq!(assignment(&mut world), None, "the phone rings");
    let place = world.bench.shard.places().next().expect("its place").id;
    let (agent, call) = (AgentId(1), world.bench.shard.place(place).and_then(|place| place.call).expect("it waits"));
    world.bench.ended(ME, call);
    world.changed.touched(&world.bench.touched);
    assert!(!world.bench.shard.agent(agent).expect("the agent").is_at_work());
    let (row, to) = assignment(&mut world).expect("it is free now");
    assert_eq!(
        (row, Some(to)),
        (RowKey::Agent(agent), heir_of(&[ME, OTHER, THIRD].map(|it| (it.node, it.incarnation)), row))
    );
}

/// Other rules do not wait for a walk over all agents.
#[test]
fn all_agents_are_looked_at_in_several_looks() {
    let mut world = crowd(600);
    world.look();
    world.pass(10 * SECOND);
    assign_all(&mut world);
    world.changed.everything();
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now)), "the rest comes at once");
    let (errands, again) = world.look();
    assert!(errands.is_empty() && again.is_none_or(|again| again > world.bench.now));
}

/// Who has no phone is nobody's: the node to which the phone comes takes the agent.
#[test]
fn an_agent_without_a_phone_goes_nowhere() {
    let mut world = World::young(HOME);
    let phone = Phone::Registers { ha1: Default::default() };
    let tenant = Tenant { agents: vec![Agent { phone, ..staffed().agents[0].clone() }], ..staffed() };
    world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    assert!(world.bench.shard.agent(AgentId(1)).expect("the agent").bindings.is_empty());
    world.look();
    world.pass(10 * SECOND);
    assert_eq!(assign_all(&mut world), 0);
}

/// Whoever takes over from the dead takes the row: two entries would do it twice.
#[test]
fn nothing_is_assigned_away_from_a_node_that_is_dead() {
    let restarts = |world: &mut World| {
        let incarnation = Incarnation(OTHER.incarnation.0 + 1);
        world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    };
    for ends in [(|world: &mut World| world.dies(OTHER)) as fn(&mut World), restarts] {
        let mut world = campaigns(6);
        world.pass(10 * SECOND);
        assign_all(&mut world);
        for id in 1..=6 {
            let to = (OTHER.node, OTHER.incarnation);
            world.bench.commit(ME, Command::Assign { row: RowKey::Campaign(CampaignId(id)), to });
        }
        ends(&mut world);
        world.changed.everything();
        assert!(matches!(world.look().0[..], [(Task::Own, _)]));
    }
}

/// The young are looked at again when the first of them has settled, then when the next has.
#[test]
fn it_looks_again_whenever_a_node_has_settled() {
    let mut world = World::young(HOME);
    world.look();
    let begun = world.bench.now;
    world.pass(4 * SECOND);
    let incarnation = Incarnation(OTHER.incarnation.0 + 1);
    world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    world.commits(Task::Own);
    assert_eq!(world.look(), (Vec::new(), Some(begun + 10 * SECOND)));
    world.pass(6 * SECOND);
    assign_all(&mut world);
    assert_eq!(world.look(), (Vec::new(), Some(begun + 14 * SECOND)));
}
