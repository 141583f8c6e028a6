//! What counts as an attempt to call a lead, and what its campaign makes of it.

use strowger_model::{Cause, DialResult, LeadId, Outcome as CallOutcome, Wall};
use strowger_table::{
    Body, Command, Dial, DialFailure, DialTo, DutyKind, LeadTurn, Miss, Outcome, Proposal, Refusal, RowKey, Stage,
    Touched, limit,
};

use crate::bench::{Bench, Doing, dial, failure, hang_up};
use crate::sample::*;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.import(SPRING, [0, 1, 2]);
    bench
}

/// The first lead's turn.
fn first(agent: strowger_model::AgentId) -> Dial {
    dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 0)), agent)
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
    assert_eq!(bench.shard.turn(&lead).due(), Some(Wall(bench.wall().0 + limit::NOT_DIALLED_RETRY.as_millis() as u64)));
    assert_eq!(
        lead.last.map(|last| (last.call, last.at, last.result)),
        Some((call, bench.wall(), DialResult::NotDialled))
    );
}

#[test]
fn each_failure_is_kept_and_leads_to_what_the_campaign_says() {
    let again = |after_s: u64| move |now: Wall| LeadTurn::Due { at: Wall(now.0 + after_s * 1000) };
    type After = Box<dyn Fn(Wall) -> LeadTurn>;
    let cases: Vec<(DialFailure, After)> = vec![
        (failure(DialResult::Busy, 486, Cause::BUSY), Box::new(again(BUSY_RETRY_S))),
        (failure(DialResult::InvalidNumber, 404, Cause::NO_ROUTE), Box::new(|_| LeadTurn::Done)),
        (failure(DialResult::NoAnswer, 480, Cause::NO_ANSWER), Box::new(|_| LeadTurn::Done)),
        (failure(DialResult::Rejected, 603, Cause::NORMAL), Box::new(|_| LeadTurn::Done)),
        (
            DialFailure { hang_up: true, ..failure(DialResult::NoAnswer, 0, Cause::NO_ANSWER) },
            Box::new(|_| LeadTurn::Done),
        ),
        (
            failure(DialResult::NotDialled, 0, Cause::TEMPORARY_FAILURE),
            Box::new(again(limit::NOT_DIALLED_RETRY.as_secs())),
        ),
    ];
    for (failure, after) in cases {
        let mut bench = bench();
        let idle_since = bench.idle_since(ANNA);
        let call = bench.dialling(0, ANNA);
        bench.pass(7000);
        bench.not_reached(call, failure.clone());
        let lead = bench.lead(SPRING, 0);
        assert_eq!(bench.shard.turn(&lead), after(bench.wall()), "{failure:?}");
        assert_eq!(lead.last.map(|last| (last.result, last.status)), Some((failure.result, failure.status)));
        assert_eq!(lead.attempts, u8::from(failure.result != DialResult::NotDialled), "nothing sent, nothing counted");
        assert_eq!((bench.state(ANNA), bench.idle_since(ANNA)), (Doing::Idle, idle_since));
        assert_eq!(bench.kinds(call).contains(&hang_up(bench.customer(call))), failure.hang_up);
        let record = &bench.records(call)[0];
        assert_eq!((record.outcome, record.sip_call_id.as_str()), (CallOutcome::NotReached, "to-the-lead"));
        assert_eq!(record.dial.map(|dial| (dial.result, dial.status)), Some((failure.result, failure.status)));
        assert_eq!(bench.ledger(SPRING).count(failure.result), 1);
    }
}

