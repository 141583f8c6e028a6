//! Why nobody is dialled: what the pacer passes over in silence has a word, and a time where there is one.

use strowger_dialer::{Cap, Capped, Payer, Spending, Standstill, standstill};
use strowger_model::config::DialMode;
use strowger_model::{AgentId, CampaignId, Caps, Cause, DialResult, Mono, OutboundCaps, Wall};
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
    let mut no_line = world();
    no_line.allowance = [(TRUNK, 0)].into();
    let mut forbidden = world();
    forbidden.destinations.everyone.deny = vec!["+44".parse().unwrap()];
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
        (no_line, Standstill::NoLine),
        (forbidden, Standstill::Forbidden),
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

/// Agent 1 has a call under way.
fn spends(world: &mut World, caps: OutboundCaps) {
    world.spending = Spending::new(caps);
    let began = world.spending.begin(Payer::all(AgentId(1), "acme", "carrier"), Mono::from_millis(world.wall));
    assert!(began.is_ok());
}

#[test]
fn a_cap_that_is_reached_is_named_with_whose_it_is() {
    let one = || Caps { calls: Some(1), ..Caps::default() };
    let of = |tenant, trunk| OutboundCaps { each_tenant: tenant, each_trunk: trunk, ..OutboundCaps::default() };
    for (caps, whose) in [
        (of(one(), Caps::default()), "tenant acme has 1 calls at once"),
        (of(Caps::default(), one()), "trunk carrier has 1 calls at once"),
    ] {
        let mut world = world();
        spends(&mut world, caps);
        let still = why(&world).expect("it stands still");
        assert_eq!((still.as_str(), world.pace().len()), ("capped", 0));
        assert!(still.detail().is_some_and(|detail| detail.starts_with(whose)), "{still:?}");
    }
    let mut world = world();
    spends(&mut world, OutboundCaps { each_agent: one(), ..OutboundCaps::default() });
    assert_eq!((why(&world), world.pace().len()), (None, 1), "another agent has room");
    assert!(world.spending.begin(Payer::all(AgentId(2), "acme", "carrier"), Mono::from_millis(world.wall)).is_ok());
    let capped = Capped { payer: Payer::Agent(AgentId(1)), of: Cap::Calls, most: 1 };
    assert_eq!((why(&world), world.pace().len()), (Some(Standstill::Capped(capped)), 0));
}

/// Whoever asks looks at some hundred leads, not at all of a list.
#[test]
fn the_first_of_many_that_are_forbidden_are_no_reason_while_agents_are_busy() {
    let mut world = World::new(&[&[2]], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..600);
    world.destinations.everyone.deny = vec!["+442000".parse().unwrap()];
    assert_eq!(why(&world), Some(Standstill::NoAgentFree), "perhaps others are dialled");
    let mut idle = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    idle.import(1, LONDON, 0..600);
    idle.destinations = world.destinations;
    assert_eq!((why(&idle), idle.pace().len()), (Some(Standstill::Forbidden), 0), "nothing else is in the way");
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
        Standstill::Forbidden,
        Standstill::Capped(Capped { payer: Payer::Agent(AgentId(1)), of: Cap::Calls, most: 1 }),
        Standstill::NoAgentFree,
        Standstill::CallersFirst,
        Standstill::NoLine,
        Standstill::NoRelay,
    ];
    assert_eq!(all.map(|still| still.as_str()), Standstill::WORDS);
}
