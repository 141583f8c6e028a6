//! What a record tells of a call: who came from where, how each piece of it ended, how long it took.

use strowger_model::{Cause, Ended, HangupBy, LogTime, Outcome as CallOutcome, Wall};
use strowger_table::{Command, How, Offer, Outcome, Record, SegmentKind, Then, limit};

use crate::bench::{Bench, admit_with, enqueue};
use crate::sample::*;

const BY_US: Ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };

/// Kind, end and length in milliseconds of each piece.
fn story(record: &Record) -> Vec<(SegmentKind, How, u64)> {
    let piece = |piece: &strowger_table::Segment| (piece.kind, piece.how, piece.micros(LogTime::MAX) / 1000);
    record.segments.iter().map(piece).collect()
}

fn only(bench: &Bench, call: strowger_model::CallId) -> Record {
    let [record] = &bench.records(call)[..] else { panic!("one record") };
    record.clone()
}

#[test]
fn a_record_says_who_called_whom_over_which_trunk() {
    let mut bench = Bench::new();
    let wall = bench.wall();
    let began = bench.now;
    let call = bench.flowing();
    bench.pass(4000);
    bench.end(call, CALLER_LEFT);
    let record = only(&bench, call);
    assert_eq!((record.call, record.tenant, record.trunk), (call, ACME, Some(TRUNK)));
    assert_eq!((&record.from[..], &record.to[..]), ("+49301", "+49800100"));
    assert_eq!((record.sip_call_id, record.agent_sip_call_id), (format!("caller-{call}"), None));
    assert_eq!((record.admitted, record.began, record.total_ms), (wall, began, 4000));
    assert_eq!((record.outcome, record.ended), (CallOutcome::ServedByFlow, CALLER_LEFT));
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms, record.wrap_ms), (None, None, None, None));
    assert_eq!((record.queue, record.agent, record.offers, record.dial, record.into), (None, None, 0, None, None));
}

#[test]
fn a_call_is_counted_from_when_its_invite_was_seen_and_never_from_the_future() {
    let mut bench = Bench::new();
    bench.pass(10_000);
    let seen = LogTime(bench.now.0 - 3_000_000);
    let admit = |bench: &mut Bench, no, observed| match bench.say(admit_with(no, observed)) {
        Outcome::Admitted { call, .. } => call,
        other => panic!("not admitted: {other:?}"),
    };
    let call = admit(&mut bench, 71, seen);
    let lease = bench.shard.next_lease();
    assert_eq!(lease, Some(seen + limit::ADMITTED_MAX));
    bench.pass(1000);
    bench.end(call, CALLER_LEFT);
    let record = only(&bench, call);
    assert_eq!((record.began, record.total_ms, record.admitted), (seen, 4000, Wall(bench.wall().0 - 1000)));

    let ahead = bench.now + limit::TALK_MAX;
    let call = admit(&mut bench, 72, ahead);
    assert_eq!(bench.call(call).times.admitted, bench.now);
}

#[test]
fn a_wait_ends_as_its_caller_saw_it() {
    let mut bench = Bench::new();
    let waits = |bench: &mut Bench, then| {
        let call = bench.flowing();
        bench.pass(1000);
        assert_eq!(bench.say(enqueue(call, SALES, then)), Outcome::Done);
        bench.pass(2000);
        call
    };
    let flow = (SegmentKind::Flow, How::WentOn, 1000);

    let call = waits(&mut bench, Then::End);
    bench.end(call, CALLER_LEFT);
    let record = only(&bench, call);
    assert_eq!(story(&record), [flow, (SegmentKind::Wait, How::Abandoned, 2000)]);
    assert_eq!((record.outcome, record.wait_ms), (CallOutcome::Abandoned, Some(2000)));

    let call = waits(&mut bench, Then::End);
    bench.end(call, BY_US);
    let record = only(&bench, call);
    assert_eq!(story(&record), [flow, (SegmentKind::Wait, How::Failed, 2000)]);
    assert_eq!((record.outcome, record.ended), (CallOutcome::Failed, BY_US));

    let call = waits(&mut bench, Then::End);
    bench.pass(MAX_WAIT_MS - 2000);
    bench.expire();
    assert_eq!(story(&only(&bench, call)), [flow, (SegmentKind::Wait, How::Timeout, MAX_WAIT_MS)]);

    let call = waits(&mut bench, Then::Step(2));
    bench.pass(MAX_WAIT_MS - 2000);
    bench.expire();
    bench.pass(500);
    bench.end(call, BY_US);
    let record = only(&bench, call);
    let wait = (SegmentKind::Wait, How::Timeout, MAX_WAIT_MS);
    assert_eq!(story(&record), [flow, wait, (SegmentKind::Flow, How::Over, 500)]);
    assert_eq!(record.outcome, CallOutcome::Overflowed);

    // Turned away: the flow was never left.
    for _ in 0..MAX_WAITING {
        bench.waiting(SALES);
    }
    let call = waits(&mut bench, Then::Step(2));
    bench.end(call, CALLER_LEFT);
    let record = only(&bench, call);
    let turned_away = (SegmentKind::Wait, How::Full, 0);
    assert_eq!(story(&record), [(SegmentKind::Flow, How::Over, 3000), turned_away]);
    assert_eq!((record.queue, record.wait_ms), (Some(SALES), None));
}

