//! Lives that are over, with the rows they owned, and tenants that left the configuration.

use strowger_model::config::Tenant;
use strowger_model::{AgentId, Far, Instance, TenantId};
use strowger_table::{Command, ControlCommand, Outcome, Proposer, Refusal};

use super::bench::{ME, OTHER, THIRD};
use super::leading::{AGAIN, World, staffed};
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
    let Command::Adopt { node, incarnation: over, heirs } = world.says() else { panic!("an adoption") };
    assert_eq!((node, over), (OTHER.node, OTHER.incarnation));
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

/// Nothing else tells of it: nobody would answer the callers of the dead, and the tenant would stay.
#[test]
fn what_was_not_committed_is_said_again_a_little_later() {
    let mut world = World::new();
    world.bench.call_of(OTHER, "a");
    let gone = |world: &mut World| world.in_force(Vec::new());
    for happens in [(|world: &mut World| world.dies(OTHER)) as fn(&mut World), gone] {
        happens(&mut world);
        let command = world.says();
        world.answer(Task::Own, None);
        assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + AGAIN)));
        world.pass(AGAIN);
        assert_eq!(world.commits(Task::Own), command);
    }
    assert_eq!(world.bench.shard.tenants().count(), 0);
}

#[test]
fn what_the_table_refuses_waits_for_the_control_group() {
    let mut world = World::new();
    world.in_force(Vec::new());
    let command = world.says();
    world.answer(Task::Own, Some(Outcome::Refused(Refusal::TooEarly)));
    assert!(world.is_quiet());
    world.changed.control();
    assert_eq!(world.says(), command);
}

/// An entry of the leader before may come late.
#[test]
fn a_tenant_that_comes_after_it_has_gone_is_retired_as_well() {
    let mut world = World::new();
    world.in_force(Vec::new());
    assert!(matches!(world.commits(Task::Own), Command::Retire { .. }));
    assert!(world.is_quiet());
    let version = world.control.version();
    for command in Command::configuring(version, &staffed()) {
        assert_eq!(world.say(command).refusal(), None);
    }
    let (errands, _) = world.look();
    let [(Task::Own, What::Propose(retire)), (Task::Spread, _)] = &errands[..] else { panic!("{errands:?}") };
    assert!(matches!(**retire, Command::Retire { .. }));
}

/// The shard is as the snapshot has it: with rows that had been given away here already.
#[test]
fn after_a_snapshot_it_is_looked_whose_rows_are_there() {
    let mut world = World::new();
    world.bench.call_of(OTHER, "a");
    world.dies(OTHER);
    let before = world.bench.shard.clone();
    let command = world.commits(Task::Own);
    assert!(world.is_quiet());
    world.bench.shard = before;
    assert!(world.is_quiet(), "nothing was told");
    world.changed.everything();
    assert_eq!(world.says(), command);
}
