//! What is left of an outbound call: its record, and what becomes of it when its queue has left the configuration.

use strowger_model::{CallId, Cause, DialResult, Outcome as CallOutcome};
use strowger_table::{Command, DutyKind, LeadTurn, Outcome, Refusal, Stage};

use crate::bench::{Bench, failure, first_leg};
use crate::outbound::bench;
use crate::sample::*;

#[test]
fn an_unknown_call_is_not_reached_twice() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    let busy = failure(DialResult::Busy, 486, Cause::BUSY);
    let (leg, observed) = (bench.customer(call), bench.now);
    bench.not_reached(call, busy.clone());
    assert_eq!(bench.refused(Command::NotReached { leg, failure: busy.clone(), observed }), Refusal::WrongStage);
    let nowhere = first_leg(CallId::new(SHARD, 4711));
    assert_eq!(bench.refused(Command::NotReached { leg: nowhere, failure: busy, observed }), Refusal::NoSuchLeg);
}

/// Calls and results per agent: an agent's own calls are the agent's, whoever answers; a lead that nobody reached is not.
#[test]
fn a_record_names_the_agent_who_asked() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0, 1, 2]);
    let lead = bench.dialling(0, ANNA);
    bench.not_reached(lead, failure(DialResult::Busy, 486, Cause::BUSY));
    assert_eq!(bench.records(lead)[0].agent, None);

    let (unheard, leg) = bench.asked_for(SPRING, 50, ANNA);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.records(unheard)[0].agent, Some(ANNA), "the own phone did not answer");

    let (busy, leg) = bench.asked_for(SPRING, 51, BERT);
    let connect = bench.connect_command(busy, leg);
    bench.say(connect);
    bench.not_reached(busy, failure(DialResult::Busy, 486, Cause::BUSY));
    let record = bench.records(busy).remove(0);
    assert_eq!((record.agent, record.talk_ms, record.dial.map(|dial| dial.status)), (Some(BERT), None, Some(486)));
}

#[test]
fn who_answered_said_200() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0, 1]);
    let call = bench.dialling(0, ANNA);
    let reached = bench.reached_command(call);
    bench.say(reached);
    bench.end(call, CALLER_LEFT);
    let dial = bench.records(call)[0].dial.unwrap();
    assert_eq!((dial.result, dial.status), (DialResult::Abandoned, 200));
    assert_eq!(bench.lead(SPRING, 0).last.map(|last| last.status), Some(200));
}

/// A queue is renamed, which is another one to us, while the called party's phone rings.
fn without_sales() -> strowger_model::config::Tenant {
    let mut config = tenant();
    config.queues.retain(|queue| queue.id != SALES);
    config.agents.iter_mut().for_each(|agent| agent.queues = vec![SUPPORT]);
    config.campaigns.iter_mut().for_each(|campaign| campaign.queue = SUPPORT);
    config
}

#[test]
fn a_called_party_whose_queue_is_gone_gets_the_agent_who_was_kept() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.done(call, DutyKind::Originate { leg: bench.customer(call) });
    bench.configure(2, without_sales());
    bench.pass(3000);
    bench.expire();
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached), Outcome::Done);
    let leg = bench.ringing(call);
    let connect = bench.connect_command(call, leg);
    bench.pass(2000);
    bench.expire();
    assert_eq!(bench.say(connect), Outcome::Done);
    assert_eq!(bench.call(call).stage, Stage::Talking);
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::Connected);
}

/// Nobody serves a queue that is gone: whoever would wait in it is not left there.
#[test]
fn a_called_party_whose_queue_is_gone_is_not_left_waiting() {
    for agent_answers_late in [false, true] {
        let mut bench = bench();
        let call = bench.dialling(0, ANNA);
        bench.configure(2, without_sales());
        bench.expire();
        if !agent_answers_late {
            // No phone is left to ring.
            bench.say(Command::Unbind { agent: ANNA, instance: None });
        }
        let reached = bench.reached_command(call);
        assert_eq!(bench.say(reached), Outcome::Done);
        if agent_answers_late {
            let leg = bench.ringing(call);
            let missed = bench.missed_command(leg, Cause::NO_ANSWER);
            bench.say(missed);
        }
        bench.expire();
        assert_eq!(bench.outcome(call), CallOutcome::Overflowed, "late: {agent_answers_late}");
        let record = bench.records(call).remove(0);
        assert_eq!(record.dial.map(|dial| dial.result), Some(DialResult::Abandoned), "by us");
        assert!(bench.turn(SPRING, 0) == LeadTurn::Done || bench.turn(SPRING, 0).due().is_some());
    }
}
