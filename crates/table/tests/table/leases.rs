//! Every busy stage ends by itself: with nothing but `Expire`, everything comes to rest.

use std::time::Duration;

use strowger_model::{CallId, LogTime, Outcome as CallOutcome};
use strowger_table::{Command, Outcome, RowKey, Stage, Then, ToldBy, limit};

use crate::bench::{Bench, Doing, enqueue};
use crate::sample::*;

fn due_in(bench: &Bench) -> Duration {
    bench.shard.next_lease().unwrap().since(bench.now)
}

#[test]
fn an_admitted_call_whose_flow_never_begins_fails() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    assert_eq!(due_in(&bench), limit::ADMITTED_MAX);
    bench.pass(limit::ADMITTED_MAX.as_millis() as u64 - 1);
    bench.expire();
    assert_eq!(bench.call(call).stage, Stage::Admitted, "not before its time");
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::Failed);
}

#[test]
fn a_flow_that_never_ends_is_ended() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    assert_eq!(due_in(&bench), limit::FLOW_MAX);
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::ServedByFlow);
}

#[test]
fn a_wait_too_long_overflows_to_its_step_or_ends() {
    let mut bench = Bench::new();
    let sent_on = bench.flowing();
    bench.say(enqueue(sent_on, SALES, Then::Step(2)));
    let ended = bench.waiting(SALES);
    assert_eq!(due_in(&bench), Duration::from_millis(MAX_WAIT_MS));
    bench.expire_next();
    assert_eq!(bench.step(sent_on), Some(2));
    assert_eq!(bench.outcome(ended), CallOutcome::Overflowed);
    assert!(!bench.shard.anyone_waiting());

    // Heard the announcement and hung up: still an overflow, and the wait is what it was.
    bench.pass(5000);
    bench.end(sent_on, CALLER_LEFT);
    assert_eq!(bench.outcome(sent_on), CallOutcome::Overflowed);
    assert_eq!(bench.records(sent_on)[0].wait_ms, Some(MAX_WAIT_MS));
}

/// Else a flow that leads back to the same full queue would never end.
#[test]
fn who_is_turned_away_by_a_full_queue_gets_no_more_time_for_the_flow() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let until = bench.call(call).until;
    for _ in 0..MAX_WAITING {
        bench.waiting(SALES);
    }
    for _ in 0..3 {
        bench.pass(1000);
        assert_eq!(bench.say(enqueue(call, SALES, Then::Step(0))), Outcome::Done);
        assert_eq!((bench.step(call), bench.call(call).until), (Some(0), until));
    }
}

#[test]
fn the_flow_after_a_long_wait_has_its_own_time() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.queues[0].max_wait_ms = 2 * limit::FLOW_MAX.as_millis() as u32;
    bench.configure(1, config);
    let call = bench.flowing();
    bench.say(enqueue(call, SALES, Then::Step(2)));
    bench.expire_next();
    bench.expire();
    assert_eq!(bench.step(call), Some(2));
    assert_eq!(due_in(&bench), limit::FLOW_MAX);
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::Overflowed);
}

#[test]
fn an_offer_whose_owner_is_gone_becomes_a_miss() {
    let mut bench = Bench::new();
    let (call, _) = bench.offered(ANNA);
    assert_eq!(due_in(&bench), Duration::from_millis(RING_MS) + limit::OFFER_GRACE);
    bench.expire_next();
    assert!(bench.shard.is_waiting(call));
    assert!(matches!(bench.state(ANNA), Doing::Paused { .. }));
    assert_eq!(bench.agent(ANNA).misses, 1);
}

#[test]
fn a_conversation_has_a_longest_length() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    assert_eq!(due_in(&bench), limit::TALK_MAX);
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::Answered);
    assert!(matches!(bench.state(ANNA), Doing::WrapUp { .. }));
}

#[test]
fn an_ended_call_lingers_for_repeats_and_is_purged() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.end(call, CALLER_LEFT);
    assert_eq!(due_in(&bench), limit::ENDED_LINGER);
    bench.expire_next();
    assert!(bench.shard.call(call).is_none() && bench.shard.call_by_key(&key(1)).is_none());
    assert_eq!(bench.shard.next_lease(), None);
    assert_eq!(bench.records(call).len(), 1, "the record stays in the outbox");
}