#[test]
fn a_lead_is_not_called_before_its_time_nor_more_often_than_allowed() {
    let mut bench = bench();
    for attempt in 1..=MAX_ATTEMPTS {
        let call = bench.dialling(0, ANNA);
        bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
        let lead = bench.lead(SPRING, 0);
        assert_eq!(lead.attempts, attempt);
        if attempt == MAX_ATTEMPTS {
            assert_eq!((bench.shard.turn(&lead), bench.shard.leads_done(SPRING)), (LeadTurn::Done, 1));
        } else {
            assert_eq!(bench.dial_refused(first(ANNA)), Refusal::NotNow);
            bench.pass(BUSY_RETRY_S * 1000 - 1);
            assert_eq!(bench.dial_refused(first(ANNA)), Refusal::NotNow);
            bench.pass(1);
        }
    }
    bench.pass(24 * 3_600_000);
    assert_eq!(bench.dial_refused(first(ANNA)), Refusal::NotNow);
}

#[test]
fn to_a_lead_nothing_happened_when_the_agent_who_asked_misses_the_own_phone() {
    let mut bench = bench();
    let due = bench.turn(SPRING, 0);
    // Lead 1 is over: nobody shall call it again by themselves.
    let over = bench.dialling(1, BERT);
    bench.not_reached(over, failure(DialResult::InvalidNumber, 404, Cause::NO_ROUTE));
    for (place, before) in [(0, due), (1, LeadTurn::Done)] {
        let (call, leg) = bench.asked_for(SPRING, place, ANNA);
        assert_eq!(bench.turn(SPRING, place as u32), LeadTurn::Dialling { call });
        let miss = Miss { status: 408, cause: Cause::NO_ANSWER, hang_up: true };
        assert_eq!(bench.say(Command::Missed { leg, miss, observed: bench.now }), Outcome::Done);
        assert_eq!(bench.outcome(call), CallOutcome::NotReached);
        assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::NotDialled);
        assert!(bench.kinds(call).contains(&hang_up(leg)), "the agent's phone must stop");
        let lead = bench.lead(SPRING, place as u32);
        assert_eq!((bench.shard.turn(&lead), lead.attempts), (before, place as u8));
        bench.hung_up(call);
        bench.pass(MISS_PAUSE_MS);
        bench.expire();
    }
    assert_eq!(bench.shard.leads_done(SPRING), 1);
}

/// The pause after a failure runs from that failure, not from an agent's vain attempt to ask for the same lead.
#[test]
fn an_agent_who_did_not_come_to_the_phone_puts_a_lead_off_no_further() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    let due = bench.turn(SPRING, 0);
    bench.pass(60_000);
    let (_, leg) = bench.asked_for(SPRING, 0, BERT);
    let miss = Miss { status: 408, cause: Cause::NO_ANSWER, hang_up: true };
    assert_eq!(bench.say(Command::Missed { leg, miss, observed: bench.now }), Outcome::Done);
    assert_eq!(bench.turn(SPRING, 0), due);
}

#[test]
fn a_lead_says_what_is_done_with_it() {
    let mut bench = bench();
    let due = bench.wall();
    let shown = |bench: &Bench| {
        let lead = bench.lead(SPRING, 0);
        (bench.shard.turn(&lead).due(), lead.dialled_by(), bench.shard.turn(&lead) == LeadTurn::Done)
    };
    assert_eq!(shown(&bench), (Some(due), None, false));
    let call = bench.dialling(0, ANNA);
    assert_eq!(shown(&bench), (None, Some(call), false));
    bench.not_reached(call, failure(DialResult::InvalidNumber, 404, Cause(1)));
    assert_eq!(shown(&bench), (None, None, true));
    assert_eq!((bench.shard.leads_done(SPRING), bench.ledger(SPRING).count(DialResult::InvalidNumber)), (1, 1));
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
    assert_eq!(bench.turn(SPRING, 0), LeadTurn::Done);
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
    assert_eq!((ledger.dialled, bench.shard.leads_done(SPRING)), (3, 2));
    assert!(matches!(bench.turn(SPRING, 1), LeadTurn::Due { .. }));
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
    assert_eq!(bench.turn(SPRING, 0).due(), Some(Wall(bench.wall().0 + 7000)));
    bench.dialling(1, ANNA);
    bench.pass(limit::DIAL_WITHIN.as_millis() as u64);
    bench.expire();
    let lead = bench.lead(SPRING, 1);
    assert_eq!(
        (bench.shard.turn(&lead).due(), lead.last.map(|last| last.result)),
        (Some(Wall(bench.wall().0 + 120_000)), Some(DialResult::Unknown))
    );
    bench.say(Command::Tick);
}

