//! What counts as an attempt to call a lead, and what its campaign makes of it.

use strowger_model::{Cause, DialResult, Wall};
use strowger_table::{Command, DutyKind, LeadState, Outcome, RowKey, Stage, limit};

use crate::bench::{Bench, failure};
use crate::sample::*;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.import(SPRING, [0, 1, 2]);
    bench
}

#[test]
fn a_call_that_never_left_us_takes_back_its_own_attempt_and_no_other() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    bench.pass(BUSY_RETRY_S * 1000);
    let call = bench.dialling(0, ANNA);
    assert_eq!((bench.lead(SPRING, 0).attempts, bench.ledger(SPRING).dialled), (2, 2));
    bench.not_reached(call, failure(DialResult::NotDialled, 0, Cause::NO_CIRCUIT));
    let lead = bench.lead(SPRING, 0);
    assert_eq!(lead.attempts, 1);
    assert_eq!(lead.due(), Some(Wall(bench.wall().0 + limit::NOT_DIALLED_RETRY.as_millis() as u64)));
    assert_eq!(
        lead.last.map(|last| (last.call, last.at, last.result)),
        Some((call, bench.wall(), DialResult::NotDialled))
    );
}

#[test]
fn a_lead_says_what_is_done_with_it() {
    let mut bench = bench();
    let due = bench.wall();
    let shown = |bench: &Bench| {
        let lead = bench.lead(SPRING, 0);
        (lead.due(), lead.dialled_by(), lead.is_done())
    };
    assert_eq!(shown(&bench), (Some(due), None, false));
    let call = bench.dialling(0, ANNA);
    assert_eq!(shown(&bench), (None, Some(call), false));
    bench.not_reached(call, failure(DialResult::InvalidNumber, 404, Cause(1)));
    assert_eq!(shown(&bench), (None, None, true));
    assert_eq!((bench.ledger(SPRING).done, bench.ledger(SPRING).count(DialResult::InvalidNumber)), (1, 1));
}

/// The answer came before the owner could say that its INVITE is out: nothing of that is owed any more.
#[test]
fn who_answers_was_called() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    let customer = bench.customer(call);
    assert_eq!(bench.kinds(call), [DutyKind::Originate { leg: customer }]);
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached), Outcome::Done);
    let leg = bench.ringing(call);
    assert_eq!(bench.kinds(call), [DutyKind::Ring { leg }]);
    bench.pass(limit::DIAL_WITHIN.as_millis() as u64 + 1);
    bench.expire();
    assert_eq!(bench.call(call).stage, Stage::Waiting, "its time to be sent is nobody's");
    let connect = bench.connect_command(call, leg);
    assert_eq!(bench.say(connect), Outcome::Done);
    bench.pass(1000);
    bench.end(call, AGENT_LEFT);
    let dial = bench.records(call)[0].dial.expect("an outbound call");
    assert_eq!(
        (dial.campaign, dial.lead, dial.result),
        (SPRING, Some(bench.lead(SPRING, 0).id), DialResult::Connected)
    );
    assert!(bench.lead(SPRING, 0).is_done());
}

#[test]
fn a_campaign_that_gets_another_queue_goes_with_it() {
    let mut bench = bench();
    assert_eq!(bench.ledger(SPRING).heir_key(), RowKey::Queue(SALES));
    let mut config = tenant();
    config.campaigns[0].queue = SUPPORT;
    bench.configure(2, config);
    assert_eq!((bench.ledger(SPRING).queue, bench.ledger(SPRING).heir_key()), (SUPPORT, RowKey::Queue(SUPPORT)));
    assert_eq!(bench.ledger(SUMMER).queue, SALES);
    // What it had stays: its leads, and that it runs.
    assert_eq!((bench.ledger(SPRING).leads, bench.ledger(SPRING).running), (3, true));
    assert_eq!(bench.due(SPRING), [0, 1, 2]);
}

#[test]
fn each_result_is_counted_by_itself_whatever_the_order() {
    let mut bench = bench();
    let results = [(DialResult::Rejected, 603), (DialResult::Busy, 486), (DialResult::Rejected, 603)];
    for (place, (result, status)) in results.into_iter().enumerate() {
        let call = bench.dialling(place as u32, ANNA);
        bench.not_reached(call, failure(result, status, Cause::BUSY));
    }
    let ledger = bench.ledger(SPRING);
    assert_eq!([DialResult::Rejected, DialResult::Busy, DialResult::NoAnswer].map(|of| ledger.count(of)), [2, 1, 0]);
    assert_eq!((ledger.dialled, ledger.done), (3, 2));
    assert!(matches!(bench.lead(SPRING, 1).state, LeadState::Due { .. }));
}

/// Left alone by a pacer that goes by the campaign's own rule for it.
#[test]
fn a_campaigns_own_rule_goes_before_ours() {
    let mut config = tenant();
    let unknown = strowger_model::config::Retry { result: DialResult::Unknown, after_s: 120 };
    let unsent = strowger_model::config::Retry { result: DialResult::NotDialled, after_s: 7 };
    config.campaigns[0].retries = vec![unknown, unsent];
    let mut bench = Bench::bare();
    bench.configure(1, config);
    bench.import(SPRING, [0, 1]);
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::NotDialled, 0, Cause::NO_CIRCUIT));
    assert_eq!(bench.lead(SPRING, 0).due(), Some(Wall(bench.wall().0 + 7000)));
    bench.dialling(1, ANNA);
    bench.pass(limit::DIAL_WITHIN.as_millis() as u64);
    bench.expire();
    let lead = bench.lead(SPRING, 1);
    assert_eq!(
        (lead.due(), lead.last.map(|last| last.result)),
        (Some(Wall(bench.wall().0 + 120_000)), Some(DialResult::Unknown))
    );
    bench.say(Command::Tick);
}

/// Hours end at their minute, not in it.
#[test]
fn nobody_is_dialled_from_the_end_of_the_hours_on() {
    let mut bench = bench();
    let to = strowger_table::DialTo::Lead(bench.lead(SPRING, 0).id);
    let until = |not_after| strowger_table::Dial { not_after, ..crate::bench::dial(SPRING, to, ANNA) };
    let now = bench.wall();
    assert_eq!(bench.dial_refused(until(now)), strowger_table::Refusal::NotNow);
    assert!(matches!(bench.dial(until(Wall(now.0 + 1))), Outcome::Dialled { .. }));
}
