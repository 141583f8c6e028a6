//! The same log gives the same state, also when a replica joined by snapshot half way.

use strowger_model::{GroupId, Incarnation, LogTime, NodeId, Wall};
use strowger_table::{At, Body, ControlCommand, Machine, Proposal, Shard};

use crate::bench::Bench;
use crate::sample::*;
use crate::storm::Storm;

fn storm(seed: u64, commands: usize) -> Bench {
    let mut storm = Storm::new(seed);
    (0..commands).for_each(|_| storm.blow());
    storm.bench
}

#[test]
fn replicas_that_apply_the_same_log_are_the_same() {
    let leader = storm(42, 2000);
    let mut follower = Shard::new(SHARD);
    for (at, proposal) in &leader.log {
        follower.apply(*at, proposal);
    }
    assert_eq!(follower.hash(), leader.shard.hash());
    assert_eq!(follower.snapshot(), leader.shard.snapshot());
    assert_eq!(follower.last(), leader.shard.last());
}

#[test]
fn another_log_gives_another_hash() {
    let mut one = Bench::new();
    let mut other = Bench::new();
    assert_eq!(one.shard.hash(), other.shard.hash());
    one.flowing();
    other.admitted();
    assert_ne!(one.shard.hash(), other.shard.hash());
}

#[test]
fn a_restored_replica_has_equal_bytes_and_goes_on_equally() {
    let leader = storm(43, 3000);
    for joined_at in [0, 1, 500, 1500, 2900] {
        let (before, after) = leader.log.split_at(joined_at);
        let mut original = Machine::new(SHARD.group());
        for (at, proposal) in before {
            original.apply(*at, proposal);
        }
        let bytes = original.snapshot();
        let mut restored = Machine::restore(SHARD.group(), &bytes).unwrap();
        assert_eq!(restored.snapshot(), bytes, "joined at {joined_at}");
        assert_eq!((restored.hash(), restored.last()), (original.hash(), original.last()));
        for (at, proposal) in after {
            assert_eq!(restored.apply(*at, proposal), original.apply(*at, proposal), "{:?}", proposal.body);
        }
        assert_eq!(restored.hash(), original.hash());
        assert_eq!(restored.snapshot(), original.snapshot());
        let leases = |machine: &Machine| machine.shard().unwrap().next_lease();
        assert_eq!(leases(&restored), leases(&original));
    }
}

#[test]
fn bytes_that_are_no_snapshot_are_refused_with_the_group_named() {
    let fault = Machine::restore(SHARD.group(), b"seven").unwrap_err();
    assert!(fault.to_string().contains("group-4"), "{fault}");
    let mut cut = Bench::new().shard.snapshot();
    cut.truncate(cut.len() / 2);
    assert!(Machine::restore(SHARD.group(), &cut).is_err());
}

#[test]
fn a_machine_speaks_for_its_group_whichever_it_is() {
    let mut control = Machine::new(GroupId::CONTROL);
    let at = At { index: 1, time: LogTime(5), wall: Wall(7) };
    let command = ControlCommand::Hello { node: NodeId(1), incarnation: Incarnation(3) };
    control.apply(at, &Proposal { from: ONE, seq: 1, body: Body::Control(command) });
    let alone = control.control().expect("group 0");
    assert_eq!((control.last(), control.layout(), control.hash()), (at, alone.layout(), alone.hash()));
    assert_eq!((control.snapshot(), alone.node(NodeId(1)).is_some()), (alone.snapshot(), true));
    let restored = Machine::restore(GroupId::CONTROL, &control.snapshot()).expect("a snapshot of ours");
    assert_eq!((restored.last(), restored.hash()), (at, control.hash()));

    let shard = Machine::Shard(Bench::new().shard);
    let alone = shard.shard().expect("a shard");
    assert_eq!((shard.last(), shard.layout(), shard.hash()), (alone.last(), alone.layout(), alone.hash()));
    assert_ne!(shard.layout(), 0);
    assert_eq!(shard.snapshot(), alone.snapshot());
}

/// Leaders change, and the clocks of the next one may be behind.
#[test]
fn neither_clock_of_a_log_goes_back() {
    let mut shard = Shard::new(SHARD);
    let tick = Proposal { from: ONE, seq: 0, body: Body::Shard(strowger_table::Command::Tick) };
    for (index, said, is) in [(1, (5, 7), (5, 7)), (2, (4, 6), (5, 7)), (3, (6, 8), (6, 8))] {
        let at = |(time, wall)| At { index, time: LogTime(time), wall: Wall(wall) };
        shard.apply(at(said), &tick);
        assert_eq!(shard.last(), at(is));
    }
}
