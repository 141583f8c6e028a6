//! An agent's slot and the phone of its last work: whoever is told to hang up is offered nothing before that is done.

use std::time::Duration;

use strowger_model::config::Tenant;
use strowger_model::{CallId, Cause, Ended, HangupBy, LegKey};
use strowger_table::{Command, DialTo, DutyKind, Outcome, Refusal, Shard, SlotState, ToldBy, limit};

use crate::bench::{Bench, Doing, dial, hang_up, not_ready};
use crate::sample::*;

const BY_OPERATOR: Ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };

/// Nothing comes after a conversation or a miss.
fn at_once() -> Tenant {
    let mut config = tenant();
    config.queues.iter_mut().for_each(|queue| (queue.wrap_up_ms, queue.miss_pause_ms, queue.max_misses) = (0, 0, 0));
    config
}

fn bench() -> Bench {
    let mut bench = Bench::bare();
    bench.configure(1, at_once());
    bench
}

fn left(bench: &Bench, leg: LegKey, told_by: ToldBy) -> Command {
    Command::Left { leg, cause: Cause::NORMAL, told_by, observed: bench.now }
}

/// One way in which a leg of Anna's ends, with her phone not told yet.
type Way = (&'static str, fn(&mut Bench) -> CallId);

const WAYS: &[Way] = &[
    ("the caller hangs up", |bench| {
        let call = bench.talking(ANNA);
        bench.end(call, CALLER_LEFT);
        call
    }),
    ("an operator ends the call", |bench| {
        let call = bench.talking(ANNA);
        bench.end(call, BY_OPERATOR);
        call
    }),
    ("her phone answers nothing any more", |bench| {
        let call = bench.talking(ANNA);
        let command = left(bench, bench.agent_leg(call), ToldBy::Silence);
        assert_eq!(bench.say(command), Outcome::Done);
        call
    }),
    ("nothing is heard of her", |bench| {
        let call = bench.talking(ANNA);
        let command = left(bench, bench.agent_leg(call), ToldBy::DeadMedia);
        assert_eq!(bench.say(command), Outcome::Done);
        call
    }),
    ("the longest conversation is over", |bench| {
        let call = bench.talking(ANNA);
        bench.done(call, DutyKind::Answer { leg: bench.customer(call) });
        bench.now = bench.call(call).until;
        bench.expire();
        call
    }),
    ("the caller hangs up while her phone rings", |bench| {
        let (call, _) = bench.offered(ANNA);
        bench.end(call, CALLER_LEFT);
        call
    }),
    ("her phone rings as long as it may", |bench| {
        let (call, leg) = bench.offered(ANNA);
        let missed = bench.missed_command(leg, Cause::NO_ANSWER);
        assert_eq!(bench.say(missed), Outcome::Done);
        call
    }),
    ("the leader ends the ringing", |bench| {
        let (call, _) = bench.offered(ANNA);
        bench.expire_next();
        call
    }),
    ("another phone was quicker", |bench| {
        let call = bench.waiting(SALES);
        let offers = [ANNA, BERT].map(|agent| strowger_table::Offer { ring_all: true, ..bench.offer_of(call, agent) });
        assert_eq!(bench.planned(offers.to_vec()), 0b11);
        let quicker = bench.call(call).leg_of(BERT).expect("rung").key;
        let connect = bench.connect_command(call, quicker);
        assert_eq!(bench.say(connect), Outcome::Done);
        call
    }),
    ("the number that she asked for was not reached", |bench| {
        let (call, leg) = bench.asked_for(BY_HAND, 1, ANNA);
        let connect = bench.connect_command(call, leg);
        assert_eq!(bench.say(connect), Outcome::Done);
        bench.not_reached(call, crate::bench::failure(strowger_model::DialResult::Busy, 486, Cause::BUSY));
        call
    }),
];

/// The one phone that is still to be told.
fn told(bench: &Bench, call: CallId) -> LegKey {
    let legs: Vec<_> = bench.hang_ups(call).into_iter().filter(|leg| of_anna(bench, call, *leg)).collect();
    let [leg] = legs[..] else { panic!("one phone is told: {:?}", bench.kinds(call)) };
    leg
}

fn of_anna(bench: &Bench, call: CallId, leg: LegKey) -> bool {
    bench.call(call).leg(leg).is_some_and(|leg| leg.agent() == Some(ANNA))
}

#[test]
fn a_slot_is_taken_until_its_phone_has_hung_up() {
    for (way, ends) in WAYS {
        let mut bench = bench();
        let call = ends(&mut bench);
        let leg = told(&bench, call);
        assert_eq!(bench.state(ANNA), Doing::Releasing, "{way}");
        assert!(!bench.idle(SALES).contains(&ANNA), "{way}");
        let next = bench.waiting(SALES);
        assert_eq!(bench.plan(&[(next, ANNA)]), 0, "{way}: her phone would answer that it is busy");
        let asks = dial(BY_HAND, DialTo::Number { number: number(7) }, ANNA);
        assert_eq!(bench.dial_refused(asks), Refusal::AgentBusy, "{way}");

        bench.done(call, hang_up(leg));
        assert_eq!(bench.state(ANNA), Doing::Idle, "{way}");
        assert_eq!(bench.plan(&[(next, ANNA)]), 1, "{way}");
    }
}

#[test]
fn a_phone_that_never_says_so_is_given_up_with_its_duty() {
    for (way, ends) in WAYS {
        let mut bench = bench();
        let call = ends(&mut bench);
        told(&bench, call);
        let until = bench.now + limit::HANG_UP_MAX;
        bench.now = until - Duration::from_millis(1);
        bench.expire();
        assert_eq!(bench.state(ANNA), Doing::Releasing, "{way}");
        bench.now = until;
        bench.expire();
        assert_eq!(bench.state(ANNA), Doing::Idle, "{way}");
    }
}

#[test]
fn an_heir_reports_in_the_place_of_who_died() {
    for (way, ends) in WAYS {
        let mut bench = bench();
        let call = ends(&mut bench);
        let leg = told(&bench, call);
        let heirs = vec![(TWO.node, TWO.incarnation)];
        bench.say_as(TWO, Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs });
        assert_eq!(bench.state(ANNA), Doing::Releasing, "{way}");
        let copy = Shard::restore(&bench.shard.snapshot()).expect("a snapshot");
        assert_eq!((copy.hash(), copy.check()), (bench.shard.hash(), Ok(())), "{way}");
        bench.done(call, hang_up(leg));
        assert_eq!(bench.state(ANNA), Doing::Idle, "{way}");
    }
}

