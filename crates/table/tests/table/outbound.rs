//! Outbound calls: agent and lead are taken in one entry, and whatever comes of it, both are given back.

use strowger_model::{
    CampaignId, Cause, DialResult, Ended, HangupBy, LeadId, Outcome as CallOutcome, TenantId, TrunkId, Wall,
};
use strowger_table::{
    BarList, Body, Command, Dial, DialFailure, DialRecord, DialTo, DutyKind, LeadTurn, Outcome, Proposal, Refusal,
    Scope, Stage, limit,
};

use crate::bench::{Bench, Doing, dial, failure, hang_up, not_ready};
use crate::sample::*;

const FIRST: DialTo = DialTo::Lead(LeadId(1 << 32));

/// Spring with three leads: places 0, 1 and 2.
pub fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..3);
    bench
}

fn first(agent: strowger_model::AgentId) -> Dial {
    dial(SPRING, FIRST, agent)
}

#[test]
fn agent_and_lead_are_taken_in_the_entry_that_dials() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    assert_eq!(bench.state(ANNA), Doing::Reserved { call });
    assert_eq!(bench.idle(SALES), [BERT], "a reserved agent is offered nothing");
    let lead = bench.lead(SPRING, 0);
    assert_eq!((bench.shard.turn(&lead), lead.attempts), (LeadTurn::Dialling { call }, 1));
    assert_eq!(bench.due(SPRING), [1, 2]);
    assert_eq!(bench.shard.dialled(ACME, number(0)), Some(call));
    assert_eq!(bench.kinds(call), [DutyKind::Originate { leg: bench.customer(call) }]);
    let row = bench.call(call);
    assert_eq!((row.stage, row.stage_name()), (Stage::Reaching, "dialling"));
    assert_eq!((row.relays(), row.to()), (vec![RELAY], "+442071830000"));
    assert_eq!((row.owner.node, row.owner.incarnation), (ONE.node, ONE.incarnation));
    assert_eq!((bench.shard.relay_legs(RELAY), bench.ledger(SPRING).dialled), (1, 1));
    let trunk = row.trunk().unwrap();
    assert_eq!(
        (bench.shard.lines(trunk), bench.shard.lines(TrunkId(trunk.0 + 1))),
        (1, 0),
        "the agent's leg takes none"
    );
}

#[test]
fn what_cannot_be_dialled_is_refused_and_changes_nothing() {
    let mut bench = bench();
    bench.import(SUMMER, [9]);
    let later = bench.wall();
    let unknown = CampaignId(99);
    let cases = [
        (Dial { campaign: unknown, ..first(ANNA) }, Refusal::NoSuchCampaign),
        (dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 3)), ANNA), Refusal::NoSuchLead),
        (dial(SPRING, DialTo::Lead(LeadId::new(SUMMER, 0)), ANNA), Refusal::NoSuchLead),
        (dial(SUMMER, DialTo::Lead(LeadId::new(SUMMER, 0)), ANNA), Refusal::Stopped),
        (Dial { not_after: later, ..first(ANNA) }, Refusal::NotNow),
        (first(strowger_model::AgentId(99)), Refusal::NoSuchAgent),
        (first(DORA), Refusal::AgentBusy),
        (first(CARL), Refusal::AgentBusy),
    ];
    for (dial, refusal) in cases {
        let refused = bench.refused_without_trace(Command::Dial(Box::new(dial.clone())));
        assert_eq!(refused, refusal, "{dial:?}");
    }
    assert!(matches!(bench.dial(first(ANNA)), Outcome::Dialled { .. }));
}

#[test]
fn a_campaign_by_hand_dials_no_leads_by_itself() {
    let mut bench = Bench::new();
    bench.import(BY_HAND, [1]);
    bench.say(Command::Run { campaign: BY_HAND, running: true });
    let lead = dial(BY_HAND, DialTo::Lead(LeadId::new(BY_HAND, 0)), ANNA);
    assert_eq!(bench.dial_refused(lead), Refusal::Stopped);
}

#[test]
fn an_owner_that_is_gone_is_given_no_call() {
    let mut bench = bench();
    bench.say_as(TWO, Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs: Vec::new() });
    let refused = bench.say_as(TWO, Command::Dial(Box::new(first(ANNA)))).refusal();
    assert_eq!(refused, Some(Refusal::Fenced));
}

