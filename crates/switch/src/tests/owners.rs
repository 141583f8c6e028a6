//! Whose rows are whose: those of lives that are over, and those that belong elsewhere.

use std::time::Duration;

use strowger_model::config::{Agent, Tenant};
use strowger_model::{AgentId, Far, Instance, NodeId, TenantId};
use strowger_table::{Command, ControlCommand, Outcome, Proposer};

use super::bench::{ME, OTHER, THIRD};
use super::leading::{HOME, SECOND, World, staffed};
use crate::{Task, What};

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
    let Command::Adopt { node, incarnation, .. } = world.says() else { panic!("an adoption") };
    let without_heirs = world.say(Command::Adopt { node, incarnation, heirs: Vec::new() });
    world.answer(Task::Own, Some(without_heirs));
    assert!(matches!(world.says(), Command::Adopt { .. }), "the call is the dead one's still");
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
    let call = world.bench.call_of(newer, "a");
    world.dies(OTHER);
    let Command::Adopt { incarnation, .. } = world.commits(Task::Own) else { panic!("an adoption") };
    assert_eq!(incarnation, OTHER.incarnation);
    let owner = world.bench.shard.call(call).expect("the call").owner;
    assert_eq!((owner.node, owner.incarnation), (newer.node, newer.incarnation), "it lives as far as anybody knows");
    assert!(world.is_quiet());
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

/// No row changes with them, so nothing else wakes the rule.
#[test]
fn tenants_without_agents_are_retired_one_after_the_other_as_well() {
    let mut world = World::new();
    for id in [2, 3] {
        let bare = Tenant { id: TenantId(id), agents: Vec::new(), queues: Vec::new(), ..staffed() };
        Command::configuring(2, &bare).into_iter().for_each(|command| assert!(world.say(command).refusal().is_none()));
    }
    world.configure(&staffed());
    let version = world.control.version();
    for id in [2, 3] {
        let command = world.commits(Task::Own);
        assert_eq!(command, Command::Retire { version, tenant: TenantId(id) });
    }
    assert!(world.is_quiet());
}

#[test]
fn connections_of_a_life_that_is_over_are_lost_whoever_owns_the_agent() {
    let restarted = |world: &mut World| {
        let incarnation = strowger_model::Incarnation(OTHER.incarnation.0 + 1);
        world.decide(ControlCommand::Hello { node: OTHER.node, incarnation });
    };
    for ends in [(|world| world.dies(OTHER)) as fn(&mut World), restarted] {
        let mut world = World::new();
        let agent = world.bench.shard.agent(AgentId(1)).expect("the agent").clone();
        for by in [OTHER, THIRD] {
            let line = strowger_model::Line { node: by.node, number: 1 };
            let flow = Far { line: Some(line), ..Far::tcp(([192, 0, 2, 20], 5060)) };
            let binding =
                strowger_table::Binding { flow, instance: Instance(by.node.0.into()), ..agent.bindings[0].clone() };
            assert_eq!(
                world.bench.commit(by, Command::Bind { agent: agent.id, binding: Box::new(binding) }),
                Outcome::Done
            );
        }
        assert!(world.bench.shard.owners().all(|(node, _)| node != OTHER.node), "the newest connection's");
        ends(&mut world);
        assert!(matches!(world.commits(Task::Own), Command::Adopt { node, .. } if node == OTHER.node));
        let agent = world.bench.shard.agent(agent.id).expect("the agent");
        let lost = |by: Proposer| {
            let of = |binding: &&strowger_table::Binding| binding.flow.line.is_some_and(|line| line.node == by.node);
            agent.bindings.iter().find(of).expect("a phone").lost.is_some()
        };
        assert_eq!((lost(OTHER), lost(THIRD)), (true, false));
        assert!(world.is_quiet());
    }
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