/// Who hangs up itself, or refuses, has nothing left to be told.
#[test]
fn who_leaves_by_itself_is_free_at_once() {
    let mut bench = bench();
    let call = bench.talking(ANNA);
    bench.end(call, AGENT_LEFT);
    assert_eq!(bench.state(ANNA), Doing::Idle);
    let (_, leg) = bench.offered(ANNA);
    let refused = bench.missed_command(leg, Cause::BUSY);
    bench.say(refused);
    assert_eq!(bench.state(ANNA), Doing::Idle);
}

/// The conversation ends at the hang-up: so do the work, and what is counted from there.
#[test]
fn longest_idle_counts_from_the_hang_up() {
    let mut bench = bench();
    let call = bench.talking(ANNA);
    bench.pass(5000);
    let over = bench.now;
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    bench.pass(400);
    bench.done(call, hang_up(leg));
    assert_eq!((bench.idle_since(ANNA), bench.agent(ANNA).state_since()), (over, over));
    assert_eq!(bench.records(call)[0].talk_ms, Some(5000));

    // Rung for nothing: the place among those who are idle is kept.
    let (call, _) = bench.offered(ANNA);
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    bench.done(call, hang_up(leg));
    assert_eq!(bench.idle_since(ANNA), over);
}

/// Notes may be written while the phone is told; who is done sooner than the phone is not free yet.
#[test]
fn wrap_up_begins_at_the_hang_up_and_its_end_waits_for_the_phone() {
    for early in [true, false] {
        let mut bench = Bench::new();
        let call = bench.talking(ANNA);
        bench.end(call, CALLER_LEFT);
        let leg = told(&bench, call);
        let until = bench.now + Duration::from_millis(WRAP_UP_MS);
        assert_eq!(bench.state(ANNA), Doing::WrapUp { call, until });
        if early {
            assert_eq!(bench.say(Command::Dispose { agent: ANNA, call, code: "sold".into() }), Outcome::Done);
        } else {
            bench.now = until;
            bench.expire();
        }
        assert_eq!(bench.state(ANNA), Doing::Releasing, "early: {early}");
        assert_eq!(bench.records(call).len(), 2, "the notes are told all the same");
        bench.done(call, hang_up(leg));
        assert_eq!(bench.state(ANNA), Doing::Idle, "early: {early}");
    }
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    bench.done(call, hang_up(leg));
    assert!(matches!(bench.state(ANNA), Doing::WrapUp { .. }), "the phone is no reason to end it");
}