#[test]
fn a_ring_ends_as_its_phone_saw_it() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let leg = bench.offer(call, ANNA);
    bench.pass(1000);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    bench.pass(100);

    // Two phones at once; one is answered.
    let offers = [BERT, CARL].map(|agent| Offer { ring_all: true, ..bench.offer_of(call, agent) });
    let binding = phone(50, bench.now + limit::TALK_MAX);
    bench.say(Command::Bind { agent: CARL, binding });
    assert_eq!(bench.planned(offers.to_vec()), 0b11);
    bench.pass(2000);
    let bert = bench.call(call).leg_of(BERT).expect("it rings").key;
    let connect = bench.connect_command(call, bert);
    assert_eq!(bench.say(connect), Outcome::Done);
    bench.pass(60_000);
    bench.end(call, AGENT_LEFT);
    let record = only(&bench, call);
    let missed = How::Missed { status: 486, cause: Cause::BUSY };
    let rings: Vec<_> = record.segments.iter().filter(|piece| piece.kind == SegmentKind::Ring).collect();
    let told: Vec<_> = rings.iter().map(|ring| (ring.agent, ring.queue, ring.how)).collect();
    let of = |agent, how| (Some(agent), Some(SALES), how);
    assert_eq!(told, [of(ANNA, missed), of(BERT, How::Served), of(CARL, How::Withdrawn)]);
    assert_eq!((record.offers, record.agent), (3, Some(BERT)));
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms), (Some(3100), Some(2000), Some(60_000)));
    let talk = record.segments.iter().find(|piece| piece.kind == SegmentKind::Talk).expect("they talked");
    assert_eq!((talk.agent, talk.leg, talk.queue, talk.how), (Some(BERT), Some(bert), Some(SALES), How::Over));
    let wait = record.segments.iter().find(|piece| piece.kind == SegmentKind::Wait).expect("it waited");
    assert_eq!((wait.how, wait.queue), (How::Served, Some(SALES)));

    // The caller leaves while a phone rings.
    bench.expire();
    let (call, _) = bench.offered(ANNA);
    bench.pass(700);
    bench.end(call, CALLER_LEFT);
    let ring = story(&only(&bench, call)).into_iter().find(|(kind, ..)| *kind == SegmentKind::Ring);
    assert_eq!(ring, Some((SegmentKind::Ring, How::Withdrawn, 700)));
}

/// What a phone or a caller did is told as of when it was seen, not of when the log had it.
#[test]
fn what_was_seen_a_moment_ago_is_told_as_of_then() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    bench.pass(3000);
    let connect = bench.connect_command(call, leg);
    bench.pass(400);
    bench.say(connect);
    bench.pass(10_000);
    let left = bench.end_command(call, CALLER_LEFT);
    bench.pass(500);
    bench.say(left);
    let record = only(&bench, call);
    assert_eq!((record.wait_ms, record.ring_ms), (Some(3000), Some(3000)));
    assert_eq!((record.talk_ms, record.total_ms), (Some(10_400), 13_400));

    bench.hung_up(call);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    let (_, leg) = bench.offered(BERT);
    bench.pass(1000);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.pass(MISS_PAUSE_MS);
    bench.say(missed);
    bench.expire();
    assert_eq!(bench.idle(SALES), [ANNA, BERT], "the pause is over");
}

/// The number of a record is where a voter goes on with its reading.
#[test]
fn records_are_read_on_from_the_last_one_known() {
    let mut bench = Bench::new();
    let calls: Vec<_> = (0..3).map(|_| bench.admitted()).collect();
    calls.iter().for_each(|call| bench.end(*call, CALLER_LEFT));
    let after = |no| bench.shard.records(no).map(|(no, record)| (no, record.call)).collect::<Vec<_>>();
    assert_eq!(after(0), [(1, calls[0]), (2, calls[1]), (3, calls[2])]);
    assert_eq!(after(2), [(3, calls[2])]);
    assert_eq!(after(3), []);
    assert_eq!(bench.shard.first_record(), Some(1));
}
