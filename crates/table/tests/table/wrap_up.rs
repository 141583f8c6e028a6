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
    // Said again, it is corrected.
    let code = "called back".to_owned();
    assert_eq!(bench.say(Command::Dispose { agent: ANNA, call, code }), Outcome::Done);
    let records = bench.records(call);
    assert_eq!((records[2].wrap_ms, records[2].disposition.as_deref()), (Some(4000), Some("called back")));
}

fn sold(call: strowger_model::CallId, agent: strowger_model::AgentId) -> Command {
    Command::Dispose { agent, call, code: "sold".into() }
}

#[test]
fn a_disposition_that_comes_early_stands_in_the_record() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    assert_eq!(bench.refused(sold(call, ANNA)), Refusal::WrongStage, "before the agent is there");
    let leg = bench.offer(call, ANNA);
    assert_eq!(bench.refused(sold(call, ANNA)), Refusal::WrongStage, "while the phone rings");
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    assert_eq!(bench.say(sold(call, ANNA)), Outcome::Done);
    assert!(matches!(bench.state(ANNA), Doing::Talking { .. }), "{:?}", bench.state(ANNA));
    assert_eq!(bench.refused(sold(call, BERT)), Refusal::WrongStage, "who is not in it says nothing of it");
    bench.pass(1000);
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.records(call)[0].disposition.as_deref(), Some("sold"));
    assert!(matches!(bench.state(ANNA), Doing::WrapUp { .. }), "the time for notes is the agent's all the same");
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.records(call)[1].disposition.as_deref(), Some("sold"));
}

#[test]
fn a_disposition_that_comes_late_stands_in_the_record_while_the_call_is_known() {
    for wrap_up_ms in [0, WRAP_UP_MS] {
        let mut bench = Bench::bare();
        let mut config = tenant();
        config.queues[0].wrap_up_ms = wrap_up_ms as u32;
        bench.configure(1, config);
        let call = bench.talking(ANNA);
        bench.pass(5000);
        bench.end(call, CALLER_LEFT);
        bench.hung_up(call);
        bench.pass(wrap_up_ms);
        bench.expire();
        bench.pass(limit::ENDED_LINGER.as_millis() as u64 - 1);
        bench.expire();
        assert_eq!(bench.state(ANNA), Doing::Idle);
        let before = bench.records(call).len();
        assert_eq!(bench.say(sold(call, ANNA)), Outcome::Done);
        let records = bench.records(call);
        assert_eq!(records.len(), before + 1);
        let last = records.last().unwrap();
        assert_eq!((last.disposition.as_deref(), last.wrap_ms), (Some("sold"), Some(wrap_up_ms)), "a later writing");
        assert_eq!((last.talk_ms, last.total_ms), (records[0].talk_ms, records[0].total_ms));
        bench.pass(1);
        bench.expire();
        assert_eq!(bench.refused(sold(call, ANNA)), Refusal::NoSuchCall, "too late");
    }
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