#[test]
fn a_stopped_campaign_finishes_its_calls_and_begins_none() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    assert_eq!(bench.say(Command::Run { campaign: SPRING, running: false }), Outcome::Done);
    assert_eq!(bench.dial_refused(dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 1)), BERT)), Refusal::Stopped);
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached), Outcome::Done);
    bench.say(Command::Run { campaign: SPRING, running: true });
    bench.dialling(1, BERT);
}

#[test]
fn nobody_is_on_two_calls() {
    let mut bench = bench();
    bench.import(SUMMER, [0, 5]);
    bench.say(Command::Run { campaign: SUMMER, running: true });
    let call = bench.dialling(0, ANNA);
    assert_eq!(bench.dial_refused(first(BERT)), Refusal::LeadBusy);
    assert_eq!(bench.dial_refused(dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 1)), ANNA)), Refusal::AgentBusy);
    // The same number on another list, and by hand.
    let same = |bench: &mut Bench| bench.dial_refused(dial(SUMMER, DialTo::Lead(LeadId::new(SUMMER, 0)), BERT));
    assert_eq!(same(&mut bench), Refusal::LeadBusy);
    let by_hand = dial(BY_HAND, DialTo::Number { number: number(0) }, BERT);
    assert_eq!(bench.dial_refused(by_hand), Refusal::LeadBusy);

    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    assert!(matches!(bench.dial(dial(SUMMER, DialTo::Lead(LeadId::new(SUMMER, 0)), BERT)), Outcome::Dialled { .. }));
}

#[test]
fn the_reserved_agent_is_rung_in_the_entry_that_says_reached() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.done(call, DutyKind::Originate { leg: bench.customer(call) });
    bench.pass(4000);
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached.clone()), Outcome::Done);
    let row = bench.call(call);
    let leg = row.leg(bench.ringing(call)).unwrap();
    assert_eq!((leg.agent(), leg.relay), (Some(ANNA), Some(AGENT_RELAY)));
    assert_eq!(bench.state(ANNA), Doing::Offered { call, leg: leg.key });
    assert_eq!(bench.kinds(call), [DutyKind::Ring { leg: leg.key }]);
    assert_eq!(row.enqueued(), Some(bench.now));
    assert_eq!((bench.shard.relay_legs(RELAY), bench.shard.relay_legs(AGENT_RELAY)), (1, 1));
    assert_eq!(bench.refused(reached), Refusal::WrongStage, "once");

    bench.pass(500);
    let connect = bench.connect_command(call, leg.key);
    assert_eq!(bench.say(connect), Outcome::Done);
    bench.pass(60_000);
    bench.end(call, CALLER_LEFT);
    let record = &bench.records(call)[0];
    let says =
        DialRecord { campaign: SPRING, lead: Some(LeadId::new(SPRING, 0)), result: DialResult::Connected, status: 200 };
    assert_eq!((record.outcome, record.dial), (CallOutcome::Answered, Some(says)));
    assert_eq!((record.agent, record.wait_ms, record.talk_ms), (Some(ANNA), Some(500), Some(60_000)));
    let lead = bench.lead(SPRING, 0);
    assert_eq!((bench.shard.turn(&lead), lead.last.unwrap().result), (LeadTurn::Done, DialResult::Connected));
    assert_eq!((bench.shard.leads_done(SPRING), bench.ledger(SPRING).count(DialResult::Connected)), (1, 1));
    assert_eq!(bench.shard.relay_legs(RELAY) + bench.shard.relay_legs(AGENT_RELAY), 0);
    assert_eq!(bench.shard.dialled(ACME, number(0)), None);
}

#[test]
fn a_called_party_waits_like_a_caller_when_the_agent_is_gone() {
    let mut bench = Bench::new();
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    bench.import(SPRING, 0..2);
    let call = bench.dialling(0, CARL);
    bench.say(Command::Unbind { agent: CARL, instance: None });
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached), Outcome::Done);
    assert_eq!((bench.line(SALES), bench.state(CARL)), (vec![call], Doing::LoggedOut));
    bench.offer(call, BERT);

    // Hangs up before anybody is there: abandoned, and so the lead reads.
    bench.end(call, CALLER_LEFT);
    let record = &bench.records(call)[0];
    assert_eq!(record.outcome, CallOutcome::Abandoned);
    assert_eq!(record.dial.unwrap().result, DialResult::Abandoned);
}

