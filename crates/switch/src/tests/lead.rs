//! What a shard's leader does by itself, and when it looks again.

use std::time::Duration;

use strowger_model::AgentId;
use strowger_model::config::{Agent, Tenant};
use strowger_table::{Command, ControlCommand, Outcome, Refusal, limit};

use super::bench::{ME, OTHER};
use super::leading::{AGAIN, SECOND, World, content, offers, staffed};
use crate::{Led, Task, What};

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
    let (errands, again) = refuse(&mut world, Refusal::TooEarly);
    assert_eq!((errands, again), (Vec::new(), Some(world.bench.now + 2 * SECOND)), "the shard's layout will be raised");
    world.pass(2 * SECOND);
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