#[test]
fn a_pause_that_is_over_waits_for_the_phone() {
    let mut bench = Bench::new();
    let (call, rang) = bench.offered(ANNA);
    let missed = bench.missed_command(rang, Cause::NO_ANSWER);
    bench.say(missed);
    assert!(matches!(bench.state(ANNA), Doing::Paused { .. }));
    bench.pass(MISS_PAUSE_MS);
    bench.expire();
    assert_eq!(bench.state(ANNA), Doing::Releasing);
    // Neither does the agent's own word end it.
    assert_eq!(bench.ready(ANNA), Outcome::Done);
    assert_eq!(bench.state(ANNA), Doing::Releasing);
    bench.done(call, hang_up(rang));
    assert_eq!(bench.idle(SALES), [BERT, ANNA]);
}

/// It is no work: what the agent asked for is so at once.
#[test]
fn what_an_agent_is_ready_for_does_not_wait_for_the_phone() {
    let mut bench = bench();
    let call = bench.talking(ANNA);
    bench.not_ready(ANNA, "lunch");
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    assert_eq!(bench.agent(ANNA).state_name(), "not_ready");
    assert_eq!(bench.agent(ANNA).voice().expect("a slot").state, SlotState::Releasing);
    bench.done(call, hang_up(leg));
    assert_eq!(bench.state(ANNA), not_ready("lunch"));

    bench.ready(ANNA);
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    bench.not_ready(ANNA, "lunch");
    bench.pass(300);
    bench.ready(ANNA);
    let ready = bench.now;
    bench.pass(300);
    bench.done(call, hang_up(leg));
    assert_eq!((bench.state(ANNA), bench.idle_since(ANNA)), (Doing::Idle, ready), "counted from that word");
}

#[test]
fn an_agent_who_is_configured_anew_meanwhile_waits_as_well() {
    let mut bench = bench();
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    let leg = told(&bench, call);
    let mut without = at_once();
    without.agents.retain(|agent| agent.id != ANNA);
    bench.configure(2, without);
    assert!(bench.shard.agent(ANNA).is_none());
    bench.configure(3, at_once());
    assert_eq!(bench.state(ANNA), Doing::Releasing);
    bench.done(call, hang_up(leg));
    assert_eq!(bench.state(ANNA), Doing::Idle);
}

/// The leg that is told goes into the other row first.
#[test]
fn who_merged_two_calls_is_free_when_the_phone_has_hung_up() {
    let mut bench = bench();
    let first = bench.talking(ANNA);
    let second = bench.talking(BERT);
    let by = bench.agent_leg(first);
    assert_eq!(bench.say(Command::Merge { from: first, into: second, by, cseq: 7 }), Outcome::Done);
    assert_eq!(bench.state(ANNA), Doing::Releasing);
    assert_eq!(told(&bench, second), by, "the duty went with the leg");
    bench.done(second, hang_up(by));
    assert_eq!(bench.state(ANNA), Doing::Idle);
}
