//! Configurations arrive, change and go while calls are under way.

use std::time::Duration;

use strowger_model::config::{Phone, Tenant};
use strowger_model::{AgentId, Cause, Outcome as CallOutcome, Sealed};
use strowger_table::{Command, How, Outcome, Presence, Refusal, Stage, Then, limit};

use crate::bench::{Bench, Doing, not_ready};
use crate::sample::*;

fn without(agent: AgentId) -> Tenant {
    let mut config = tenant();
    config.agents.retain(|other| other.id != agent);
    config
}

#[test]
fn a_configuration_brings_its_agents() {
    let mut bench = Bench::new();
    assert_eq!(bench.shard.config_version(ACME), Some(1));
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
    assert_eq!(bench.idle(SUPPORT), [DORA]);
    assert_eq!((bench.state(CARL), bench.state(EMIL)), (Doing::LoggedOut, Doing::LoggedOut));

    // A log-in waits to be set ready where the configuration says so.
    let binding = phone(50, bench.now + Duration::from_secs(600));
    bench.say(Command::Bind { agent: EMIL, binding });
    assert_eq!(bench.state(EMIL), not_ready("log-in"));
    assert_eq!(bench.ready(EMIL), Outcome::Done);
    assert_eq!(bench.idle(SALES), [ANNA, BERT, EMIL]);
    assert_eq!(bench.say(Command::Unbind { agent: EMIL, instance: None }), Outcome::Done);
    assert_eq!(bench.state(EMIL), Doing::LoggedOut);
    assert_eq!(bench.refused(Command::Presence { agent: EMIL, presence: Presence::Ready }), Refusal::AgentBusy);
    assert_eq!(
        bench.refused(Command::Presence { agent: AgentId(99), presence: Presence::Ready }),
        Refusal::NoSuchAgent
    );
}

#[test]
fn an_older_or_equal_version_is_refused() {
    let mut bench = Bench::new();
    bench.configure(5, tenant());
    for version in [4, 5] {
        let old = Command::configuring(version, &without(ANNA)).pop().unwrap();
        assert_eq!(bench.refused(old), Refusal::OldVersion);
        assert_eq!(bench.refused(Command::Retire { version, tenant: ACME }), Refusal::OldVersion);
    }
    assert!(bench.shard.agent(ANNA).is_some());
}

#[test]
fn the_same_configuration_again_disturbs_nobody() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    bench.not_ready(BERT, "lunch");
    bench.pass(1000);
    bench.configure(2, tenant());
    assert_eq!(bench.state(ANNA), Doing::Talking { call });
    assert_eq!(bench.state(BERT), not_ready("lunch"));
    assert_eq!(bench.idle(SUPPORT), [DORA]);
}

#[test]
fn a_dismissed_agent_goes_at_once_when_free_and_after_the_work_when_not() {
    let mut bench = Bench::new();
    bench.configure(2, without(BERT));
    assert!(bench.shard.agent(BERT).is_none());
    assert_eq!(bench.idle(SALES), [ANNA]);

    let call = bench.talking(ANNA);
    let mut config = without(ANNA);
    config.agents.retain(|agent| agent.id != BERT);
    bench.configure(3, config);
    assert_eq!(bench.state(ANNA), Doing::Talking { call });
    bench.end(call, CALLER_LEFT);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.records(call).len(), 2, "the wrap-up counts");
    assert!(bench.shard.agent(ANNA).is_none());
}

#[test]
fn a_retired_tenant_takes_no_new_calls_and_lets_live_ones_finish() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    assert_eq!(bench.say(Command::Retire { version: 2, tenant: ACME }), Outcome::Done);
    assert!(bench.shard.tenant(ACME).is_none() && bench.shard.agent(BERT).is_none());
    let admit = bench.admit_command();
    assert_eq!(bench.refused(admit), Refusal::NoSuchTenant);
    assert_eq!(bench.refused(Command::Retire { version: 3, tenant: ACME }), Refusal::NoSuchTenant);
    assert_eq!(bench.call(call).stage, Stage::Talking);
    bench.end(call, AGENT_LEFT);
    assert_eq!(bench.outcome(call), CallOutcome::Answered);
    // Its queue is gone, and how long its wrap-up takes still holds.
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert!(bench.shard.agent(ANNA).is_none());
}