#[test]
fn an_end_observed_long_ago_does_not_cut_the_duties_short() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    bench.pass(10 * 60_000);
    let observed = bench.now - Duration::from_secs(5 * 60);
    let leg = bench.agent_leg(call);
    let left = Command::Left { leg, cause: AGENT_LEFT.cause, told_by: ToldBy::FarEnd, observed };
    assert_eq!(bench.say(left), Outcome::Done);
    bench.expire();
    assert_eq!((bench.hang_ups(call).len(), bench.closes(call).len()), (1, 2), "the caller and both ports");
    assert_eq!(bench.records(call)[0].talk_ms, Some(5 * 60_000));
}

#[test]
fn whatever_is_under_way_comes_to_rest_by_expire_alone() {
    let mut bench = Bench::new();
    bench.admitted();
    bench.flowing();
    bench.waiting(SUPPORT);
    bench.talking(ANNA);
    bench.offered(BERT);
    let mut rounds = 0;
    while bench.shard.next_lease().is_some() {
        bench.expire_next();
        rounds += 1;
        assert!(rounds < 100, "leases that never end: {:?}", bench.shard.next_lease());
    }
    assert_eq!(bench.shard.busy().calls, 0);
    // Bert missed his call more than once.
    assert!(bench.shard.agents().all(|agent| agent.call().is_none()));
}

#[test]
fn overdue_names_what_outlived_its_deadline_by_more_than_the_grace() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    let grace = Duration::from_secs(5);
    let deadline = bench.shard.next_lease().unwrap();
    let stuck = |bench: &Bench, now: LogTime| bench.shard.overdue(now, grace).collect::<Vec<_>>();
    assert!(stuck(&bench, deadline + grace).is_empty());
    assert_eq!(stuck(&bench, deadline + grace + Duration::from_millis(1)), [RowKey::Call(call)]);
    bench.expire_next();
    assert!(stuck(&bench, deadline + grace + Duration::from_secs(1)).is_empty());
}

#[test]
fn one_expire_ends_a_bounded_number_of_leases() {
    let mut bench = Bench::new();
    let calls: Vec<CallId> = (0..limit::LEASES_PER_EXPIRE + 10).map(|_| bench.admitted()).collect();
    let live = |bench: &Bench| calls.iter().filter(|call| !bench.call(**call).is_over()).count();
    bench.expire_next();
    assert_eq!(live(&bench), 10);
    bench.expire();
    assert_eq!(live(&bench), 0);
}

#[test]
fn log_time_never_runs_backwards() {
    let mut bench = Bench::new();
    bench.pass(1000);
    bench.admitted();
    let newest = bench.shard.last().time;
    bench.now = LogTime::ZERO;
    let call = bench.admitted();
    assert_eq!(bench.shard.last().time, newest);
    assert!(bench.call(call).times.admitted <= newest);
}

#[test]
fn a_registration_that_runs_out_logs_the_agent_out() {
    let mut bench = Bench::new();
    let expires = bench.now + Duration::from_secs(120);
    let register = |agent, expires| Command::Bind { agent, binding: phone(50, expires) };
    assert_eq!(bench.say(register(CARL, expires)), Outcome::Done);
    assert_eq!(bench.idle(SALES), [ANNA, BERT, CARL]);
    assert_eq!(bench.shard.next_lease(), Some(expires));

    // A refresh moves it on and costs no place in line.
    bench.pass(60_000);
    let refreshed = bench.now + Duration::from_secs(120);
    bench.say(register(CARL, refreshed));
    bench.pass(60_000);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::Idle);
    bench.expire_next();
    assert_eq!((bench.now, bench.state(CARL)), (refreshed, Doing::LoggedOut));
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
}

#[test]
fn a_registration_that_runs_out_in_a_call_takes_effect_after_it() {
    let mut bench = Bench::new();
    let expires = bench.now + Duration::from_secs(20);
    bench.say(Command::Bind { agent: CARL, binding: phone(50, expires) });
    let call = bench.talking(CARL);
    bench.pass(60_000);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::Talking { call });
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::LoggedOut);
}
