//! When somebody may be called of whom no entry tells.

use strowger_dialer::next_due;
use strowger_model::config::{Campaign, DialMode, Hours};
use strowger_model::{Cause, DialResult, Incarnation, NodeId, Wall};
use strowger_table::limit;

use crate::world::*;

const ONE_QUEUE: &[u32] = &[1];
const MINUTE: u64 = 60_000;

/// Milliseconds from now.
fn due_in(world: &World) -> Option<u64> {
    next_due(&world.shard, Wall(world.wall), PACER).map(|at| at.0 - world.wall)
}

#[test]
fn who_can_be_called_now_waits_for_no_time() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    assert_eq!(due_in(&world), None, "there is nobody");
    world.import(1, LONDON, 0..3);
    assert_eq!(due_in(&world), None, "an agent, or a trunk, is what is missing");
}

/// Nobody computes when hours begin: it is looked again at each full minute.
#[test]
fn who_sleeps_is_looked_at_again_at_the_next_full_minute() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, NEW_YORK, 0..3);
    for (into_minute, wait) in [(0, MINUTE), (1, MINUTE - 1), (MINUTE - 1, 1)] {
        world.wall = NOON + into_minute;
        assert_eq!(due_in(&world), Some(wait));
    }
    // A zone that this build does not know never wakes up.
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, "Mars/Olympus_Mons", 0..3);
    assert_eq!(due_in(&world), None);
}

#[test]
fn a_lead_that_is_tried_again_later_is_due_then() {
    let mut world = World::new(&[&[1, 2], &[1, 2]], vec![campaign(1, 1), campaign(2, 2)]);
    world.import(1, LONDON, 0..1);
    let first = world.grant(world.pace());
    world.busy(first[0]);
    world.wall += 5000;
    assert_eq!(due_in(&world), Some(900_000 - 5000));
    world.import(2, LONDON, 1..2);
    let second = world.grant(world.pace());
    world.busy(second[0]);
    assert_eq!(due_in(&world), Some(900_000 - 5000), "the first of all campaigns");
    world.wall = NOON + 900_000 - 1;
    assert_eq!(due_in(&world), Some(1));
    world.wall += 1;
    assert_eq!(due_in(&world), Some(5000), "the first can be called now");
    world.import(1, SYDNEY, 5..6);
    world.wall += 1;
    assert_eq!(due_in(&world), Some(4999), "before the next full minute");
    world.wall += 4999;
    assert_eq!(due_in(&world), Some(MINUTE - 5000), "somebody sleeps");
}

#[test]
fn nobody_is_due_where_this_process_does_not_dial() {
    let by_hand = Campaign { mode: DialMode::Manual, ..campaign(2, 1) };
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1), by_hand]);
    world.import(2, NEW_YORK, 0..3);
    assert_eq!(due_in(&world), None, "by hand");
    world.import(1, NEW_YORK, 0..3);
    assert!(due_in(&world).is_some());
    for other in [(NodeId(2), PACER.1), (PACER.0, Incarnation(PACER.1.0 + 1))] {
        assert_eq!(next_due(&world.shard, Wall(world.wall), other), None, "another process's");
    }
    world.run(1, false);
    assert_eq!(due_in(&world), None, "it stands still");
}

/// Hours that are in force now are not asked when a lead's own time has not come.
#[test]
fn a_sleeper_who_is_tried_again_later_is_not_looked_at_each_minute() {
    let morning = Campaign { hours: vec![Hours { days: 0b111_1111, from_min: 0, to_min: 721 }], ..campaign(1, 1) };
    let mut world = World::new(&[ONE_QUEUE], vec![morning]);
    world.import(1, LONDON, 0..1);
    let calls = world.grant(world.pace());
    world.busy(calls[0]);
    world.wall += 2 * MINUTE;
    assert_eq!(due_in(&world), Some(900_000 - 2 * MINUTE), "it is shut, and the lead is not due");
}

/// Of several zones of one campaign whoever comes first.
#[test]
fn of_all_zones_whoever_is_due_first_counts() {
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1)]);
    world.wall = NOON + 2 * HOUR;
    for (zone, number, after) in [(LONDON, 0, 9000), (NEW_YORK, 1, 0)] {
        world.import(1, zone, number..number + 1);
        let calls = world.grant(world.pace());
        world.busy(calls[0]);
        world.wall += after;
    }
    // Nine seconds have passed since the first was busy, and none since the second.
    assert_eq!(due_in(&world), Some(900_000 - 9000));
    world.wall += 900_000 - 9000;
    assert_eq!(due_in(&world), Some(9000), "the other zone's is next");
    world.wall += 9000;
    assert_eq!(due_in(&world), None, "both can be called now");
}

/// A lead may be due later than the minute at which another's hours may begin, and the other way round.
#[test]
fn the_sooner_of_a_minute_and_a_moment_counts() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.wall += 5000;
    world.import(1, LONDON, 0..1);
    let calls = world.grant(world.pace());
    world.busy(calls[0]);
    world.import(1, SYDNEY, 1..2);
    assert_eq!(due_in(&world), Some(MINUTE - 5000), "somebody sleeps");
    world.wall += 896_000;
    assert_eq!(due_in(&world), Some(4000), "who was busy is called again before the next full minute");
}

/// The pacer leaves it alone, and looks again when its pause is over: then one call tells, however many agents are free.
#[test]
fn a_carrier_that_fails_is_tried_again_with_one_call_when_its_pause_is_over() {
    let agents: Vec<&[u32]> = vec![ONE_QUEUE; 8];
    let mut world = World::new(&agents, vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..100);
    let failed = (DialResult::CarrierFailed, 503, Cause::TEMPORARY_FAILURE);
    let calls = world.grant(world.pace());
    assert!(calls.len() > usize::from(limit::CARRIER_FAILURES), "all at once");
    calls.into_iter().for_each(|call| world.fails(call, failed));
    let pause = limit::CARRIER_PAUSE.as_millis() as u64;
    assert_eq!((world.pace(), due_in(&world)), (Vec::new(), Some(pause)));
    world.wall += pause - 1;
    assert_eq!((world.pace(), due_in(&world)), (Vec::new(), Some(1)));
    world.wall += 1;
    let probe = world.grant(world.pace());
    assert_eq!(probe.len(), 1);
    assert_eq!((world.pace(), due_in(&world)), (Vec::new(), None), "what comes of it is an entry");
    world.fails(probe[0], failed);
    assert_eq!((world.pace(), due_in(&world)), (Vec::new(), Some(2 * pause)));
    world.wall += 2 * pause;
    let probe = world.grant(world.pace());
    world.busy(probe[0]);
    assert_eq!(world.pace().len(), 8, "it is back");
}