#[test]
fn an_agent_who_misses_a_called_party_is_passed_over() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    let reached = bench.reached_command(call);
    bench.say(reached);
    let leg = bench.ringing(call);
    let missed = bench.missed_command(leg, Cause::BUSY);
    assert_eq!(bench.say(missed), Outcome::Done);
    assert_eq!(bench.line(SALES), [call]);
    assert!(matches!(bench.state(ANNA), Doing::Paused { .. }));
    bench.offer(call, BERT);
}

#[test]
fn nobody_is_dialled_for_an_agent_whom_a_caller_waits_for() {
    let mut bench = bench();
    let caller = bench.waiting(SALES);
    assert_eq!(bench.dial_refused(first(ANNA)), Refusal::AgentBusy);
    bench.offer(caller, BERT);
    assert!(matches!(bench.dial(first(ANNA)), Outcome::Dialled { .. }), "nobody waits any more");
}

#[test]
fn a_number_is_free_when_its_phone_has_been_told_that_the_last_call_is_over() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.say(bench.reached_command(call));
    let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
    bench.say(Command::End { call, ended, observed: bench.now });
    assert_eq!(bench.shard.dialled(ACME, number(0)), Some(call));
    let again = || dial(SPRING, DialTo::Number { number: number(0) }, BERT);
    assert_eq!(bench.dial_refused(again()), Refusal::LeadBusy);
    bench.done(call, hang_up(bench.customer(call)));
    assert_eq!(bench.shard.dialled(ACME, number(0)), None);
    assert!(matches!(bench.dial(again()), Outcome::Dialled { .. }));
}

#[test]
fn an_intent_that_nobody_performs_is_unknown_and_left_alone_for_long() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    assert_eq!(bench.shard.next_lease(), Some(bench.now + limit::DIAL_WITHIN));
    bench.expire_next();
    let record = &bench.records(call)[0];
    assert_eq!((record.outcome, record.dial.unwrap().result), (CallOutcome::NotReached, DialResult::Unknown));
    assert_eq!(
        (bench.hang_ups(call), bench.closes(call)),
        (vec![bench.customer(call)], vec![(RELAY, bench.customer(call))])
    );
    assert_eq!(bench.state(ANNA), Doing::Idle);
    let lead = bench.lead(SPRING, 0);
    let at = Wall(bench.wall().0 + limit::UNKNOWN_RETRY.as_millis() as u64);
    assert_eq!((bench.shard.turn(&lead), lead.attempts), (LeadTurn::Due { at }, 1));
}

#[test]
fn a_dialling_nobody_reports_on_ends_after_the_ring_time() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.done(call, DutyKind::Originate { leg: bench.customer(call) });
    bench.expire_next();
    assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::Unknown);
    let waited = bench.now.since(bench.call(call).times.admitted).as_millis() as u64;
    assert!((DIAL_RING_MS..DIAL_RING_MS + 5000).contains(&waited), "{waited}");
}

#[test]
fn what_the_far_end_said_is_true_whoever_reports_it_and_a_decision_is_the_owners() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    let (leg, observed) = (bench.customer(call), bench.now);
    let gave_up = DialFailure { hang_up: true, ..failure(DialResult::NoAnswer, 0, Cause::NO_ANSWER) };
    let decided = Command::NotReached { leg, failure: gave_up, observed };
    assert_eq!(bench.say_as(TWO, decided).refusal(), Some(Refusal::NotOwner));
    let busy = failure(DialResult::Busy, 486, Cause::BUSY);
    assert_eq!(bench.say_as(TWO, Command::NotReached { leg, failure: busy, observed }), Outcome::Done);
}

