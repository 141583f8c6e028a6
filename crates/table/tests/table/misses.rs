//! Offers that were not taken.

use std::time::Duration;

use strowger_model::Cause;
use strowger_table::{Command, DutyKind, Miss, Outcome, Refusal};

use crate::bench::{Bench, Doing, hang_up, not_ready};
use crate::sample::*;

#[test]
fn an_agent_who_missed_is_left_alone_and_then_stands_last_in_line() {
    let mut bench = Bench::new();
    bench.pass(1000);
    let (call, leg) = bench.offered(ANNA);
    let missed = bench.missed_command(leg, Cause::BUSY);
    // A fact: taken from a node that does not own the call.
    assert_eq!(bench.say_as(TWO, missed.clone()), Outcome::Done);
    let until = bench.now + Duration::from_millis(MISS_PAUSE_MS);
    assert_eq!(bench.state(ANNA), Doing::Paused { until });
    assert_eq!(bench.plan(&[(call, ANNA)]), 0, "a paused agent gets no offer");
    assert_eq!(bench.refused(missed), Refusal::NoSuchLeg, "an offer is missed once");
    assert_eq!(bench.agent(ANNA).misses, 1);

    bench.pass(MISS_PAUSE_MS);
    bench.expire();
    assert_eq!(bench.idle(SALES), [BERT, ANNA]);
}

#[test]
fn too_many_misses_in_a_row_set_the_agent_not_ready() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    for _ in 0..MAX_MISSES {
        bench.pass(MISS_PAUSE_MS);
        bench.expire();
        let leg = bench.offer(call, ANNA);
        let missed = bench.missed_command(leg, Cause::BUSY);
        bench.say(missed);
    }
    assert_eq!(bench.state(ANNA), not_ready("missed calls"));
    assert_eq!(bench.idle(SALES), [BERT]);

    // Back at the agent's own word, with a clean slate.
    assert_eq!(bench.ready(ANNA), Outcome::Done);
    assert_eq!((bench.state(ANNA), bench.agent(ANNA).misses), (Doing::Idle, 0));
}

/// A relay without a port rings no phone: nobody is sent away from work for it.
#[test]
fn a_phone_that_was_never_rung_misses_nothing() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    for _ in 0..2 * MAX_MISSES {
        let leg = bench.offer(call, ANNA);
        let miss = Miss { status: 503, cause: Cause::NO_CIRCUIT, hang_up: true };
        let observed = bench.now;
        bench.say(Command::Missed { leg, miss, observed });
        let until = bench.now + Duration::from_millis(MISS_PAUSE_MS);
        assert_eq!(bench.state(ANNA), Doing::Paused { until }, "the port may be there in a moment");
        assert_eq!(bench.agent(ANNA).misses, 0);
        bench.done(call, hang_up(leg));
        bench.pass(MISS_PAUSE_MS);
        bench.expire();
    }
    // What the phone says of its own network is a miss.
    let leg = bench.offer(call, ANNA);
    let missed = bench.missed_command(leg, Cause::NO_CIRCUIT);
    bench.say(missed);
    assert_eq!(bench.agent(ANNA).misses, 1);
}

#[test]
fn an_answered_call_forgives_the_misses_before_it() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    bench.pass(MISS_PAUSE_MS);
    bench.expire();
    let leg = bench.offer(call, ANNA);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    assert_eq!(bench.agent(ANNA).misses, 0);
}

#[test]
fn a_phone_that_only_rang_must_be_told_to_stop_and_one_that_refused_need_not() {
    let mut bench = Bench::new();
    let (call, refused) = bench.offered(ANNA);
    let missed = bench.missed_command(refused, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.kinds(call), [DutyKind::Close { relay: RELAY, leg: refused }]);
    assert!(bench.call(call).leg(refused).is_none());
    bench.done(call, DutyKind::Close { relay: RELAY, leg: refused });

    let rang = bench.offer(call, BERT);
    let missed = bench.missed_command(rang, Cause::NO_ANSWER);
    bench.say(missed);
    assert_eq!(bench.kinds(call), [hang_up(rang), DutyKind::Close { relay: RELAY, leg: rang }]);
    assert_eq!(bench.call(call).releasing().map(|leg| leg.key).collect::<Vec<_>>(), [rang]);
    bench.done(call, hang_up(rang));
    assert!(bench.call(call).leg(rang).is_none());
}

#[test]
fn not_ready_asked_for_while_ringing_takes_effect_after_the_miss() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    bench.not_ready(ANNA, "lunch");
    assert_eq!(bench.state(ANNA), Doing::Offered { call, leg });
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.state(ANNA), not_ready("lunch"));
}

#[test]
fn without_a_pause_the_agent_is_free_at_once_and_without_a_limit_for_ever() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.queues[0].miss_pause_ms = 0;
    config.queues[0].max_misses = 0;
    bench.configure(1, config);
    let call = bench.waiting(SALES);
    for round in 1..=20 {
        let leg = bench.offer(call, ANNA);
        let missed = bench.missed_command(leg, Cause::BUSY);
        bench.say(missed);
        assert_eq!((bench.state(ANNA), bench.agent(ANNA).misses), (Doing::Idle, round));
    }
}
