//! How the story of a call is pieced together when it goes through several queues, phones and hands, and when clocks lag.

use std::time::Duration;

use strowger_model::{Cause, DialResult, LogTime, Outcome as CallOutcome};
use strowger_table::{
    Command, How, LegState, Outcome, PlaceState, Refusal, Released, Segment, SegmentKind, Stage, Then, limit,
};

use crate::bench::{Bench, Doing, enqueue, failure, step};
use crate::sample::*;

fn pieces(bench: &Bench, call: strowger_model::CallId, kind: SegmentKind) -> Vec<Segment> {
    bench.call(call).segments.iter().filter(|piece| piece.kind == kind).cloned().collect()
}

/// What interfaces and records have, one word each.
#[test]
fn pieces_and_their_ends_have_their_words() {
    use SegmentKind::{Aside, Flow, Hold, Ring, Talk, Virtual, Wait, Wrap};
    let kinds = [Flow, Wait, Virtual, Ring, Talk, Hold, Aside, Wrap].map(SegmentKind::as_str);
    assert_eq!(kinds, ["flow", "wait", "virtual", "ring", "talk", "hold", "aside", "wrap"]);
    let missed = How::Missed { status: 486, cause: Cause::BUSY };
    let open =
        [How::Open, How::WentOn, How::Served, How::Abandoned, How::Timeout, How::Full, How::Closed].map(How::as_str);
    assert_eq!(open, ["open", "went_on", "served", "abandoned", "timeout", "full", "closed"]);
    let others = [missed, How::Withdrawn, How::Transferred, How::Merged, How::Over, How::Failed].map(How::as_str);
    assert_eq!(others, ["missed", "withdrawn", "transferred", "merged", "over", "failed"]);
}

/// The queue that a call was in last is the one of its record, and so is the wait.
#[test]
fn of_two_queues_the_last_one_counts() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    bench.say(enqueue(call, SALES, Then::Step(0)));
    bench.pass(MAX_WAIT_MS);
    bench.expire();
    bench.pass(1000);
    bench.say(enqueue(call, SUPPORT, Then::End));
    let entered = bench.now;
    let row = bench.call(call);
    assert_eq!((row.queue(), row.enqueued()), (Some(SUPPORT), Some(entered)));
    assert_eq!(bench.shard.queue(&row).map(|queue| queue.id), Some(SUPPORT));
    assert_eq!((bench.line(SALES), bench.line(SUPPORT)), (vec![], vec![call]));
    bench.pass(2500);
    bench.end(call, CALLER_LEFT);
    let record = bench.records(call).remove(0);
    assert_eq!((record.queue, record.wait_ms, record.outcome), (Some(SUPPORT), Some(2500), CallOutcome::Abandoned));
    assert_eq!(record.total_ms, MAX_WAIT_MS + 3500);
    let ends: Vec<How> = record.segments.iter().map(|piece| piece.how).collect();
    assert_eq!(ends, [How::WentOn, How::Timeout, How::WentOn, How::Abandoned]);
    assert_eq!(record.segments.iter().map(|piece| piece.no).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

/// Whoever is turned away by the second queue waited in the first: that wait is told.
#[test]
fn a_queue_that_turns_a_call_away_is_its_last_queue_and_no_wait() {
    let mut bench = Bench::new();
    for _ in 0..MAX_WAITING {
        bench.waiting(SUPPORT);
    }
    let call = bench.flowing();
    bench.say(enqueue(call, SALES, Then::Step(0)));
    bench.pass(MAX_WAIT_MS - 1);
    let until = bench.call(call).until;
    assert_eq!(until, LogTime::MAX, "its place has the deadline");
    for waits in bench.line(SUPPORT) {
        bench.end(waits, CALLER_LEFT);
        bench.waiting(SUPPORT);
    }
    bench.pass(1);
    bench.expire();
    assert_eq!(bench.call(call).until, bench.now + limit::FLOW_MAX);
    assert_eq!(bench.say(enqueue(call, SUPPORT, Then::End)), Outcome::Done);
    let record = bench.records(call).remove(0);
    assert_eq!((record.queue, record.wait_ms), (Some(SUPPORT), Some(MAX_WAIT_MS)));
    assert_eq!(record.outcome, CallOutcome::Overflowed);
    let turned_away = record.segments.last().expect("the last piece");
    assert_eq!((turned_away.how, turned_away.from, turned_away.to), (How::Full, bench.now, Some(bench.now)));
}

/// Whom a phone rings for is not in line: there is room for another.
#[test]
fn a_queue_is_as_long_as_there_are_calls_that_nobody_is_asked_for() {
    let mut bench = Bench::new();
    let calls: Vec<_> = (0..MAX_WAITING).map(|_| bench.waiting(SALES)).collect();
    let leg = bench.offer(calls[0], ANNA);
    let more = bench.waiting(SALES);
    assert_eq!(bench.line(SALES), [calls[1], calls[2], more]);
    // It comes back all the same, at its place.
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.line(SALES), [calls[0], calls[1], calls[2], more]);
}

