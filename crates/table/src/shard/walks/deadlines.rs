//! Deadlines and limits that rows have and no command reaches yet: a far end of which nothing is heard, rules of a place
//! that widen with time, a call with as many legs as it may have.

use std::time::Duration;

use super::*;
use crate::bench::Doing;
use crate::row::segment::SegmentKind;
use crate::{How, Place, PlaceState, Relax, limit};

/// Nothing is heard of the customer, who has five seconds to come back.
fn unheard() -> Walk {
    let mut walk = Walk::talking();
    let (customer, until) = (walk.leg("customer"), walk.bench.now + Duration::from_secs(5));
    walk.lay_call("call", |call| call.leg_mut(customer).expect("it talks").unreachable = Some(until));
    walk
}

#[test]
fn who_is_heard_of_no_more_is_given_up_in_time() {
    walk(
        unheard,
        &[
            ("its time is not over", |walk| {
                walk.bench.pass(4000);
                walk.done(Command::Expire);
                assert_eq!(walk.stage(), Stage::Talking);
            }),
            ("now it is", |walk| {
                walk.bench.pass(900);
                walk.done(Command::Expire);
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                let mut told = walk.bench.hang_ups(walk.calls["call"]);
                told.sort();
                assert_eq!(told, [walk.leg("customer"), walk.leg("anna")], "it may still be there");
            }),
        ],
    );
}

#[test]
fn who_is_heard_of_again_stays() {
    walk(
        unheard,
        &[
            ("it says something", |walk| {
                let leg = walk.leg("customer");
                let dialog = dialog(Role::Uas, "heard of");
                walk.done(Command::Redialog { leg, dialog, relay: None, holds: false });
            }),
            ("its time is over", |walk| {
                walk.bench.pass(6000);
                walk.done(Command::Expire);
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
            }),
        ],
    );
}

/// Of an agent who is heard of no more the customer is not left alone with nobody.
#[test]
fn an_agent_who_is_heard_of_no_more_ends_the_conversation() {
    let mut walk = Walk::talking();
    let (anna, until) = (walk.leg("anna"), walk.bench.now + Duration::from_secs(5));
    walk.lay_call("call", |call| call.leg_mut(anna).expect("it talks").unreachable = Some(until));
    assert_eq!(walk.bench.shard.next_lease(), Some(until));
    walk.bench.pass(5000);
    walk.done(Command::Expire);
    let ended = walk.call().ended().expect("it is over");
    assert_eq!((ended.by, ended.cause), (strowger_model::HangupBy::System, Cause::RECOVERY_ON_TIMER));
}

/// The rules by which agents are found widen once, and the longest wait is as long as ever.
fn strict() -> Walk {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let mut walk = Walk::of(bench, call);
    let (place, now) = (walk.bench.place(call), walk.bench.now);
    let relax = Some(Relax { no: 1, at: now + Duration::from_secs(10) });
    walk.lay(|shard, _| shard.put_place(Place { relax, ..place }));
    walk
}

#[test]
fn the_rules_of_a_place_widen_in_their_time() {
    walk(
        strict,
        &[
            ("nothing is due", |walk| {
                walk.done(Command::Expire);
                assert!(walk.bench.place(walk.calls["call"]).relax.is_some());
            }),
            ("the next step of its rules begins", |walk| {
                walk.bench.pass(10_000);
                let before = walk.bench.place(walk.calls["call"]);
                walk.done(Command::Expire);
                let place = walk.bench.place(walk.calls["call"]);
                assert_eq!(place, Place { relax: None, ..before }, "nothing else has changed");
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]]);
            }),
            ("the wait is over", |walk| {
                walk.bench.pass(MAX_WAIT_MS - 10_000);
                walk.done(Command::Expire);
                assert_eq!(walk.outcome(), Some(CallOutcome::Overflowed));
            }),
        ],
    );
}

#[test]
fn a_call_with_as_many_legs_as_it_may_have_is_offered_to_nobody() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let mut walk = Walk::of(bench, call);
    for _ in 1..limit::LEGS {
        walk.lay_leg("call", "party", LegRole::Party, over_trunk(), LegState::Up);
    }
    walk.look();
    let plan = |walk: &mut Walk| {
        let offers = vec![walk.bench.offer_of(call, ANNA)];
        walk.say(Command::Plan(crate::Plan { basis: 0, offers }))
    };
    assert_eq!(plan(&mut walk), Outcome::Planned { granted: 0 });
    assert_eq!((walk.bench.state(ANNA), walk.bench.line(SALES)), (Doing::Idle, vec![call]));
    assert_eq!(walk.call().offers(), 0, "nothing is told of an offer that was none");
    walk.leaves("party");
    assert_eq!(plan(&mut walk), Outcome::Planned { granted: 1 });
    walk.look();
}

/// A leg's number is never given twice: when there is none left, nobody more comes.
#[test]
fn a_call_that_has_given_all_its_numbers_is_offered_to_nobody() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let mut walk = Walk::of(bench, call);
    for (next, granted) in [(u16::MAX - 1, 1), (u16::MAX, 0)] {
        walk.lay_call("call", |call| call.next.leg.0 = next);
        let offers = vec![walk.bench.offer_of(call, if granted == 1 { ANNA } else { BERT })];
        assert_eq!(walk.say(Command::Plan(crate::Plan { basis: 0, offers })), Outcome::Planned { granted });
        if granted == 1 {
            let rung = walk.bench.ringing(call);
            walk.legs.insert("anna", rung);
            let missed = walk.bench.missed_command(rung, Cause::BUSY);
            walk.done(missed);
        }
    }
}

/// An agent at an outside number has ten seconds to say so.
#[test]
fn whoever_is_asked_for_a_key_has_its_time() {
    let mut bench = Bench::new();
    let (call, anna) = bench.offered(ANNA);
    let mut walk = Walk::of(bench, call);
    walk.legs.insert("anna", anna);
    walk.lay_call("call", |call| call.leg_mut(anna).expect("it rings").reach = over_trunk());
    walk.answers("anna");
    let until = walk.bench.now + Duration::from_secs(10);
    assert_eq!(walk.bench.shard.next_lease(), Some(until));
    assert_eq!(walk.bench.agent(ANNA).answered, 1);
    // Nothing of that is a conversation yet.
    let talks = walk.call().segments.iter().any(|piece| piece.kind == SegmentKind::Talk);
    assert!(!talks && walk.bench.kinds(call).is_empty());
    walk.bench.pass(9999);
    walk.done(Command::Expire);
    assert!(walk.call().leg(anna).is_some_and(|leg| leg.is_screening()));
    walk.bench.pass(1);
    walk.done(Command::Expire);
    assert!(walk.call().leg(anna).is_some_and(|leg| leg.is_releasing()));
    assert_eq!(walk.bench.agent(ANNA).misses, 1);
    assert_eq!(walk.bench.place(call).state, PlaceState::Waiting);
    let ring = walk.call().segments.iter().find(|piece| piece.kind == SegmentKind::Ring).cloned().expect("it rang");
    assert_eq!(ring.how, How::Served, "somebody answered");
}
