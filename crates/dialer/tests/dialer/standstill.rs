//! Why nobody is dialled: what the pacer passes over in silence has a word, and a time where there is one.

use strowger_dialer::{Standstill, standstill};
use strowger_model::config::DialMode;
use strowger_model::{CampaignId, Cause, DialResult, Wall};
use strowger_table::limit;

use crate::world::*;

const ONE_QUEUE: &[u32] = &[1];

fn why(world: &World) -> Option<Standstill> {
    standstill(&world.shard, &world.means(), CampaignId(1))
}

fn world() -> World {
    let mut world = World::new(&[ONE_QUEUE, ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    world
}

#[test]
fn who_dials_stands_still_for_nothing() {
    let world = world();
    assert_eq!((why(&world), world.pace().len()), (None, 2));
}

#[test]
fn each_reason_is_said_while_nobody_is_dialled() {
    let later = |ms| Some(Wall(NOON + ms));
    let empty = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    let mut stopped = world();
    stopped.run(1, false);
    let mut by_hand = campaign(1, 1);
    by_hand.mode = DialMode::Manual;
    let by_hand = World::new(&[ONE_QUEUE], vec![by_hand]);
    let mut barred = world();
    barred.bar(0..2);
    let mut done = world();
    let calls = done.grant(done.pace());
    calls.into_iter().for_each(|call| done.fails(call, (DialResult::InvalidNumber, 404, Cause::NO_ROUTE)));
    let mut busy = world();
    let calls = busy.grant(busy.pace());
    calls.into_iter().for_each(|call| busy.busy(call));
    let mut asleep = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    asleep.import(1, NEW_YORK, 0..2);
    let nobody = {
        let mut world = World::new(&[&[2]], vec![campaign(1, 1)]);
        world.import(1, LONDON, 0..2);
        world
    };
    let mut kept = campaign(1, 1);
    kept.keep_idle = 2;
    let mut keeps = World::new(&[ONE_QUEUE, ONE_QUEUE], vec![kept]);
    keeps.import(1, LONDON, 0..2);
    let mut callers = world();
    callers.call(1);
    let mut no_trunk = world();
    no_trunk.trunks.clear();
    let mut no_relay = world();
    no_relay.relays.clear();
    let cases = [
        (empty, Standstill::NoLeads),
        (stopped, Standstill::Stopped),
        (by_hand, Standstill::Manual),
        (barred, Standstill::Barred),
        (done, Standstill::NoLeads),
        (busy, Standstill::NobodyDue { until: later(900_000) }),
        (nobody, Standstill::NoAgentFree),
        (keeps, Standstill::NoAgentFree),
        (callers, Standstill::CallersFirst),
        (no_trunk, Standstill::NoTrunk),
        (no_relay, Standstill::NoRelay),
    ];
    for (world, expected) in cases {
        assert_eq!((why(&world), world.pace().len()), (Some(expected), 0));
    }
    let Some(Standstill::OutsideHours { until: Some(opens) }) = why(&asleep) else { panic!("{:?}", why(&asleep)) };
    assert!(asleep.pace().is_empty());
    asleep.wall = opens.0 - 1;
    assert!(matches!(why(&asleep), Some(Standstill::OutsideHours { .. })));
    asleep.wall = opens.0;
    assert_eq!((why(&asleep), asleep.pace().len()), (None, 1), "it says when the hours begin");
}

#[test]
fn a_carrier_that_fails_is_named_though_leads_rest_because_of_it() {
    let mut world = World::new(&[ONE_QUEUE; 5], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..u64::from(limit::CARRIER_FAILURES));
    let calls = world.grant(world.pace());
    calls.into_iter().for_each(|call| world.fails(call, (DialResult::CarrierFailed, 503, Cause::TEMPORARY_FAILURE)));
    let until = Some(Wall(world.wall + limit::CARRIER_PAUSE.as_millis() as u64));
    assert_eq!(why(&world), Some(Standstill::CarrierFails { until }));
}

#[test]
fn each_reason_has_a_word_of_its_own() {
    let all = [
        Standstill::Manual,
        Standstill::Stopped,
        Standstill::NoNode,
        Standstill::NoLeads,
        Standstill::NoTrunk,
        Standstill::CarrierFails { until: None },
        Standstill::Barred,
        Standstill::OutsideHours { until: None },
        Standstill::NobodyDue { until: None },
        Standstill::NoAgentFree,
        Standstill::CallersFirst,
        Standstill::NoRelay,
    ];
    assert_eq!(all.map(Standstill::as_str), Standstill::WORDS);
}
