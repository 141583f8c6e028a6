//! Calls in line, agents in line, and who gets whom.

use strowger_model::{Cause, LegKey, Outcome as CallOutcome};
use strowger_table::{Command, Offer, Outcome, Plan, Refusal, Stage, Then, limit};

use crate::bench::{Bench, Doing, enqueue};
use crate::sample::*;

#[test]
fn the_place_in_the_queue_is_kept_through_offer_miss_and_adoption() {
    let mut bench = Bench::new();
    let first = bench.waiting(SALES);
    let second = bench.waiting(SALES);
    let place = bench.place(first);
    assert_eq!(bench.line(SALES), [first, second]);

    let leg = bench.offer(first, ANNA);
    assert_eq!(bench.line(SALES), [second], "an offered call is not offered again");
    assert!(bench.place(first).is_in_queue());
    let missed = bench.missed_command(leg, Cause::BUSY);
    assert_eq!(bench.say(missed), Outcome::Done);
    assert_eq!(bench.line(SALES), [first, second]);

    let heirs = vec![(TWO.node, TWO.incarnation)];
    let adopt = Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs };
    assert_eq!(bench.say_as(TWO, adopt), Outcome::Done);
    assert_eq!(bench.line(SALES), [first, second]);
    assert_eq!((bench.place(first).id, bench.place(first).rank), (place.id, place.rank));
    assert!(bench.shard.waiting_queues().eq([SALES]));
    assert_eq!(bench.shard.line(SALES).map(|(rank, _)| rank).next(), Some(place.rank));
}

#[test]
fn one_agent_is_never_in_two_offers() {
    let mut bench = Bench::new();
    let (first, second) = (bench.waiting(SALES), bench.waiting(SALES));
    assert_eq!(bench.plan(&[(first, ANNA), (second, ANNA)]), 0b01);
    assert_eq!(bench.line(SALES), [second]);
    assert_eq!(bench.plan(&[(second, ANNA), (second, BERT)]), 0b10, "the plan goes on after a refusal");
    assert!(bench.idle(SALES).is_empty());
}

#[test]
fn an_agent_of_another_queue_gets_no_offer() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    assert_eq!(bench.plan(&[(call, DORA)]), 0);
    // Nor when the plan names the agent's queue instead of the call's.
    let offers = vec![Offer { queue: SUPPORT, ..bench.offer_of(call, DORA) }];
    assert_eq!(bench.planned(offers), 0);
    assert_eq!(bench.state(DORA), Doing::Idle);
}

#[test]
fn only_a_call_that_waits_is_offered_and_only_to_an_agent_who_is_there() {
    let mut bench = Bench::new();
    let gone = bench.waiting(SALES);
    bench.end(gone, CALLER_LEFT);
    let flowing = bench.flowing();
    let waiting = bench.waiting(SALES);
    let unknown = strowger_model::CallId::new(SHARD, 4711);
    let nobody = strowger_model::AgentId(99);
    assert_eq!(bench.plan(&[(gone, ANNA), (flowing, ANNA), (unknown, ANNA), (waiting, nobody), (waiting, CARL)]), 0);
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
}

#[test]
fn a_plan_longer_than_the_limit_is_refused_as_a_whole() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let offer = bench.offer_of(call, ANNA);
    let plan = |offers| Command::Plan(Plan { basis: 0, offers: vec![offer; offers] });
    assert_eq!(bench.refused(plan(limit::OFFERS_PER_PLAN + 1)), Refusal::TooLong);
    assert_eq!(bench.say(plan(limit::OFFERS_PER_PLAN)), Outcome::Planned { granted: 1 });
}

#[test]
fn an_answered_offer_connects_the_two() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    assert_eq!(bench.state(ANNA), Doing::Offered { call, leg });
    bench.pass(3000);
    let connect = bench.connect_command(call, leg);
    assert_eq!(bench.say_as(TWO, connect.clone()), Refusal::NotOwner.into());
    assert_eq!(bench.say(connect.clone()), Outcome::Done);
    assert_eq!(bench.call(call).stage, Stage::Talking);
    assert_eq!(bench.state(ANNA), Doing::Talking { call });
    assert_eq!(bench.agent(ANNA).answered, 1);
    assert_eq!(bench.refused(connect), Refusal::WrongStage);

    bench.pass(60_000);
    bench.end(call, AGENT_LEFT);
    let [record] = &bench.records(call)[..] else { panic!("one record") };
    assert_eq!((record.outcome, record.agent, record.queue), (CallOutcome::Answered, Some(ANNA), Some(SALES)));
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms), (Some(3000), Some(3000), Some(60_000)));
    assert_eq!((record.offers, record.total_ms), (1, 63_000));
    assert_eq!(record.agent_sip_call_id, Some(format!("agent-{call}")));
}

#[test]
fn an_answer_after_the_offer_expired_is_refused() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    bench.expire_next();
    let late = bench.connect_command(call, leg);
    assert_eq!(bench.refused(late.clone()), Refusal::WrongStage);
    // Nor does it pass for an answer to the next offer.
    let next = bench.offer(call, BERT);
    assert_ne!(leg, next);
    assert_eq!(bench.refused(late), Refusal::WrongStage);
    assert_eq!(bench.state(BERT), Doing::Offered { call, leg: next });
}

#[test]
fn a_caller_who_leaves_while_offered_costs_the_agent_no_place_and_no_miss() {
    let mut bench = Bench::new();
    let since = bench.idle_since(ANNA);
    let (call, _) = bench.offered(ANNA);
    bench.pass(4000);
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.outcome(call), CallOutcome::Abandoned);
    bench.hung_up(call);
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
    assert_eq!((bench.idle_since(ANNA), bench.agent(ANNA).misses), (since, 0));
}

#[test]
fn a_full_queue_sends_the_call_on_or_ends_it() {
    let mut bench = Bench::new();
    for _ in 0..MAX_WAITING {
        bench.waiting(SALES);
    }
    let sent_on = bench.flowing();
    assert_eq!(bench.say(enqueue(sent_on, SALES, Then::Step(2))), Outcome::Done);
    assert_eq!(bench.step(sent_on), Some(2));
    bench.end(sent_on, CALLER_LEFT);
    assert_eq!(bench.outcome(sent_on), CallOutcome::Overflowed);
    assert_eq!(bench.records(sent_on)[0].wait_ms, None, "it never waited");

    let ended = bench.flowing();
    assert_eq!(bench.say(enqueue(ended, SALES, Then::End)), Outcome::Done);
    assert_eq!(bench.outcome(ended), CallOutcome::Overflowed);
    assert_eq!(bench.line(SALES).len(), MAX_WAITING as usize);
    // The other queue has room.
    bench.waiting(SUPPORT);
}

#[test]
fn a_changed_dialog_is_kept_while_the_call_lives() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let agent = bench.agent_leg(call);
    let redialog = |leg, dialog| Command::Redialog { leg, dialog, relay: None, holds: false };
    let moved = dialog(strowger_model::Role::Uac, "moved");
    for leg in [bench.customer(call), agent] {
        assert_eq!(bench.say(redialog(leg, moved.clone())), Outcome::Done);
        assert_eq!(bench.shard.dialog(leg).map(|dialog| &**dialog), Some(&*moved));
    }
    let other_leg = LegKey { leg: strowger_model::LegNo(9), ..agent };
    assert_eq!(bench.refused(redialog(other_leg, moved.clone())), Refusal::NoSuchLeg);
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.refused(redialog(agent, moved)), Refusal::WrongStage);
}