/// Hours end at their minute, not in it.
#[test]
fn nobody_is_dialled_from_the_end_of_the_hours_on() {
    let mut bench = bench();
    let until = |not_after| Dial { not_after, ..first(ANNA) };
    let now = bench.wall();
    assert_eq!(bench.dial_refused(until(now)), Refusal::NotNow);
    assert!(matches!(bench.dial(until(Wall(now.0 + 1))), Outcome::Dialled { .. }));
}

/// Whoever changes a policy means those too whose last call ended under the old one.
#[test]
fn the_policy_in_force_is_asked_whenever_somebody_would_be_dialled() {
    let mut bench = bench();
    let busy = bench.dialling(0, ANNA);
    bench.not_reached(busy, failure(DialResult::Busy, 486, Cause::BUSY));
    let silent = bench.dialling(1, ANNA);
    bench.not_reached(silent, failure(DialResult::NoAnswer, 480, Cause::NO_ANSWER));
    let ended = bench.wall();
    let due = |after_s: u64| LeadTurn::Due { at: Wall(ended.0 + after_s * 1000) };
    let rule = |result, after_s| strowger_model::config::Retry { result, after_s };
    let (often, rules) = (tenant().campaigns[0].max_attempts, tenant().campaigns[0].retries.clone());
    let cases = [
        ((often, rules.clone()), [due(BUSY_RETRY_S), LeadTurn::Done]),
        ((1, rules.clone()), [LeadTurn::Done, LeadTurn::Done]),
        ((often, Vec::new()), [LeadTurn::Done, LeadTurn::Done]),
        ((often, vec![rule(DialResult::NoAnswer, 600)]), [LeadTurn::Done, due(600)]),
        ((often, vec![rule(DialResult::Busy, 60)]), [due(60), LeadTurn::Done]),
        ((often, rules), [due(BUSY_RETRY_S), LeadTurn::Done]),
    ];
    bench.pass(24 * 3_600_000);
    for (version, ((max_attempts, retries), turns)) in (2..).zip(cases) {
        let mut config = tenant();
        (config.campaigns[0].max_attempts, config.campaigns[0].retries) = (max_attempts, retries);
        bench.configure(version, config);
        assert_eq!([0, 1].map(|place| bench.turn(SPRING, place)), turns, "{version}");
        let listed = bench.due(SPRING);
        for (place, turn) in (0..).zip(turns) {
            assert_eq!(listed.contains(&place), turn != LeadTurn::Done, "{version}: {listed:?}");
            if turn == LeadTurn::Done {
                let dial = dial(SPRING, DialTo::Lead(LeadId::new(SPRING, place)), ANNA);
                assert_eq!(bench.dial_refused(dial), Refusal::NotNow, "{version}");
            }
        }
        let over = turns.iter().filter(|turn| **turn == LeadTurn::Done).count();
        assert_eq!(bench.shard.leads_done(SPRING), over, "{version}");
    }
}

/// Of a policy that changes no row tells, and whoever paces must look.
#[test]
fn a_policy_that_changes_names_its_campaign() {
    let mut bench = bench();
    let mut config = tenant();
    config.campaigns[0].max_attempts += 1;
    let mut named = Vec::new();
    for command in Command::configuring(2, &config) {
        let applied = bench.enter(Proposal { from: ONE, seq: 0, body: Body::Shard(command) });
        let Touched::Few(rows) = applied.touched else { panic!("that much changed?") };
        named.extend(rows);
    }
    assert!(named.contains(&RowKey::Campaign(SPRING)), "{named:?}");
}
