//! How a configuration comes from the control group into its shard.

use strowger_model::config::{Agent, Tenant};
use strowger_model::{AgentId, ShardId, TenantId};
use strowger_table::{Command, Outcome, Refusal, TenantRef};

use super::leading::{AGAIN, SECOND, World, content, staffed};
use crate::{Task, What};

/// A configuration of several parts.
fn large(name: &str) -> Tenant {
    let agents = (1..=2000).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    Tenant { name: name.into(), agents, ..staffed() }
}

fn fetches(world: &mut World, what: TenantRef) {
    assert_eq!(world.look().0, [(Task::Configure, What::Fetch(what))]);
}

fn part(command: &Command) -> u16 {
    match command {
        Command::Part(part) => part.no,
        other => panic!("not a part but {other:?}"),
    }
}

#[test]
fn a_new_configuration_is_fetched_and_brought_part_by_part() {
    let mut world = World::new();
    let large = large("acme");
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
fn content_that_is_not_what_was_asked_for_counts_as_none() {
    let mut world = World::new();
    let what = world.configure(&Tenant { takes_anonymous: false, ..staffed() });
    fetches(&mut world, what);
    world.rules.fetched(1, Some(content(&staffed())), world.bench.now);
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + SECOND)));
    world.pass(SECOND);
    fetches(&mut world, what);
}

#[test]
fn a_tenant_whose_content_is_missing_holds_up_no_other() {
    let mut world = World::new();
    let of = |id, name: &str| Tenant { id: TenantId(id), name: name.into(), agents: Vec::new(), ..staffed() };
    let (missing, there) = (of(1, "missing"), of(2, "there"));
    let named = |tenant: &Tenant, shard| TenantRef { tenant: tenant.id, shard, digest: content(tenant).digest };
    let shard = world.bench.shard.id();
    world.in_force(vec![named(&missing, shard), named(&there, shard), named(&of(3, "elsewhere"), ShardId(1))]);
    fetches(&mut world, named(&missing, shard));
    world.changed.control();
    assert!(world.is_quiet(), "it is on its way");
    world.rules.fetched(1, None, world.bench.now);
    let again = world.bench.now + SECOND;
    fetches(&mut world, named(&there, shard));
    world.pass(SECOND / 2);
    world.rules.fetched(1, None, world.bench.now);
    assert_eq!(world.look(), (Vec::new(), Some(again)), "the third is another shard's");
    world.pass(SECOND / 2);
    fetches(&mut world, named(&missing, shard));
    world.rules.fetched(1, None, world.bench.now);
    world.pass(SECOND / 2);
    fetches(&mut world, named(&there, shard));
    world.rules.fetched(1, Some(content(&there)), world.bench.now);
    assert_eq!(part(&world.commits(Task::Configure)), 0);
    // What was not committed is said again a little later, though the other one waits for longer.
    assert!(matches!(world.says(), Command::Configure { .. }));
    world.answer(Task::Configure, None);
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + AGAIN)));
    world.pass(AGAIN);
    assert!(matches!(world.commits(Task::Configure), Command::Configure { tenant: TenantId(2), .. }));
    assert!(world.bench.shard.tenant(TenantId(2)).is_some());
}

/// Parts that nobody puts in force in time are dropped by the table.
#[test]
fn when_what_was_said_is_gone_it_is_said_again_from_the_beginning() {
    for parts in 1..=2 {
        let mut world = World::new();
        let large = large("acme");
        let what = world.configure(&large);
        fetches(&mut world, what);
        world.rules.fetched(1, Some(content(&large)), world.bench.now);
        let before = world.bench.shard.clone();
        (0..parts).for_each(|no| assert_eq!(part(&world.commits(Task::Configure)), no));
        world.bench.shard = before;
        assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + SECOND)));
        world.pass(SECOND);
        fetches(&mut world, what);
        world.rules.fetched(1, Some(content(&large)), world.bench.now);
        (0..2).for_each(|no| assert_eq!(part(&world.commits(Task::Configure)), no));
    }
}

/// Whoever waits for a new configuration does not wait for one that is out of force, nor for its pauses.
#[test]
fn another_configuration_is_brought_at_once_instead() {
    let mut world = World::new();
    let (old, new) = (large("old"), large("new"));
    let what = world.configure(&old);
    for pause in [1, 2, 4] {
        fetches(&mut world, what);
        world.rules.fetched(1, None, world.bench.now);
        assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + pause * SECOND)));
        world.pass(pause * SECOND);
    }
    fetches(&mut world, what);
    world.rules.fetched(1, Some(content(&old)), world.bench.now);
    assert_eq!(part(&world.commits(Task::Configure)), 0);
    let what = world.configure(&new);
    fetches(&mut world, what);
    world.rules.fetched(1, None, world.bench.now);
    assert_eq!(world.look(), (Vec::new(), Some(world.bench.now + SECOND)), "its first failure");
    world.pass(SECOND);
    fetches(&mut world, what);
    world.rules.fetched(1, Some(content(&new)), world.bench.now);
    assert_eq!(part(&world.commits(Task::Configure)), 0);
    while world.bench.shard.config_digest(new.id) != Some(what.digest) {
        world.commits(Task::Configure);
    }
}

/// The shard is as the snapshot has it: a configuration may be missing that was there.
#[test]
fn after_a_snapshot_the_configuration_is_compared_again() {
    let mut world = World::new();
    let before = world.bench.shard.clone();
    let tenant = Tenant { takes_anonymous: false, ..staffed() };
    let what = world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    assert!(world.is_quiet());
    world.bench.shard = before;
    assert!(world.is_quiet(), "nothing was told");
    world.changed.everything();
    fetches(&mut world, what);
}

/// What another tenant changes is nothing to a tenant whose configuration stayed as it was.
#[test]
fn a_tenant_that_did_not_change_is_not_brought_again() {
    let mut world = World::new();
    let shard = world.bench.shard.id();
    let named = |tenant: &Tenant| TenantRef { tenant: tenant.id, shard, digest: content(tenant).digest };
    let other = Tenant { id: TenantId(2), agents: Vec::new(), queues: Vec::new(), ..staffed() };
    world.in_force(vec![named(&staffed()), named(&other)]);
    let version = world.version();
    world.in_force(vec![named(&staffed()), named(&other)]);
    fetches(&mut world, named(&other));
    world.rules.fetched(1, Some(content(&other)), world.bench.now);
    world.commits(Task::Configure);
    let configure = Command::Configure { version, tenant: other.id, digest: content(&other).digest };
    assert_eq!(world.commits(Task::Configure), configure, "the version that changed it");
    assert!(world.is_quiet());
}