#[test]
fn an_agent_who_asks_for_a_number_is_rung_first() {
    let mut bench = bench();
    bench.not_ready(ANNA, "lunch");
    let (call, leg) = bench.asked_for(BY_HAND, 7, ANNA);
    assert_eq!(bench.kinds(call), [DutyKind::Ring { leg }], "the number is not called yet");
    assert_eq!(bench.ledger(BY_HAND).dialled, 0);
    let connect = bench.connect_command(call, leg);
    assert_eq!(bench.say(connect), Outcome::Done);
    assert_eq!(
        (bench.kinds(call), bench.ledger(BY_HAND).dialled),
        (vec![DutyKind::Originate { leg: bench.customer(call) }], 1)
    );
    assert_eq!(bench.state(ANNA), Doing::Talking { call });
    bench.pass(3000);
    let reached = bench.reached_command(call);
    assert_eq!(bench.say(reached), Outcome::Done);
    assert_eq!(bench.call(call).stage, Stage::Talking);
    bench.pass(10_000);
    bench.end(call, AGENT_LEFT);
    let record = &bench.records(call)[0];
    assert_eq!((record.outcome, record.talk_ms), (CallOutcome::Answered, Some(10_000)));
    assert_eq!(record.dial.map(|dial| (dial.lead, dial.result)), Some((None, DialResult::Connected)));
    bench.expire_next();
    bench.expire_next();
    assert_eq!(bench.state(ANNA), not_ready("lunch"), "as before the call");
}

#[test]
fn an_agent_who_hangs_up_while_the_called_phone_rings_ends_the_call() {
    let mut bench = bench();
    let (call, leg) = bench.asked_for(SPRING, 1, ANNA);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.done(call, DutyKind::Originate { leg: bench.customer(call) });
    bench.end(call, AGENT_LEFT);
    let record = &bench.records(call)[0];
    assert_eq!((record.outcome, record.talk_ms), (CallOutcome::NotReached, None));
    assert_eq!(record.dial.unwrap().result, DialResult::NoAnswer);
    assert!(bench.kinds(call).contains(&hang_up(bench.customer(call))));
}

/// Its phone may ring by now, or nothing was ever sent.
#[test]
fn whoever_gives_a_call_up_before_its_invite_is_reported_leaves_its_result_unknown() {
    let by_operator = Ended { by: HangupBy::System, cause: Cause::NORMAL };
    for ended in [AGENT_LEFT, by_operator] {
        let mut bench = bench();
        let (call, leg) = bench.asked_for(SPRING, 1, ANNA);
        let connect = bench.connect_command(call, leg);
        bench.say(connect);
        bench.end(call, ended);
        assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::Unknown, "{ended:?}");
        let lead = bench.lead(SPRING, 1);
        assert_eq!((lead.attempts, lead.last.unwrap().result), (1, DialResult::Unknown));
        let again = limit::UNKNOWN_RETRY.as_millis() as u64;
        assert_eq!(
            bench.shard.turn(&lead),
            LeadTurn::Due { at: Wall(bench.wall().0 + again) },
            "nobody is called twice in a row"
        );
    }
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.end(call, by_operator);
    assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::Unknown);
    // The agent's own phone rings: the number has not been called.
    let (call, _) = bench.asked_for(BY_HAND, 7, BERT);
    bench.end(call, by_operator);
    assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::NotDialled);
}

#[test]
fn an_agent_may_ask_for_a_lead_whose_turn_has_not_come() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    let (call, _) = bench.asked_for(SPRING, 0, ANNA);
    assert_eq!(bench.call(call).outbound().unwrap().lead, Some(LeadId::new(SPRING, 0)));
    // A busy agent may not ask.
    let other = dial(SPRING, DialTo::Number { number: number(2) }, ANNA);
    assert_eq!(bench.dial_refused(other), Refusal::AgentBusy);
}

#[test]
fn barred_numbers_are_not_dialled_by_anybody() {
    let bar = |scope, lift| Command::Bar { list: BarList::DoNotCall, scope, numbers: vec![number(0)], lift };
    for scope in [Scope::Everyone, Scope::Tenant(ACME)] {
        let mut bench = bench();
        assert_eq!(bench.say(bar(scope, false)), Outcome::Done);
        assert_eq!(bench.due(SPRING), [1, 2]);
        assert_eq!(bench.dial_refused(first(ANNA)), Refusal::Barred);
        let by_hand = dial(BY_HAND, DialTo::Number { number: number(0) }, ANNA);
        assert_eq!(bench.dial_refused(by_hand.clone()), Refusal::Barred);
        // Bars of another list, and of another's list, do not count.
        bench.say(bar(scope, true));
        let callers = Command::Bar { list: BarList::Callers, scope, numbers: vec![number(0)], lift: false };
        assert_eq!(bench.say(callers), Outcome::Done);
        assert_eq!(bench.refused(bar(Scope::Tenant(TenantId(99)), false)), Refusal::NoSuchTenant);
        assert_eq!(bench.due(SPRING), [0, 1, 2]);
        bench.dialling(0, ANNA);
    }
}

