//! A carrier that fails: no lead is burnt, and the campaign leaves it alone for a while.

use strowger_model::{CallId, Cause, DialResult, LeadId, Wall};
use strowger_table::{Dial, DialTo, LeadTurn, Refusal, limit};

use crate::bench::{Bench, dial, failure};
use crate::sample::*;

fn lead(place: u32) -> Dial {
    dial(SPRING, DialTo::Lead(LeadId::new(SPRING, place)), ANNA)
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..40);
    bench
}

fn fails(bench: &mut Bench, call: CallId) {
    bench.not_reached(call, failure(DialResult::CarrierFailed, 503, Cause::TEMPORARY_FAILURE));
}

/// As many calls as it takes, one after another.
fn broken() -> Bench {
    let mut bench = bench();
    for place in 0..u32::from(limit::CARRIER_FAILURES) {
        let call = bench.dialling(place, ANNA);
        fails(&mut bench, call);
    }
    bench
}

fn pause_ms(bench: &Bench) -> Option<u64> {
    bench.ledger(SPRING).carrier.pause.map(|pause| pause.until.0 - bench.wall().0)
}

#[test]
fn what_a_carrier_took_to_nobody_is_no_attempt() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    assert_eq!(bench.lead(SPRING, 0).attempts, 1);
    fails(&mut bench, call);
    let (lead, at) = (bench.lead(SPRING, 0), Wall(bench.wall().0 + limit::CARRIER_RETRY.as_millis() as u64));
    assert_eq!((lead.attempts, lead.turned_away, bench.turn(SPRING, 0)), (0, 1, LeadTurn::Due { at }));
    assert_eq!(
        bench.records(call)[0].dial.map(|dial| (dial.result, dial.status)),
        Some((DialResult::CarrierFailed, 503))
    );
    assert_eq!((bench.ledger(SPRING).count(DialResult::CarrierFailed), bench.ledger(SPRING).dialled), (1, 1));
}

/// There are numbers that a carrier answers with 503 for ever: they must not be dialled for ever.
#[test]
fn a_lead_that_alone_is_turned_away_has_been_tried_in_the_end() {
    let mut bench = bench();
    for time in 1..=u32::from(limit::CARRIER_TRIES) {
        let call = bench.dialling(0, ANNA);
        fails(&mut bench, call);
        let other = bench.dialling(time, ANNA);
        bench.not_reached(other, failure(DialResult::Busy, 486, Cause::BUSY));
        let lead = bench.lead(SPRING, 0);
        let is_last = time == u32::from(limit::CARRIER_TRIES);
        assert_eq!((lead.attempts, lead.turned_away), (u8::from(is_last), if is_last { 0 } else { time as u8 }));
        bench.pass(limit::CARRIER_RETRY.as_millis() as u64);
    }
    let call = bench.dialling(0, ANNA);
    fails(&mut bench, call);
    bench.pass(limit::CARRIER_RETRY.as_millis() as u64);
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    assert_eq!((bench.lead(SPRING, 0).attempts, bench.lead(SPRING, 0).turned_away), (2, 0), "in a row");
}

#[test]
fn a_carrier_that_fails_is_left_alone_and_one_call_tells_whether_it_is_back() {
    let mut bench = broken();
    assert_eq!(pause_ms(&bench), Some(limit::CARRIER_PAUSE.as_millis() as u64));
    assert_eq!(bench.dial_refused(lead(20)), Refusal::NotNow);
    bench.pass(limit::CARRIER_PAUSE.as_millis() as u64 - 1);
    assert_eq!(bench.dial_refused(lead(20)), Refusal::NotNow);
    bench.pass(1);
    let since = bench.ledger(SPRING).carrier.pause.unwrap().since;
    let probe = bench.dialling(20, ANNA);
    let other = dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 21)), BERT);
    assert_eq!(bench.dial_refused(other.clone()), Refusal::NotNow, "one at a time");
    fails(&mut bench, probe);
    let mut pause = limit::CARRIER_PAUSE;
    for place in 22..32 {
        pause = (pause * 2).min(limit::CARRIER_PAUSE_MOST);
        assert_eq!(pause_ms(&bench), Some(pause.as_millis() as u64));
        bench.pass(pause.as_millis() as u64);
        let probe = bench.dialling(place, ANNA);
        fails(&mut bench, probe);
    }
    assert_eq!(bench.ledger(SPRING).carrier.pause.unwrap().since, since, "it says since when");
    assert!((0..40).all(|place| bench.lead(SPRING, place).attempts == 0), "an outage burns nobody");

    bench.pass(limit::CARRIER_PAUSE_MOST.as_millis() as u64);
    let probe = bench.dialling(33, ANNA);
    bench.not_reached(probe, failure(DialResult::Busy, 486, Cause::BUSY));
    assert_eq!(bench.ledger(SPRING).carrier, Default::default(), "who is busy was reached");
    bench.dialling(34, ANNA);
    assert!(matches!(bench.dial(other), strowger_table::Outcome::Dialled { .. }));
}

#[test]
fn an_answer_tells_at_once_that_the_carrier_is_back() {
    let mut bench = broken();
    bench.pass(limit::CARRIER_PAUSE.as_millis() as u64);
    let probe = bench.dialling(20, ANNA);
    let reached = bench.reached_command(probe);
    bench.say(reached);
    assert_eq!(bench.ledger(SPRING).carrier, Default::default());
}

/// What was out when the carrier broke says no more than that.
#[test]
fn calls_from_before_a_pause_make_it_no_longer() {
    let mut bench = bench();
    let early = bench.dialling(30, BERT);
    for place in 0..u32::from(limit::CARRIER_FAILURES) {
        let call = bench.dialling(place, ANNA);
        fails(&mut bench, call);
    }
    let pause = bench.ledger(SPRING).carrier.pause;
    bench.pass(1000);
    fails(&mut bench, early);
    assert_eq!(bench.ledger(SPRING).carrier.pause, pause);
}

/// A call that never left us says nothing of the carrier: another one is made at once.
#[test]
fn a_probe_that_was_not_sent_is_followed_by_another() {
    let mut bench = broken();
    bench.pass(limit::CARRIER_PAUSE.as_millis() as u64);
    let probe = bench.dialling(20, ANNA);
    bench.not_reached(probe, failure(DialResult::NotDialled, 0, Cause::NO_CIRCUIT));
    assert!(bench.ledger(SPRING).carrier.pause.is_some());
    bench.dialling(21, ANNA);
}

/// One number that gets through between them: they are the numbers' own.
#[test]
fn failures_that_are_not_in_a_row_pause_nobody() {
    let mut bench = bench();
    for place in 0..u32::from(limit::CARRIER_FAILURES) * 2 {
        let call = bench.dialling(place, ANNA);
        match place % 4 {
            3 => bench.not_reached(call, failure(DialResult::NoAnswer, 480, Cause::NO_ANSWER)),
            _ => fails(&mut bench, call),
        }
    }
    assert_eq!(bench.ledger(SPRING).carrier.pause, None);
}

/// An agent who asks for a number is not refused: that person waits for it.
#[test]
fn an_agents_own_call_goes_out_in_a_pause() {
    let mut bench = broken();
    let (call, leg) = bench.asked_for(SPRING, 99, BERT);
    assert_eq!(bench.ringing(call), leg);
}