/// An heir finds the flow that the call is in, and its prompts are kept as content, until nobody is in it.
#[test]
fn a_call_of_a_retired_tenant_goes_on_in_its_flow() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let flow = tenant().flows[0].clone();
    bench.say(Command::Retire { version: 2, tenant: ACME });
    let at = bench.call(call).flow.expect("a place in a flow");
    assert_eq!(bench.shard.flow_version(at.flow), None, "nobody begins it");
    assert_eq!(bench.shard.flow(ACME, at.flow, at.version), Some(&flow));
    let plays = |bench: &Bench| bench.shard.named_content().any(|content| flow.prompts().any(|of| of == content));
    assert!(plays(&bench));
    bench.end(call, CALLER_LEFT);
    assert_eq!((bench.shard.flow(ACME, at.flow, at.version), plays(&bench)), (None, false));
}

/// What a queue says of rings, misses and the work afterwards is known for as long as calls may ask for it.
#[test]
fn the_rules_of_a_queue_that_goes_hold_for_calls_that_were_in_it() {
    let goes: [fn(&mut Bench); 2] = [
        |bench| bench.configure(2, without_sales()),
        |bench| assert_eq!(bench.say(Command::Retire { version: 2, tenant: ACME }), Outcome::Done),
    ];
    for queue_goes in goes {
        let mut bench = Bench::new();
        let talking = bench.talking(ANNA);
        let (ringing, leg) = bench.offered(BERT);
        queue_goes(&mut bench);
        bench.end(talking, AGENT_LEFT);
        let until = bench.now + Duration::from_millis(WRAP_UP_MS);
        assert_eq!(bench.state(ANNA), Doing::WrapUp { call: talking, until });

        // Back in a line from which everybody is taken out.
        let missed = bench.missed_command(leg, Cause::BUSY);
        assert_eq!(bench.say(missed), Outcome::Done);
        bench.expire();
        assert_eq!(bench.outcome(ringing), CallOutcome::Overflowed);
        bench.pass(WRAP_UP_MS);
        bench.expire();
        assert_eq!(bench.records(talking).last().and_then(|record| record.wrap_ms), Some(WRAP_UP_MS));
    }
}

#[test]
fn a_changed_longest_wait_holds_for_those_who_come_after() {
    let mut bench = Bench::new();
    let before = bench.waiting(SALES);
    let mut config = tenant();
    config.queues[0].max_wait_ms = 10_000;
    bench.configure(2, config);
    let after = bench.waiting(SALES);
    assert_eq!(bench.shard.next_lease(), Some(bench.now + Duration::from_secs(10)));
    bench.expire_next();
    assert_eq!(bench.outcome(after), CallOutcome::Overflowed);
    assert_eq!(bench.line(SALES), [before], "what was said when the call came stands in its place");
    assert_eq!(bench.place(before).until, bench.place(before).since + Duration::from_millis(MAX_WAIT_MS));
    // Nothing of the old deadline is left behind.
    while bench.shard.next_lease().is_some() {
        bench.expire_next();
        assert!(bench.log.len() < 100, "a lease without a row");
    }
}

#[test]
fn calls_of_a_retired_tenant_do_not_wait_for_ever() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.say(Command::Retire { version: 2, tenant: ACME });
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::Overflowed);
}

#[test]
fn an_agent_moves_to_another_queue_and_to_a_phone_that_registers() {
    let mut bench = Bench::new();
    let mut config = tenant();
    config.agents[0].queues = vec![SUPPORT];
    config.agents[1].phone = Phone::Registers { ha1: Sealed::default() };
    bench.configure(2, config);
    assert!(bench.idle(SALES).is_empty());
    assert_eq!(bench.idle(SUPPORT), [ANNA, DORA]);
    assert_eq!(bench.state(BERT), Doing::LoggedOut, "the phone that was always there is no more");
}

fn without_sales() -> Tenant {
    let mut config = tenant();
    config.queues.retain(|queue| queue.id != SALES);
    config.agents.iter_mut().for_each(|agent| agent.queues.retain(|queue| *queue != SALES));
    config.campaigns.retain(|campaign| campaign.queue != SALES);
    config
}

