//! What the owner has to do stands in the row until it is done or too late.

use strowger_model::{Cause, Outcome as CallOutcome};
use strowger_table::{Command, DutyKind, Outcome, Then, ToldBy, limit};

use crate::bench::{Bench, answer, enqueue, first_leg, hang_up};
use crate::sample::*;

#[test]
fn an_answer_is_owed_until_it_is_acknowledged() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    assert!(bench.kinds(call).is_empty());
    bench.say(answer(call));
    assert_eq!(bench.kinds(call), [DutyKind::Answer { leg: first_leg(call) }]);
    bench.done(call, DutyKind::Answer { leg: first_leg(call) });
    assert!(bench.kinds(call).is_empty());
}

#[test]
fn an_answer_nobody_acknowledges_ends_the_call_as_failed() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.say(answer(call));
    assert_eq!(bench.shard.next_lease(), Some(bench.now + limit::HANG_UP_MAX));
    bench.expire_next();
    assert_eq!(bench.outcome(call), CallOutcome::Failed);
    let customer = bench.customer(call);
    assert_eq!((bench.hang_ups(call), bench.closes(call)), (vec![customer], vec![(RELAY, customer)]));
}

/// The owner's own clock says so a little sooner than the duty's.
#[test]
fn a_caller_who_never_acknowledges_is_no_served_one_unless_an_agent_talked() {
    let mut bench = Bench::new();
    let silent = |bench: &Bench, call| {
        let leg = bench.customer(call);
        Command::Left { leg, cause: Cause::RECOVERY_ON_TIMER, told_by: ToldBy::Silence, observed: bench.now }
    };
    let call = bench.admitted();
    bench.say(answer(call));
    let command = silent(&bench, call);
    assert_eq!(bench.say(command), Outcome::Done);
    assert_eq!(bench.outcome(call), CallOutcome::Failed);

    // Acknowledged, and silent later: the flow had the caller.
    let call = bench.flowing();
    let command = silent(&bench, call);
    assert_eq!(bench.say(command), Outcome::Done);
    assert_eq!(bench.outcome(call), CallOutcome::ServedByFlow);

    for by_owner in [true, false] {
        let call = bench.admitted();
        bench.say(answer(call));
        bench.say(enqueue(call, SALES, Then::End));
        let leg = bench.offer(call, if by_owner { ANNA } else { BERT });
        let connect = bench.connect_command(call, leg);
        bench.say(connect);
        if by_owner {
            let command = silent(&bench, call);
            assert_eq!(bench.say(command), Outcome::Done);
        } else {
            bench.pass(limit::HANG_UP_MAX.as_millis() as u64);
            bench.expire();
        }
        assert_eq!(bench.outcome(call), CallOutcome::Answered, "by its owner: {by_owner}");
    }
}

#[test]
fn a_phone_is_rung_until_the_offer_ends_either_way() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    assert_eq!(bench.kinds(call), [DutyKind::Ring { leg }]);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!((bench.hang_ups(call), bench.closes(call)), (vec![], vec![(RELAY, leg)]));
    bench.done(call, DutyKind::Close { relay: RELAY, leg });
    let leg = bench.offer(call, BERT);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    assert!(bench.kinds(call).is_empty());
}

#[test]
fn ending_leaves_hang_ups_for_those_who_do_not_know_yet() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let (customer, agent) = (bench.customer(call), bench.agent_leg(call));
    let ports = vec![(RELAY, customer), (RELAY, agent)];
    bench.end(call, CALLER_LEFT);
    assert_eq!((bench.hang_ups(call), bench.closes(call)), (vec![agent], ports));
    bench.done(call, hang_up(agent));
    bench.done(call, DutyKind::Close { relay: RELAY, leg: agent });
    bench.done(call, DutyKind::Close { relay: RELAY, leg: customer });
    assert!(bench.kinds(call).is_empty());

    let call = bench.talking(BERT);
    bench.end(call, AGENT_LEFT);
    assert_eq!((bench.hang_ups(call), bench.closes(call).len()), (vec![bench.customer(call)], 2));

    // Ringing: the phone must be told to stop; the duty to ring it is gone.
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    bench.end(call, CALLER_LEFT);
    assert_eq!((bench.hang_ups(call), bench.closes(call).len()), (vec![leg], 2));
    assert_eq!(bench.kinds(call).len(), 3);

    // Not answered yet: no media.
    let call = bench.admitted();
    bench.end(call, CALLER_LEFT);
    assert!(bench.kinds(call).is_empty());
}

#[test]
fn late_duties_are_dropped_and_never_performed() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    bench.end(call, AGENT_LEFT);
    bench.pass(limit::HANG_UP_MAX.as_millis() as u64);
    bench.expire();
    assert!(bench.kinds(call).is_empty());
    assert!(bench.shard.call(call).is_some(), "the row itself lingers");
}

#[test]
fn only_the_owner_reports_duties_and_unknown_ones_do_no_harm() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.say(answer(call));
    let duties = vec![(call, bench.call(call).duties[0].id)];
    assert_eq!(bench.say_as(TWO, Command::Done { duties: duties.clone() }), Outcome::Done);
    assert_eq!(bench.kinds(call), [DutyKind::Answer { leg: first_leg(call) }]);
    let unknown = vec![(call, 77), (strowger_model::CallId::new(SHARD, 4711), 0), duties[0]];
    assert_eq!(bench.say(Command::Done { duties: unknown }), Outcome::Done);
    assert!(bench.kinds(call).is_empty());
}