/// The number is dialled by the entry that says that the agent is on the line.
#[test]
fn a_number_that_is_barred_while_the_agents_phone_rings_is_not_dialled() {
    for scope in [Scope::Everyone, Scope::Tenant(ACME)] {
        let mut bench = bench();
        let (call, leg) = bench.asked_for(SPRING, 0, ANNA);
        let before = bench.ledger(SPRING).dialled;
        bench.say(Command::Bar { list: BarList::DoNotCall, scope, numbers: vec![number(0)], lift: false });
        let connect = bench.connect_command(call, leg);
        assert_eq!(bench.say(connect), Outcome::Done, "the agent answered, and is told to hang up");
        assert_eq!(bench.hang_ups(call), [leg]);
        let record = &bench.records(call)[0];
        assert_eq!((record.outcome, record.dial.unwrap().result), (CallOutcome::NotReached, DialResult::NotDialled));
        assert_eq!((bench.ledger(SPRING).dialled, bench.lead(SPRING, 0).attempts), (before, 0));
    }
}

#[test]
fn hours_that_end_while_the_agents_phone_rings_end_the_call() {
    let asked = |bench: &mut Bench| {
        let not_after = Wall(bench.wall().0 + 2000);
        let wanted = Dial { not_after, ..dial(SPRING, DialTo::Number { number: number(0) }, ANNA) };
        let Outcome::Dialled { call } = bench.dial(wanted) else { panic!("not dialled") };
        (call, bench.ringing(call))
    };
    // Within them it is dialled, and rings on when they end.
    let mut bench = bench();
    let (call, leg) = asked(&mut bench);
    bench.pass(1999);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    assert_eq!(bench.kinds(call), [DutyKind::Originate { leg: bench.customer(call) }]);
    bench.pass(1000);
    bench.expire();
    assert_eq!(bench.call(call).stage_name(), "dialling");
    // The agent answers too late, before anybody says that it is.
    let mut bench = self::bench();
    let (call, leg) = asked(&mut bench);
    bench.pass(2000);
    let connect = bench.connect_command(call, leg);
    assert_eq!(bench.say(connect), Outcome::Done);
    assert_eq!(bench.hang_ups(call), [leg]);
    assert_eq!(bench.records(call)[0].dial.unwrap().result, DialResult::NotDialled);
    // The agent does not answer.
    let mut bench = self::bench();
    let (call, leg) = asked(&mut bench);
    bench.pass(2000);
    bench.expire();
    assert_eq!((bench.outcome(call), bench.hang_ups(call)), (CallOutcome::NotReached, vec![leg]));
}

#[test]
fn a_failed_attempt_is_at_most_three_entries() {
    let mut bench = bench();
    let before = bench.log.len();
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    let duties = bench.call(call).duties.iter().map(|duty| (call, duty.id)).collect();
    bench.say(Command::Done { duties });
    // The first of a campaign comes to its owner.
    let is_assigned = |(_, proposal): &&(_, Proposal)| matches!(proposal.body, Body::Shard(Command::Assign { .. }));
    assert!(bench.log[before..].iter().filter(|entry| !is_assigned(entry)).count() <= 3);
    assert_eq!(bench.kinds(call), []);
    assert_eq!(bench.state(ANNA), Doing::Idle);
}

#[test]
fn an_heir_knows_of_a_call_that_is_being_dialled() {
    let mut bench = bench();
    let call = bench.dialling(0, ANNA);
    bench.done(call, DutyKind::Originate { leg: bench.customer(call) });
    let heirs = vec![(TWO.node, TWO.incarnation)];
    bench.say_as(TWO, Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs });
    let end = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
    assert_eq!(bench.say_as(TWO, Command::End { call, ended: end, observed: bench.now }), Outcome::Done);
    assert_eq!(bench.state(ANNA), Doing::Idle);
    assert!(bench.kinds(call).contains(&hang_up(bench.customer(call))));
    assert_eq!(bench.outcome(call), CallOutcome::NotReached);
}