#[test]
fn a_queue_that_goes_is_emptied_so_many_at_a_time_in_their_order() {
    const WAITING: usize = 1500;
    let mut bench = Bench::new();
    let mut roomy = without(ANNA);
    roomy.agents.retain(|agent| !agent.queues.contains(&SALES));
    roomy.queues[0].max_waiting = WAITING as u32;
    bench.configure(2, roomy);
    let calls: Vec<_> = (0..WAITING).map(|_| bench.waiting(SALES)).collect();
    bench.configure(3, without_sales());
    assert!(bench.shard.is_closing(SALES));
    assert_eq!(bench.shard.waiting_length(SALES), WAITING, "the entry itself touches none of them");
    let mut left = WAITING;
    while left > 0 {
        assert_eq!(bench.shard.next_lease().map(|due| due <= bench.now), Some(true));
        bench.expire();
        let now = bench.shard.waiting_length(SALES);
        assert!(left - now <= limit::LEASES_PER_EXPIRE, "{left} to {now}");
        assert!(now < left);
        left = now;
    }
    assert!(calls.iter().all(|call| bench.outcome(*call) == CallOutcome::Overflowed));
    assert!(bench.shard.is_closing(SALES), "its last calls may still ask for it");
    let copy = strowger_table::Shard::restore(&bench.shard.snapshot()).unwrap();
    assert_eq!((copy.hash(), copy.is_closing(SALES)), (bench.shard.hash(), true));
}

/// It goes on as one does whom a full queue turns away, and its story says that the queue is closed.
#[test]
fn who_comes_to_a_queue_that_is_closing_or_was_never_there_is_turned_away_as_closed() {
    for queue in [SALES, strowger_model::QueueId(99)] {
        let mut bench = Bench::new();
        let (call, other) = (bench.flowing(), bench.flowing());
        bench.configure(2, without_sales());
        assert_eq!(bench.say(crate::bench::enqueue(call, queue, Then::Step(4))), Outcome::Done);
        let row = bench.call(call);
        let last = row.segments.last().expect("the wait that never began");
        assert_eq!((last.queue, last.how, last.from, last.to), (Some(queue), How::Closed, bench.now, Some(bench.now)));
        assert_eq!((row.flow_step(), row.wait(), row.queue()), (Some(4), None, Some(queue)));
        assert_eq!(bench.say(crate::bench::enqueue(other, queue, Then::End)), Outcome::Done);
        assert_eq!(bench.outcome(other), CallOutcome::Overflowed);
        let record = bench.records(other).remove(0);
        let turned_away = record.segments.last().expect("the wait that never began");
        assert_eq!((turned_away.how, record.wait_ms), (How::Closed, None));
    }
}

/// Its wait was one, and its story says why it was over.
#[test]
fn who_waits_in_a_queue_that_goes_has_waited_until_it_closed() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.pass(2500);
    bench.configure(2, without_sales());
    bench.expire();
    assert_eq!(bench.outcome(call), CallOutcome::Overflowed);
    let record = bench.records(call).remove(0);
    let wait = record.segments.last().expect("the wait");
    assert_eq!((wait.how, record.wait_ms), (How::Closed, Some(2500)));
}

/// Nobody is let into a queue that has no room at all; it is there all the same.
#[test]
fn a_queue_without_room_is_full_and_not_closed() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let mut config = tenant();
    config.queues.iter_mut().for_each(|queue| queue.max_waiting = 0);
    bench.configure(2, config);
    assert_eq!(bench.say(crate::bench::enqueue(call, SALES, Then::End)), Outcome::Done);
    assert_eq!(bench.records(call).remove(0).segments.last().map(|wait| wait.how), Some(How::Full));
}

#[test]
fn a_queue_that_comes_back_keeps_who_still_waits() {
    let mut bench = Bench::new();
    bench.configure(2, without_sales());
    bench.configure(3, tenant());
    let calls = [bench.waiting(SALES), bench.waiting(SALES)];
    bench.configure(4, without_sales());
    bench.configure(5, tenant());
    assert!(!bench.shard.is_closing(SALES));
    bench.expire();
    assert!(calls.iter().all(|call| bench.call(*call).is_waiting()));
    assert_eq!(bench.shard.waiting(SALES).filter_map(|place| place.call).collect::<Vec<_>>(), calls);
}

/// Calls that waited in it may still ask for its rules; when none can be left, it is forgotten.
#[test]
fn a_queue_that_went_is_remembered_for_as_long_as_a_call_can_know_it() {
    let mut bench = Bench::new();
    let waiting = bench.waiting(SALES);
    bench.configure(2, without_sales());
    assert!(bench.shard.is_closing(SALES) && !bench.shard.is_closing(SUPPORT));
    bench.expire();
    assert_eq!(bench.outcome(waiting), CallOutcome::Overflowed);
    let kept = limit::CLOSING_KEPT.as_millis() as u64;
    bench.pass(kept - 1);
    bench.expire();
    assert!(bench.shard.is_closing(SALES));
    bench.pass(1);
    bench.expire();
    assert!(!bench.shard.is_closing(SALES));
    assert_eq!(bench.shard.next_lease(), None);
}