/// A wait that runs out while a phone rings is over when that phone is missed, not before.
#[test]
fn who_is_offered_has_no_longest_wait_until_the_phone_is_missed() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.pass(MAX_WAIT_MS - 1000);
    let leg = bench.offer(call, ANNA);
    bench.pass(2000);
    bench.expire();
    assert_eq!(bench.place(call).state, PlaceState::Offered);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.shard.next_lease().map(|due| due <= bench.now), Some(true));
    bench.expire();
    assert_eq!(bench.outcome(call), CallOutcome::Overflowed);
    assert_eq!(bench.records(call)[0].wait_ms, Some(MAX_WAIT_MS + 1000));
}

/// An owner's clock may be behind what the log has told already.
#[test]
fn a_ring_that_is_said_to_end_before_it_began_took_no_time() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let early = bench.now;
    bench.pass(5000);
    let leg = bench.offer(call, ANNA);
    let began = bench.now;
    let miss = strowger_table::Miss { status: 486, cause: Cause::BUSY, hang_up: false };
    assert_eq!(bench.say(Command::Missed { leg, miss, observed: early }), Outcome::Done);
    let [ring] = &pieces(&bench, call, SegmentKind::Ring)[..] else { panic!("one ring") };
    assert_eq!((ring.from, ring.to), (began, Some(began)));
    // And one that is ahead of the log is no later than its entry.
    let leg = bench.offer(call, BERT);
    bench.pass(1000);
    let ahead = bench.now + Duration::from_secs(60);
    assert_eq!(bench.say(Command::Missed { leg, miss, observed: ahead }), Outcome::Done);
    assert_eq!(pieces(&bench, call, SegmentKind::Ring)[1].to, Some(bench.now));
    assert_eq!(bench.state(BERT), Doing::Paused { until: bench.now + Duration::from_millis(MISS_PAUSE_MS) });
}

#[test]
fn who_leaves_is_told_no_later_than_the_entry_and_no_earlier_than_the_story() {
    for (observed, ends) in [(0, 3000), (2000, 2000), (90_000, 3000)] {
        let mut bench = Bench::new();
        let began = bench.now;
        let call = bench.flowing();
        bench.pass(3000);
        let at = began + Duration::from_millis(observed);
        if observed == 0 {
            // The story has gone on by then.
            bench.say(enqueue(call, SALES, Then::End));
        }
        let left = Command::Left {
            leg: bench.customer(call),
            cause: Cause::NORMAL,
            told_by: strowger_table::ToldBy::FarEnd,
            observed: at,
        };
        assert_eq!(bench.say(left), Outcome::Done);
        assert_eq!(bench.records(call)[0].total_ms, ends, "observed after {observed} ms");
        assert_eq!(bench.call(call).times.ended, Some(began + Duration::from_millis(ends)));
    }
}

/// The clock that abandonment is judged by starts at the answer, not at its entry.
#[test]
fn a_called_party_waits_from_its_answer_on() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    bench.pass(4000);
    let reached = bench.reached_command(call);
    let answered = bench.now;
    bench.pass(300);
    assert_eq!(bench.say(reached), Outcome::Done);
    let place = bench.place(call);
    assert_eq!((place.since, place.until), (answered, answered + Duration::from_millis(MAX_WAIT_MS)));
    assert_eq!((place.queue, place.then, place.state), (SALES, Then::End, PlaceState::Offered));
    let [wait] = &pieces(&bench, call, SegmentKind::Wait)[..] else { panic!("one wait") };
    assert_eq!((wait.from, wait.queue), (answered, Some(SALES)));
    let [ring] = &pieces(&bench, call, SegmentKind::Ring)[..] else { panic!("one ring") };
    assert_eq!((ring.from, ring.agent), (bench.now, Some(ANNA)));
    bench.pass(700);
    let left = bench.end_command(call, CALLER_LEFT);
    bench.say(left);
    assert_eq!(bench.records(call)[0].wait_ms, Some(1000));
}

#[test]
fn who_asked_for_a_number_talks_from_its_answer_on() {
    let mut bench = Bench::new();
    let (call, leg) = bench.asked_for(BY_HAND, 7, ANNA);
    bench.pass(2000);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.pass(5000);
    let reached = bench.reached_command(call);
    let answered = bench.now;
    bench.pass(300);
    bench.say(reached);
    let [talk] = &pieces(&bench, call, SegmentKind::Talk)[..] else { panic!("one talk") };
    assert_eq!((talk.from, talk.agent, talk.leg), (answered, Some(ANNA), Some(leg)));
    let [wait] = &pieces(&bench, call, SegmentKind::Wait)[..] else { panic!("one wait") };
    assert_eq!((wait.from, wait.to, wait.how), (answered, Some(answered), How::Served));
    assert_eq!(bench.call(call).until, answered + limit::TALK_MAX);
}

