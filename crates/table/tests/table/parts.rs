//! A configuration comes in parts, and into force as a whole.

use std::time::Duration;

use strowger_model::config::{Agent, Phone, Tenant};
use strowger_model::{AgentId, Digest, Hashes, KeyId, Sealed};
use strowger_table::{Command, Outcome, Part, Refusal, RowKey, Shard, limit};

use crate::bench::Bench;
use crate::sample::*;

fn large(agents: u32) -> Tenant {
    let agent = |number: u32| Agent {
        id: AgentId(1000 + number),
        name: format!("{:05}", 10_000 + number),
        queues: vec![SALES],
        phone: Phone::Registers { ha1: Sealed { key: KeyId(1), bytes: vec![7; Hashes::MD5 + Sealed::OVERHEAD] } },
        ready_at_login: true,
        site: String::new(),
    };
    let mut config = tenant();
    config.agents.extend((0..agents).map(agent));
    config
}

fn said(version: u64, config: &Tenant) -> (Vec<Part>, Command) {
    let mut commands = Command::configuring(version, config);
    let configure = commands.pop().unwrap();
    let part = |command| match command {
        Command::Part(part) => *part,
        other => panic!("{other:?}"),
    };
    (commands.into_iter().map(part).collect(), configure)
}

fn stage(bench: &mut Bench, part: &Part) -> Outcome {
    bench.say(Command::Part(Box::new(part.clone())))
}

#[test]
fn parts_come_in_any_order_and_more_than_once() {
    let mut bench = Bench::bare();
    let (parts, configure) = said(1, &large(2000));
    assert!(parts.len() > 3, "{}", parts.len());
    for part in parts.iter().rev() {
        assert_eq!(bench.refused(configure.clone()), Refusal::NotWhole);
        assert_eq!(stage(&mut bench, part), Outcome::Done);
        assert_eq!(stage(&mut bench, part), Outcome::Done);
    }
    assert_eq!(bench.say(configure), Outcome::Done);
    assert_eq!(**bench.shard.shared_tenant(ACME).unwrap(), large(2000));
    assert!(bench.shard.agent(AgentId(2999)).is_some());
    assert!(!bench.shard.has_staged(ACME, parts[0].digest), "what is in force is staged no more");
}

#[test]
fn a_part_must_fit_the_others() {
    let mut bench = Bench::bare();
    let (parts, configure) = said(1, &large(2000));
    assert_eq!(stage(&mut bench, &parts[0]), Outcome::Done);
    let mut other = parts[0].clone();
    other.bytes[77] ^= 1;
    assert_eq!(stage(&mut bench, &other), Refusal::BadParts.into(), "another content under the same number");
    assert_eq!(stage(&mut bench, &Part { of: 99, ..parts[1].clone() }), Refusal::BadParts.into());
    assert_eq!(stage(&mut bench, &Part { no: 5, of: 5, ..parts[1].clone() }), Refusal::BadParts.into());
    assert_eq!(stage(&mut bench, &Part { bytes: Vec::new(), ..parts[1].clone() }), Refusal::BadParts.into());
    let long = Part { bytes: vec![0; limit::PART_BYTES + 1], ..parts[1].clone() };
    assert_eq!(stage(&mut bench, &long), Refusal::TooLong.into());
    assert_eq!(stage(&mut bench, &Part { of: 10_000, ..parts[1].clone() }), Refusal::TooLong.into());

    // What together is not what its digest says never comes into force, and is not kept.
    let mut parts = parts;
    parts[1].bytes[9] ^= 1;
    parts[1..].iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    assert_eq!(bench.refused(configure.clone()), Refusal::BadParts);
    assert_eq!(bench.refused(configure), Refusal::NotWhole);
    assert!(bench.shard.tenant(ACME).is_none() && bench.shard.next_lease().is_none());
}

#[test]
fn the_first_part_of_another_configuration_replaces_what_was_staged() {
    let mut bench = Bench::bare();
    let ((first, early), (second, late)) = (said(1, &large(1000)), said(1, &large(1001)));
    first.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    second.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    assert_eq!(bench.refused(early), Refusal::NotWhole);
    assert_eq!(bench.say(late), Outcome::Done);
}

#[test]
fn parts_that_nobody_puts_in_force_are_dropped() {
    let mut bench = Bench::bare();
    let (parts, configure) = said(1, &large(1000));
    let nothing = bench.shard.hash();
    stage(&mut bench, &parts[0]);
    assert_ne!(bench.shard.hash(), nothing, "what is staged is in the hash");
    bench.pass(1000);
    stage(&mut bench, &parts[1]);
    let due = bench.now + limit::PARTS_KEPT;
    assert_eq!(bench.shard.next_lease(), Some(due), "each part gives all of them time");
    assert_eq!(
        bench.shard.overdue(due + Duration::from_secs(2), Duration::from_secs(1)).collect::<Vec<_>>(),
        [RowKey::Parts(ACME)]
    );
    bench.expire_next();
    assert_eq!((bench.shard.busy().parts, bench.shard.next_lease()), (0, None));
    parts[2..].iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    assert_eq!(bench.refused(configure), Refusal::NotWhole);
}

#[test]
fn a_snapshot_between_two_parts_holds_the_first() {
    let mut bench = Bench::bare();
    let (parts, configure) = said(1, &large(1000));
    let (before, after) = parts.split_at(2);
    before.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    let bytes = bench.shard.snapshot();
    let restored = Shard::restore(&bytes).unwrap();
    assert_eq!((restored.hash(), restored.next_lease()), (bench.shard.hash(), bench.shard.next_lease()));
    assert_eq!(restored.snapshot(), bytes);
    bench.shard = restored;
    after.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    assert_eq!(bench.say(configure), Outcome::Done);
}

#[test]
fn what_is_in_force_needs_no_parts_to_be_said_again() {
    let mut bench = Bench::new();
    let (_, again) = said(2, &tenant());
    assert_eq!(bench.say(again), Outcome::Done);
    assert_eq!(bench.shard.config_version(ACME), Some(2));
    let other = Command::Configure { version: 3, tenant: ACME, digest: Digest([3; 32]) };
    assert_eq!(bench.refused(other), Refusal::NotWhole);
}

#[test]
fn a_configuration_of_another_shard_is_refused() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.shard = strowger_model::ShardId(SHARD.0 + 1);
    let (parts, configure) = said(1, &config);
    parts.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
    assert_eq!(bench.refused(configure), Refusal::BadParts);
}

/// The promised size.
#[test]
fn fifty_thousand_agents_are_taken_and_changed() {
    let mut bench = Bench::bare();
    let mut config = large(49_990);
    for version in [1, 2] {
        let (parts, configure) = said(version, &config);
        parts.iter().for_each(|part| assert_eq!(stage(&mut bench, part), Outcome::Done));
        assert_eq!(bench.say(configure), Outcome::Done);
        config.agents.pop();
        config.agents[5].site = "berlin".to_owned();
    }
    assert_eq!(bench.shard.agents().count(), config.agents.len() + 1);
    let copy = Shard::restore(&bench.shard.snapshot()).unwrap();
    assert_eq!(copy.hash(), bench.shard.hash());
}
