//! After a call: time for notes, and the second writing of the record.

use std::time::Duration;

use strowger_table::{Command, Outcome, Refusal, SegmentKind, limit};

use crate::bench::{Bench, Doing, not_ready};
use crate::sample::*;

fn wrapping(bench: &mut Bench) -> strowger_model::CallId {
    let call = bench.talking(ANNA);
    bench.pass(10_000);
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    let until = bench.now + Duration::from_millis(WRAP_UP_MS);
    assert_eq!(bench.state(ANNA), Doing::WrapUp { call, until });
    call
}

#[test]
fn wrap_up_ends_by_its_lease_and_rewrites_the_record() {
    let mut bench = Bench::new();
    let call = wrapping(&mut bench);
    let first = bench.records(call);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].wrap_ms, None);

    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.idle(SALES), [BERT, ANNA], "idle from now on");
    let records = bench.records(call);
    assert_eq!(records.len(), 2);
    assert_eq!((records[1].wrap_ms, records[1].disposition.as_deref()), (Some(WRAP_UP_MS), None));
    let (wrap, story) = records[1].segments.split_last().unwrap();
    assert_eq!((wrap.kind, wrap.agent, wrap.micros(bench.now)), (SegmentKind::Wrap, Some(ANNA), 1000 * WRAP_UP_MS));
    assert_eq!(story, &first[0].segments[..story.len()]);
    let unwrapped = strowger_table::Record { wrap_ms: None, segments: first[0].segments.clone(), ..records[1].clone() };
    assert_eq!(unwrapped, first[0], "the rest is as it was");
}

#[test]
fn a_disposition_ends_wrap_up_early_and_stands_in_the_record() {
    let mut bench = Bench::new();
    let call = wrapping(&mut bench);
    bench.pass(4000);
    let dispose = |agent| Command::Dispose { agent, call, code: "sold".into() };
    assert_eq!(bench.refused(dispose(BERT)), Refusal::WrongStage);
    assert_eq!(bench.say(dispose(ANNA)), Outcome::Done);
    assert_eq!(bench.state(ANNA), Doing::Idle);
    let records = bench.records(call);
    assert_eq!((records[1].wrap_ms, records[1].disposition.as_deref()), (Some(4000), Some("sold")));
    assert_eq!(bench.refused(dispose(ANNA)), Refusal::WrongStage, "once");
}

#[test]
fn a_wrap_up_longer_than_ended_calls_linger_still_rewrites_the_record() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.queues[0].wrap_up_ms = 10 * 60_000;
    bench.configure(1, config);
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    bench.pass(9 * 60_000);
    bench.expire();
    let dispose = Command::Dispose { agent: ANNA, call, code: "late but said".into() };
    assert_eq!(bench.say(dispose), Outcome::Done);
    assert_eq!(bench.records(call).len(), 2);
    bench.pass(60_000 + limit::ENDED_LINGER.as_millis() as u64);
    bench.expire();
    assert!(bench.shard.call(call).is_none());
}

#[test]
fn not_ready_during_wrap_up_waits_for_its_end_and_ready_takes_it_back() {
    let mut bench = Bench::new();
    wrapping(&mut bench);
    bench.not_ready(ANNA, "lunch");
    assert!(matches!(bench.state(ANNA), Doing::WrapUp { .. }));
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.state(ANNA), not_ready("lunch"));
    bench.ready(ANNA);

    wrapping(&mut bench);
    bench.not_ready(ANNA, "lunch");
    assert_eq!(bench.ready(ANNA), Outcome::Done);
    assert_eq!(bench.state(ANNA), Doing::Idle, "ready ends wrap-up and forgets the lunch");
}

#[test]
fn a_queue_without_wrap_up_frees_the_agent_at_once() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.queues[0].wrap_up_ms = 0;
    bench.configure(1, config);
    let call = bench.talking(ANNA);
    bench.end(call, AGENT_LEFT);
    assert_eq!(bench.state(ANNA), Doing::Idle);
    assert_eq!(bench.records(call).len(), 1);
}