#[test]
fn a_call_that_is_given_up_in_time_says_that_nobody_knows() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    let dialled = bench.now;
    bench.expire_next();
    let record = bench.records(call).remove(0);
    let by_us = strowger_model::Ended { by: strowger_model::HangupBy::System, cause: Cause::RECOVERY_ON_TIMER };
    assert_eq!((record.ended, record.dial.map(|dial| dial.status)), (by_us, Some(0)));
    assert_eq!((bench.now, record.total_ms), (dialled + limit::DIAL_WITHIN, limit::DIAL_WITHIN.as_millis() as u64));
    assert_eq!(bench.lead(SPRING, 0).last.map(|last| (last.cause, last.at)), Some((by_us.cause, bench.wall())));
}

#[test]
fn what_a_lead_was_told_is_kept_with_its_call() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    bench.pass(8000);
    bench.not_reached(call, failure(DialResult::Rejected, 603, Cause::REJECTED));
    let last = bench.lead(SPRING, 0).last.expect("it was tried");
    assert_eq!((last.call, last.at, last.result), (call, bench.wall(), DialResult::Rejected));
    assert_eq!((last.status, last.cause), (603, Cause::REJECTED));
}

#[test]
fn who_never_came_is_answered_by_nobody() {
    let mut bench = Bench::new();
    let early = bench.admitted();
    bench.end(early, CALLER_LEFT);
    assert!(!bench.call(early).is_answered(), "it hung up before the 200");
    let call = bench.flowing();
    bench.end(call, CALLER_LEFT);
    assert!(bench.call(call).is_answered() && bench.call(call).has_customer());
}

/// Late repeats find the dialog of who talked or called; of descriptions nobody needs any more nothing is kept.
#[test]
fn what_is_left_of_a_dialog_is_what_repeats_and_the_record_need() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let (customer, agent) = (bench.customer(call), bench.agent_leg(call));
    let whole = bench.shard.dialog(customer).cloned().expect("it talks");
    assert!(!whole.local_sdp.is_empty() && !whole.remote_sdp.is_empty());
    bench.end(call, CALLER_LEFT);
    let left = bench.shard.dialog(customer).cloned().expect("kept");
    assert_eq!((&left.local_sdp[..], &left.remote_sdp[..], left.pending.clone()), ("", "", None));
    assert_eq!((&left.call_id, &left.remote_tag, left.remote_cseq), (&whole.call_id, &whole.remote_tag, 1));
    // The agent's is needed whole until its phone was told.
    assert!(bench.shard.dialog(agent).is_some_and(|dialog| !dialog.local_sdp.is_empty()));
    let state = bench.call(call).leg(agent).map(|leg| leg.state);
    assert_eq!(
        state,
        Some(LegState::Releasing { until: bench.now + limit::HANG_UP_MAX, why: Released::Over(Cause::NORMAL) })
    );
    bench.hung_up(call);
    assert!(bench.shard.dialog(agent).is_some_and(|dialog| dialog.local_sdp.is_empty()));
    let state = bench.call(call).leg(customer).map(|leg| leg.state);
    assert!(matches!(state, Some(LegState::Releasing { why: Released::ByFarEnd, .. })));
    // A phone that only rang is forgotten with its dialog.
    let (call, leg) = bench.offered(BERT);
    let missed = bench.missed_command(leg, Cause::NO_ANSWER);
    bench.say(missed);
    let state = bench.call(call).leg(leg).map(|leg| leg.state);
    assert!(matches!(state, Some(LegState::Releasing { why: Released::Unanswered, .. })));
    bench.hung_up(call);
    assert!(bench.call(call).leg(leg).is_none() && bench.shard.dialog(leg).is_none());
}

/// The row is kept for so long after the work that came after it, to the millisecond.
#[test]
fn an_ended_row_lingers_from_the_end_of_its_wrap_up_on() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    bench.pass(7000);
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    let goes = bench.now + Duration::from_millis(WRAP_UP_MS) + limit::ENDED_LINGER;
    assert_eq!(bench.call(call).until, goes);
    for (now, there) in [(goes - Duration::from_millis(1), true), (goes, false)] {
        bench.now = now;
        bench.expire();
        assert_eq!(bench.shard.call(call).is_some(), there);
    }
    assert!(bench.shard.dialog(crate::bench::first_leg(call)).is_none(), "nothing is left beside it");
}

/// A flow that comes to its end by a clock of ours after the queue has overflowed.
#[test]
fn a_flow_has_its_own_time_again_after_each_wait() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    bench.pass(60_000);
    bench.say(step(call, 1));
    assert_eq!(bench.shard.next_lease(), Some(bench.call(call).times.admitted + limit::FLOW_MAX));
    bench.say(enqueue(call, SALES, Then::Step(2)));
    bench.expire_next();
    assert_eq!((bench.call(call).stage, bench.call(call).until), (Stage::Flow, bench.now + limit::FLOW_MAX));
    assert!(bench.call(call).place.is_none() && bench.shard.place_of(call).is_none());
    assert_eq!(bench.shard.busy().places, 0);
    assert_eq!(bench.refused(crate::bench::answer(call)), Refusal::WrongStage);
}
