//! The decision log, told by a table's own entries.

use strowger_figures::{DecisionLog, Heard, Step, What};
use strowger_model::{CallId, DialResult};
use strowger_table::{Applied, At, Proposal, Shard, Then};

use crate::bench::{Bench, failure};
use crate::sample::*;

/// Plays a bench's log into a decision log, as a node hears it: one batch an entry.
fn told(bench: &Bench) -> DecisionLog {
    let mut log = DecisionLog::default();
    let mut shard = Shard::new(SHARD);
    for (at, proposal) in &bench.log {
        let applied = shard.apply(*at, proposal);
        for plan in hear(&mut log, &shard, *at, proposal, &applied) {
            plan.weigh();
        }
    }
    log
}

fn hear(
    log: &mut DecisionLog,
    shard: &Shard,
    at: At,
    proposal: &Proposal,
    applied: &Applied,
) -> Vec<strowger_figures::ToWeigh> {
    log.hear(shard, [Heard { at, proposal, applied }])
}

fn names(steps: &[Step]) -> Vec<&'static str> {
    let name = |step: &Step| match &step.what {
        What::Admitted { .. } => "admitted",
        What::Answered { .. } => "answered",
        What::Flow { .. } => "flow",
        What::Enqueued { .. } => "enqueued",
        What::Offered { .. } => "offered",
        What::Missed { .. } => "missed",
        What::Dialled(_) => "dialled",
        What::AgentThere => "agent_there",
        What::Reached { .. } => "reached",
        What::NotReached(_) => "not_reached",
        What::Connected => "connected",
        What::Adopted { .. } => "adopted",
        What::Expired => "expired",
        What::Ended { .. } => "ended",
    };
    steps.iter().map(name).collect()
}

fn history(log: &DecisionLog, call: CallId) -> &[Step] {
    log.history(call).expect("a history")
}

#[test]
fn a_call_is_told_from_its_admission_to_its_end_with_reasons() {
    let mut bench = Bench::new();
    bench.waiting(SALES);
    bench.pass(2_000);
    let call = bench.waiting(SALES);
    bench.plan(&[(call, BERT)]);
    let leg = bench.ringing(call);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.end(call, CALLER_LEFT);
    let log = told(&bench);
    let steps = history(&log, call);
    assert_eq!(names(steps), ["admitted", "answered", "enqueued", "offered", "connected", "ended"]);
    assert!(steps.is_sorted_by_key(|step| step.index));
    let What::Offered { agent, plan } = &steps[3].what else { panic!("{steps:?}") };
    let candidates = plan.candidates.get().expect("they were weighed");
    assert_eq!((*agent, candidates.index), (BERT, plan.basis), "the state of the basis is still there");
    assert_eq!(candidates.ahead, [Some(1)], "another caller waited before");
    let field = &candidates.fields[0];
    assert_eq!(field.candidates.iter().map(|candidate| candidate.agent).collect::<Vec<_>>(), [ANNA, BERT]);
}

#[test]
fn a_dial_is_told_with_what_the_state_before_it_said() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1]);
    bench.pass(3_000);
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, strowger_model::Cause::BUSY));
    let log = told(&bench);
    let steps = history(&log, call);
    assert_eq!(names(steps), ["dialled", "not_reached"]);
    let What::Dialled(dialled) = &steps[0].what else { panic!("{steps:?}") };
    assert_eq!((dialled.campaign, dialled.agent, dialled.attempts, dialled.asked), (SPRING, ANNA, 0, false));
    assert_eq!(dialled.zone.as_deref(), Some(LONDON));
    assert_eq!(dialled.idle, Some(std::time::Duration::from_secs(3)));
    assert!(dialled.due.is_some());
}

#[test]
fn a_repeat_and_a_refusal_are_no_steps() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let (_, last) = bench.log.last().expect("entries").clone();
    bench.enter(last);
    bench.refused(crate::bench::enqueue(call, SALES, Then::End));
    let log = told(&bench);
    assert_eq!(names(history(&log, call)), ["admitted", "answered", "enqueued"]);
}

#[test]
fn a_long_history_keeps_its_end() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    for round in 0..70 {
        let agent = if round % 2 == 0 { ANNA } else { BERT };
        let leg = bench.offer(call, agent);
        let missed = bench.missed_command(leg, strowger_model::Cause::NO_ANSWER);
        bench.say(missed);
        bench.hung_up(call);
        bench.ready(agent);
    }
    bench.end(call, CALLER_LEFT);
    let log = told(&bench);
    let steps = history(&log, call);
    assert_eq!(steps.len(), 64 + 1);
    assert_eq!(names(steps).last(), Some(&"ended"));
}
