//! What a shard's leader does by itself, and when it looks again.

use std::time::Duration;

use strowger_model::config::{Agent, Tenant};
use strowger_model::{AgentId, Mono};
use strowger_table::{Command, Control, ControlCommand, Outcome, RowKey, Touched, limit};

use super::bench::{ME, OTHER, THIRD};
use super::leading::{AGAIN, CAMPAIGN, SECOND, World, content, offers, staffed};
use crate::{Errand, HandOn, HandOver, Heard, Leaving, Led, Task, What};

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
    world.pass(SECOND);
    assert_eq!(handed(&mut world).0, [What::HandOver(OTHER.node)]);
    world.rules.answered(2, Task::HandOver, None, world.bench.now);
    assert_eq!(handed(&mut world), (Vec::new(), Some(settled + 3 * SECOND)), "and is asked less often");
}

/// It gave its leads away, and lives on for some seconds: what it has proposed is waited for.
#[test]
fn a_lead_does_not_go_home_while_its_home_ends() {
    let world = World::at_home(OTHER.node);
    let (led, now) = (Led { term: 1, since: Mono::ZERO }, world.bench.now + 10 * SECOND);
    let look = |leaving: &Leaving| HandOn::new(ME.node, OTHER.node).look(led, &world.control, leaving, now);
    assert_eq!(look(&Leaving::from([(OTHER.node, OTHER.incarnation)])), HandOver::No);
    assert_eq!(look(&Leaving::from([(THIRD.node, THIRD.incarnation)])), HandOver::To(OTHER.node), "another ends");
    let before = strowger_model::Incarnation(OTHER.incarnation.0 - 1);
    assert_eq!(look(&Leaving::from([(OTHER.node, before)])), HandOver::To(OTHER.node), "it was started again");
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
    world.answer(Task::Plan, Some(Outcome::Planned { granted: 0 }));
    world.waits("b");
    assert!(world.is_quiet(), "an answer of the old term says nothing of the new one's plan");
}

/// What entries tell by themselves is not looked for: calls change all the time, and only waiting places and agents make
/// a plan.
#[test]
fn a_plan_is_made_when_a_place_an_agent_or_a_relay_has_changed() {
    let mut world = World::new();
    world.waits("a");
    let (call, row) = world.bench.shard.calls().map(|row| (row.id, row.clone())).next().expect("it waits");
    assert_eq!(offers(&world.says()), 1);
    let place = row.place.expect("its place");
    type Tell = fn(&mut Heard, RowKey);
    let (entry, agent): (Tell, _) = (|heard, row| heard.touched(&Touched::Few(vec![row])), RowKey::Agent(AgentId(1)));
    let tells: [(&str, RowKey, Tell, usize); 7] = [
        ("a call", RowKey::Call(call), entry, 0),
        ("a campaign", RowKey::Campaign(CAMPAIGN), entry, 0),
        ("a place", RowKey::Place(place), entry, 1),
        ("an agent", agent, entry, 1),
        ("relays", agent, |heard, _| heard.relays(), 1),
        ("a snapshot", agent, |heard, _| heard.everything(), 1),
        ("too many rows to name", agent, |heard, _| heard.touched(&Touched::Many), 1),
    ];
    for (what, row, tell, plans) in tells {
        world.answer(Task::Plan, Some(Outcome::Planned { granted: 0 }));
        assert!(world.is_quiet());
        tell(&mut world.changed, row);
        assert_eq!(world.look().0.len(), plans, "{what}");
    }
}

/// Leases are of the log's time, and this process wakes by its own.
#[test]
fn a_lease_ends_by_the_logs_clock() {
    let mut world = World::new();
    world.bench.call_of(ME, "a");
    world.log_ahead = 3 * SECOND;
    let due = world.bench.now + limit::ADMITTED_MAX - 3 * SECOND;
    assert_eq!(world.look(), (Vec::new(), Some(due)));
    world.bench.now = due;
    assert_eq!(world.says(), Command::Expire);
}

#[test]
fn a_new_term_says_again_what_the_old_one_had_under_way_in_every_rule() {
    let mut world = World::at_home(THIRD.node);
    let agents = [1, 2].map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).to_vec();
    let tenant = Tenant { agents, ..staffed() };
    world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    world.bench.call_of(OTHER, "a");
    world.waits("b");
    world.pass(limit::ADMITTED_MAX);
    world.dies(OTHER);
    let new = Tenant { name: "new".into(), ..tenant };
    let what = world.configure(&new);
    let tasks = [Task::Plan, Task::Expire, Task::Own, Task::Configure, Task::Spread, Task::HandOver];
    let (first, _) = world.errands();
    assert!(first.iter().all(|errand| errand.term == 1), "whoever hears the answer knows of which it is");
    assert_eq!(first.iter().map(|errand| errand.task).collect::<Vec<_>>(), tasks);
    assert!(world.is_quiet());
    world.led = Some(Led { term: 2, since: world.bench.now });
    let (mut again, _) = world.errands();
    world.pass(3 * SECOND);
    again.extend(world.errands().0);
    again.sort_by_key(|errand| errand.task);
    assert!(again.iter().all(|errand| errand.term == 2));
    assert_eq!(again.iter().map(|errand| errand.task).collect::<Vec<_>>(), tasks);
    // All agents are looked at from the first on.
    let said = |errands: &[Errand]| {
        let other = errands.iter().filter(|errand| errand.task != Task::Spread);
        other.map(|errand| errand.what.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(&again), said(&first));
    // What the old one fetched is nothing to the new one.
    world.rules.fetched(1, Some(content(&new)), world.bench.now);
    assert!(world.is_quiet(), "{what:?} is on its way");
    world.rules.fetched(2, Some(content(&new)), world.bench.now);
    assert!(matches!(world.look().0[..], [(Task::Configure, What::Propose(_))]));
}

/// Passive for a moment, in the same term: other nodes may have changed anything meanwhile.
#[test]
fn who_was_passive_looks_at_all_rows_afterwards() {
    let mut world = World::new();
    let home = world.bench.shard.agent(AgentId(1)).expect("the agent").owner.expect("its owner");
    let other = [ME, OTHER].map(|it| (it.node, it.incarnation)).into_iter().find(|it| *it != home).expect("one");
    let led = world.led.take();
    assert!(world.is_quiet());
    assert_eq!(world.bench.commit(ME, Command::Assign { row: RowKey::Agent(AgentId(1)), to: other }), Outcome::Done);
    world.led = led;
    let back = Command::Assign { row: RowKey::Agent(AgentId(1)), to: home };
    assert_eq!(world.says(), back);
}

#[test]
fn a_lead_stays_where_it_is_while_its_home_is_no_member() {
    let (mut rule, none) = (HandOn::new(ME.node, OTHER.node), Leaving::new());
    let led = Led { term: 1, since: Mono::ZERO };
    let later = Mono::ZERO + 10 * SECOND;
    assert_eq!(rule.look(led, &Control::default(), &none, later), HandOver::No);
    let world = World::new();
    assert_eq!(rule.look(led, &world.control, &none, Mono::ZERO), HandOver::At(Mono::ZERO + 3 * SECOND));
    assert_eq!(rule.look(led, &world.control, &none, later), HandOver::To(OTHER.node));
    assert_eq!(rule.look(led, &world.control, &none, later), HandOver::No, "it is under way");
    let mut rule = HandOn::new(OTHER.node, OTHER.node);
    assert_eq!(rule.look(led, &world.control, &none, later), HandOver::No, "it is at home");
}
