//! A call's beginning: once, whoever repeats it.

use strowger_model::{FlowId, Outcome as CallOutcome, TenantId};
use strowger_table::{
    AdmitKey, Body, Command, ControlCommand, Machine, Outcome, Proposal, Refusal, RowKey, Stage, Target, Then, Touched,
};

use crate::bench::{Bench, admit_with, answer, enqueue, step};
use crate::sample::*;

#[test]
fn the_same_invite_is_admitted_once_whoever_brings_it() {
    let mut bench = Bench::new();
    let admit = bench.admit_command();
    let Outcome::Admitted { call, owner } = bench.say(admit.clone()) else { panic!("not admitted") };
    assert_eq!(call.shard(), SHARD);
    assert_eq!((owner.node, owner.incarnation), (ONE.node, ONE.incarnation));

    // Another node got the carrier's repeat: the first keeps the call.
    assert_eq!(bench.say_as(TWO, admit.clone()), Outcome::Already { call, owner });
    assert_eq!(bench.shard.busy().calls, 1);

    // Also while the ended row lingers.
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.say_as(TWO, admit), Outcome::Already { call, owner });
}

#[test]
fn another_cseq_or_tag_is_another_call() {
    let mut bench = Bench::new();
    let first = bench.admitted();
    let Command::Admit(first_admit) = admit_with(1, bench.now) else { unreachable!() };
    let used = first_admit.key;
    for other in [AdmitKey { cseq: 2, ..used.clone() }, AdmitKey { from_tag: "fork".into(), ..used }] {
        let mut admit = admit_with(1, bench.now);
        let Command::Admit(admitted) = &mut admit else { unreachable!() };
        admitted.key = other;
        assert!(matches!(bench.say(admit), Outcome::Admitted { call, .. } if call != first));
    }
}

#[test]
fn a_repeat_under_the_same_number_gets_the_first_answer_and_changes_nothing() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let proposal = Proposal { from: TWO, seq: 1, body: Body::Shard(enqueue(call, SALES, Then::End)) };
    let refused = bench.enter(proposal.clone()).outcome;
    assert_eq!(refused, Refusal::NotOwner.into());
    let stepped = Proposal { from: ONE, seq: 900, body: Body::Shard(step(call, 5)) };
    assert_eq!(bench.enter(stepped.clone()).outcome, Outcome::Done);
    assert_eq!(bench.say(step(call, 6)), Outcome::Done);

    let before = bench.shard.hash();
    let again = bench.enter(stepped);
    assert_eq!(again.outcome, Outcome::Done);
    assert!(again.touched == Touched::Few(Vec::new()));
    assert_eq!(bench.enter(proposal).outcome, refused);
    assert_eq!(bench.step(call), Some(6));
    assert_eq!(bench.shard.hash(), before);

    let other = Proposal { from: ONE, seq: 901, body: Body::Shard(step(call, 7)) };
    assert_eq!(bench.enter(other).touched, Touched::Few(vec![RowKey::Call(call)]));
}

#[test]
fn unknown_tenants_and_flows_are_refused() {
    let mut bench = Bench::new();
    for (wrong_tenant, wrong_flow) in [(TenantId(9), FLOW), (ACME, FlowId(9))] {
        let mut admit = bench.admit_command();
        let Command::Admit(wrong) = &mut admit else { unreachable!() };
        (wrong.tenant, wrong.target) = (wrong_tenant, Target::Flow(wrong_flow));
        assert_eq!(bench.refused(admit), Refusal::NoSuchTenant);
    }
}

#[test]
fn a_withdrawn_invite_ends_the_call_that_was_admitted_after_all() {
    let mut bench = Bench::new();
    let admit = bench.admit_command();
    let Outcome::Admitted { call, .. } = bench.say(admit) else { panic!("not admitted") };
    let withdraw = Command::Withdraw { key: key(1) };
    assert_eq!(bench.say_as(TWO, withdraw), Outcome::Done);
    assert_eq!(bench.outcome(call), CallOutcome::Rejected);
    assert_eq!(bench.records(call).len(), 1);
}

/// Only the edge's answer was lost, and the caller has a 200 already.
#[test]
fn a_call_that_was_answered_is_withdrawn_by_nobody() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    for stage in [Stage::Flow, Stage::Waiting] {
        assert_eq!(bench.call(call).stage, stage);
        assert_eq!(bench.say_as(TWO, Command::Withdraw { key: key(1) }), Refusal::WrongStage.into());
        assert!(!bench.call(call).is_over());
        bench.say(enqueue(call, SALES, Then::End));
    }
}

#[test]
fn an_invite_withdrawn_before_its_admit_is_refused_when_it_comes() {
    let mut bench = Bench::new();
    let admit = bench.admit_command();
    assert_eq!(bench.say_as(TWO, Command::Withdraw { key: key(1) }), Outcome::Done);
    assert_eq!(bench.say(admit.clone()), Refusal::WrongStage.into());
    assert_eq!(bench.shard.busy().calls, 0);

    // No repeat travels longer than that; then the key is forgotten.
    bench.pass(strowger_table::limit::SESSION_LINGER.as_millis() as u64 - 1);
    assert_eq!(bench.say(Command::Tick), Outcome::Done);
    assert_eq!(bench.say(admit.clone()), Refusal::WrongStage.into());
    bench.pass(1);
    assert_eq!(bench.say(Command::Tick), Outcome::Done);
    assert!(matches!(bench.say(admit), Outcome::Admitted { .. }));
}

#[test]
fn stages_are_passed_in_order_and_by_the_owner_only() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    assert_eq!(bench.refused(step(call, 1)), Refusal::WrongStage);
    assert_eq!(bench.refused(enqueue(call, SALES, Then::End)), Refusal::WrongStage);
    assert_eq!(bench.say_as(TWO, answer(call)), Refusal::NotOwner.into());
    assert_eq!(bench.say(answer(call)), Outcome::Done);
    assert_eq!(bench.refused(answer(call)), Refusal::WrongStage);
    assert_eq!(bench.say(step(call, 1)), Outcome::Done);
    assert_eq!(bench.say(enqueue(call, SALES, Then::End)), Outcome::Done);
    assert_eq!(bench.refused(step(call, 2)), Refusal::WrongStage);
    bench.end(call, CALLER_LEFT);
    let ended = bench.end_command(call, CALLER_LEFT);
    assert_eq!(bench.refused(ended), Refusal::WrongStage, "a call ends once");
}

#[test]
fn a_call_that_needed_no_agent_was_served_by_its_flow() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.outcome(call), CallOutcome::ServedByFlow);
    let early = bench.admitted();
    bench.end(early, CALLER_LEFT);
    assert_eq!(bench.outcome(early), CallOutcome::Abandoned);
}

#[test]
fn a_command_for_the_other_kind_of_group_is_refused() {
    let mut shard = Machine::new(SHARD.group());
    let mut control = Machine::new(strowger_model::GroupId::CONTROL);
    let at = strowger_table::At { index: 1, ..Default::default() };
    let wrong = Proposal { from: ONE, seq: 1, body: Body::Control(ControlCommand::Tick) };
    assert_eq!(shard.apply(at, &wrong).outcome, Refusal::WrongGroup.into());
    let wrong = Proposal { from: ONE, seq: 1, body: Body::Shard(Command::Tick) };
    assert_eq!(control.apply(at, &wrong).outcome, Refusal::WrongGroup.into());
    assert!(shard.shard().is_some() && shard.control().is_none() && control.control().is_some());
}
