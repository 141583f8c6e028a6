//! Legs beyond the plain call: several phones at once, other relays, a far end that leaves, an owner that begins again.

use std::time::Duration;

use strowger_model::{Cause, Far, Incarnation, LegKey, Line, NodeId, Outcome as CallOutcome, Role};
use strowger_table::{
    Binding, Command, Dial, DialTo, DutyKind, How, LegState, Offer, Outcome, Proposer, Refusal, Released, RowKey,
    SegmentKind, Stage, ToldBy, Touched, limit,
};

use crate::bench::{Bench, Doing, dial};
use crate::sample::*;

fn left(leg: LegKey, told_by: ToldBy, bench: &Bench) -> Command {
    Command::Left { leg, cause: Cause::NORMAL, told_by, observed: bench.now }
}

/// A call for which these phones ring at once.
fn ringing_all(bench: &mut Bench, agents: &[strowger_model::AgentId]) -> (strowger_model::CallId, Vec<LegKey>) {
    let call = bench.waiting(SALES);
    let offers: Vec<_> = agents.iter().map(|agent| Offer { ring_all: true, ..bench.offer_of(call, *agent) }).collect();
    assert_eq!(bench.planned(offers), (1 << agents.len()) - 1);
    let legs = bench.call(call).ringing().map(|leg| leg.key).collect();
    (call, legs)
}

#[test]
fn of_several_phones_the_first_to_answer_has_the_call_and_the_others_stop() {
    let mut bench = Bench::new();
    let since = bench.idle_since(BERT);
    let (call, legs) = ringing_all(&mut bench, &[ANNA, BERT]);
    assert!(bench.line(SALES).is_empty());
    bench.pass(2000);
    let answered = bench.connect_command(call, legs[0]);
    assert_eq!(bench.say(answered), Outcome::Done);
    assert_eq!(bench.call(call).stage, Stage::Talking);
    assert_eq!(bench.shard.serving(call), Some(ANNA));
    let lost = bench.call(call).leg(legs[1]).unwrap().state;
    assert!(matches!(lost, LegState::Releasing { why: Released::Elsewhere, .. }));
    assert_eq!(bench.hang_ups(call), [legs[1]]);
    // Taken back is no miss and costs no place in line.
    assert_eq!((bench.state(BERT), bench.idle_since(BERT), bench.agent(BERT).misses), (Doing::Releasing, since, 0));
    let ring = |leg| bench.call(call).segments.iter().find(|piece| piece.leg == Some(leg)).unwrap().how;
    assert_eq!((ring(legs[0]), ring(legs[1])), (How::Served, How::Withdrawn));

    // The second to answer comes too late.
    let late = bench.connect_command(call, legs[1]);
    assert_eq!(bench.refused(late), Refusal::WrongStage);
}

#[test]
fn a_place_is_back_in_line_when_the_last_of_its_phones_was_missed() {
    let mut bench = Bench::new();
    let (call, legs) = ringing_all(&mut bench, &[ANNA, BERT]);
    bench.say(bench.missed_command(legs[1], Cause::BUSY));
    assert!(bench.line(SALES).is_empty(), "one phone rings still");
    bench.say(bench.missed_command(legs[0], Cause::BUSY));
    assert_eq!(bench.line(SALES), [call]);
    assert_eq!(bench.call(call).offers(), 2);
}

#[test]
fn who_left_before_a_phone_was_rung_is_told_of_without_a_gap() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    // The plan overtakes the hang-up on its way to the log.
    let gone = left(bench.customer(call), ToldBy::FarEnd, &bench);
    bench.pass(40);
    bench.offer(call, ANNA);
    assert_eq!(bench.say(gone), Outcome::Done);
    let record = bench.records(call).pop().unwrap();
    let ends: Vec<_> = record.segments.iter().filter_map(|piece| piece.to).collect();
    let end = ends.iter().max().unwrap();
    assert_eq!(record.total_ms, end.since(record.began).as_millis() as u64, "{:?}", record.segments);
    let piece = |kind| record.segments.iter().find(|piece| piece.kind == kind).unwrap();
    let (wait, ring) = (piece(SegmentKind::Wait), piece(SegmentKind::Ring));
    assert!(wait.from <= ring.from && ring.to <= wait.to, "a phone rings within a wait: {wait:?}, {ring:?}");
}

#[test]
fn only_a_group_said_in_one_plan_rings_together() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let both = [bench.offer_of(call, ANNA), Offer { ring_all: true, ..bench.offer_of(call, BERT) }];
    assert_eq!(bench.planned(both.to_vec()), 0b01, "an offer alone is alone");
    let later = Offer { ring_all: true, ..bench.offer_of(call, BERT) };
    assert_eq!(bench.planned(vec![later]), 0, "nor does one join later");
}

#[test]
fn what_a_far_end_did_is_taken_from_anyone_and_what_a_clock_says_from_the_owner() {
    for told_by in [ToldBy::Silence, ToldBy::DeadMedia] {
        let mut bench = Bench::new();
        let call = bench.talking(ANNA);
        let leg = bench.agent_leg(call);
        let command = left(leg, told_by, &bench);
        assert_eq!(bench.say_as(TWO, command.clone()), Refusal::NotOwner.into());
        assert_eq!(bench.say(command), Outcome::Done);
        // It may still be there: it is told.
        assert!(bench.hang_ups(call).contains(&leg));
    }
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    let gone = left(leg, ToldBy::FarEnd, &bench);
    assert_eq!(bench.say_as(TWO, gone.clone()), Outcome::Done);
    assert_eq!(bench.hang_ups(call), [bench.customer(call)]);
    assert_eq!(bench.say_as(TWO, gone), Refusal::WrongStage.into(), "once");
    assert_eq!(bench.outcome(call), CallOutcome::Answered);
}

#[test]
fn a_leg_has_two_relays_until_its_far_end_agreed_to_move() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    let rehome = |relay| Command::Rehome { legs: vec![(leg, relay)] };
    let third = strowger_model::RelayId(3);
    assert_eq!(bench.say(rehome(third)), Outcome::Done);
    // A second thought: what the first relay opened is closed.
    assert_eq!(bench.say(rehome(AGENT_RELAY)), Outcome::Done);
    assert_eq!(bench.closes(call), [(third, leg)]);
    assert_eq!(bench.call(call).relays(), [RELAY, AGENT_RELAY, third]);

    let moved = |relay| Command::Redialog { leg, dialog: dialog(Role::Uac, "moved"), relay, holds: false };
    assert_eq!(bench.say(moved(None)), Outcome::Done);
    assert_eq!(bench.call(call).leg(leg).unwrap().next_relay, Some(AGENT_RELAY), "something else changed");
    assert_eq!(bench.say(moved(Some(AGENT_RELAY))), Outcome::Done);
    let row = bench.call(call);
    assert_eq!((row.leg(leg).unwrap().relay, row.leg(leg).unwrap().next_relay), (Some(AGENT_RELAY), None));
    assert_eq!(bench.closes(call), [(third, leg), (RELAY, leg)]);
    bench.done(call, DutyKind::Close { relay: RELAY, leg });

    // A leg that goes while it moves leaves two.
    bench.say(rehome(RELAY));
    bench.end(call, AGENT_LEFT);
    assert!([RELAY, AGENT_RELAY].iter().all(|relay| bench.closes(call).contains(&(*relay, leg))));
}

/// The relay that a leg goes back to after all was told to close its port: it must not do so under the voice to come.
#[test]
fn a_leg_that_goes_back_to_a_relay_takes_the_order_to_close_its_port_back() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    let rehome = |relay| Command::Rehome { legs: vec![(leg, relay)] };
    let third = strowger_model::RelayId(3);
    for relay in [third, AGENT_RELAY, third] {
        assert_eq!(bench.say(rehome(relay)), Outcome::Done);
    }
    assert_eq!(bench.closes(call), [(AGENT_RELAY, leg)]);
    let moved = Command::Redialog { leg, dialog: dialog(Role::Uac, "moved"), relay: Some(third), holds: false };
    assert_eq!(bench.say(moved), Outcome::Done);
    assert_eq!(bench.closes(call), [(AGENT_RELAY, leg), (RELAY, leg)]);
}

/// A relay that began anew has lost its legs, and nothing is left there to be closed.
#[test]
fn a_leg_may_be_put_on_its_own_relay_again() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    let again = Command::Rehome { legs: vec![(leg, RELAY)] };
    assert_eq!(bench.say(again.clone()), Outcome::Done);
    assert_eq!(bench.call(call).leg(leg).unwrap().next_relay, Some(RELAY), "an heir goes on with it");
    let moved = Command::Redialog { leg, dialog: dialog(Role::Uac, "moved"), relay: Some(RELAY), holds: false };
    assert_eq!(bench.say(moved), Outcome::Done);
    let row = bench.call(call);
    assert_eq!((row.leg(leg).unwrap().relay, row.leg(leg).unwrap().next_relay), (Some(RELAY), None));
    assert_eq!(bench.closes(call), []);

    // One that goes meanwhile leaves one relay, once; one that goes elsewhere after all has left nothing there.
    bench.say(again.clone());
    bench.say(Command::Rehome { legs: vec![(leg, AGENT_RELAY)] });
    assert_eq!(bench.closes(call), []);
    bench.say(again);
    assert_eq!(bench.closes(call), [(AGENT_RELAY, leg)]);
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.closes(call).iter().filter(|closed| **closed == (RELAY, leg)).count(), 1);
}

#[test]
fn an_owner_that_begins_again_fences_itself_and_leaves_a_gap_in_each_leg() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let before = bench.call(call);
    let retake = Command::Retake { row: RowKey::Call(call) };
    assert_eq!(bench.say_as(TWO, retake.clone()), Refusal::NotOwner.into());
    assert_eq!(bench.say(retake), Outcome::Done);
    let row = bench.call(call);
    assert!(row.owner.epoch > before.owner.epoch);
    assert!(row.legs.iter().all(|leg| leg.takeovers == 1));
    let heirs = vec![(TWO.node, TWO.incarnation)];
    bench.say_as(TWO, Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs });
    assert!(bench.call(call).legs.iter().all(|leg| leg.takeovers == 2));
}

fn connected(node: Proposer, host: u8) -> Box<Binding> {
    let line = Some(Line { node: node.node, number: 7 });
    let expires = strowger_model::LogTime(1 << 50);
    Box::new(Binding { flow: Far { line, ..Far::tcp(addr(host)) }, ..*phone(host, expires) })
}

#[test]
fn an_agents_owner_is_the_node_with_the_newest_connection() {
    let mut bench = Bench::new();
    let owner = |bench: &Bench| bench.agent(CARL).owner;
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    assert_eq!(owner(&bench), None, "a phone without a connection moves nothing");
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 51) });
    bench.say_as(THREE, Command::Bind { agent: CARL, binding: connected(THREE, 52) });
    assert_eq!(owner(&bench), Some((THREE.node, THREE.incarnation)));

    let heirs = vec![(ONE.node, ONE.incarnation), (TWO.node, TWO.incarnation)];
    bench.say(Command::Adopt { node: THREE.node, incarnation: THREE.incarnation, heirs });
    assert_eq!(owner(&bench), Some((TWO.node, TWO.incarnation)), "the node with the connection that is left");
    let lost: Vec<_> = bench.agent(CARL).bindings.iter().map(|binding| binding.lost).collect();
    assert_eq!(lost, [None, None, Some(bench.now + limit::BINDING_LOST)]);
    assert_eq!(bench.agent(CARL).phone().unwrap().instance.0, 51);
}

#[test]
fn of_equal_phones_the_newest_is_rung_and_a_refresh_makes_none_newer() {
    let mut bench = Bench::new();
    let rung = |bench: &Bench| bench.agent(CARL).phone().unwrap().instance.0;
    let until = bench.now + limit::TALK_MAX;
    bench.say(Command::Bind { agent: CARL, binding: phone(50, until) });
    bench.say(Command::Bind { agent: CARL, binding: phone(51, until) });
    assert_eq!(rung(&bench), 51);
    bench.say(Command::Bind { agent: CARL, binding: phone(50, until + limit::TALK_MAX) });
    assert_eq!(rung(&bench), 51, "it only stays for longer");
    assert_eq!(bench.agent(CARL).bindings[0].expires, until + limit::TALK_MAX);
    bench.say(Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    assert_eq!(rung(&bench), 50, "it came by another way");
    assert_eq!(bench.agent(CARL).bindings.len(), 2);
}

#[test]
fn an_agent_whose_only_connection_died_is_not_rung_until_the_phone_is_back() {
    let mut bench = Bench::new();
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 51) });
    assert_eq!(bench.idle(SALES), [ANNA, BERT, CARL]);
    bench.say(Command::Adopt { node: TWO.node, incarnation: TWO.incarnation, heirs: vec![] });
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
    assert_eq!(bench.agent(CARL).state_name(), "logged_out");
    let again = Proposer { node: TWO.node, incarnation: Incarnation(TWO.incarnation.0 + 1) };
    bench.say_as(again, Command::Bind { agent: CARL, binding: connected(TWO, 51) });
    assert_eq!(bench.idle(SALES), [ANNA, BERT, CARL]);

    // What is known late of the process before does not touch the connection of the one after.
    bench.say(Command::Adopt { node: TWO.node, incarnation: TWO.incarnation, heirs: vec![] });
    assert_eq!(bench.idle(SALES), [ANNA, BERT, CARL]);
    bench.say(Command::Adopt { node: TWO.node, incarnation: again.incarnation, heirs: vec![] });
    bench.pass(limit::BINDING_LOST.as_millis() as u64);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::LoggedOut);
}

/// The agent's owner lives, for the newest phone is elsewhere: the one whose connection is gone is not rung all the same.
#[test]
fn a_phone_whose_connection_died_with_another_node_than_the_owner_is_not_rung() {
    let mut bench = Bench::new();
    let best = Box::new(Binding { q: 900, ..*connected(TWO, 51) });
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: best });
    bench.say_as(THREE, Command::Bind { agent: CARL, binding: Box::new(Binding { q: 100, ..*connected(THREE, 52) }) });
    assert_eq!(bench.agent(CARL).phone().unwrap().instance.0, 51);
    bench.say(Command::Adopt { node: TWO.node, incarnation: TWO.incarnation, heirs: vec![] });
    let agent = bench.agent(CARL);
    assert_eq!(agent.owner, Some((THREE.node, THREE.incarnation)));
    assert_eq!(agent.phone().unwrap().instance.0, 52);
}

#[test]
fn agents_and_campaigns_are_assigned_to_nodes_that_live() {
    let mut bench = Bench::new();
    let to = (TWO.node, TWO.incarnation);
    assert_eq!(bench.say(Command::Assign { row: RowKey::Agent(ANNA), to }), Outcome::Done);
    assert_eq!(bench.agent(ANNA).owner, Some(to));
    assert_eq!(bench.refused(Command::Assign { row: RowKey::Agent(CARL), to }), Refusal::WrongStage, "no phone");
    let call = bench.waiting(SALES);
    assert_eq!(bench.refused(Command::Assign { row: RowKey::Call(call), to }), Refusal::WrongStage);
    bench.say(Command::Adopt {
        node: TWO.node,
        incarnation: TWO.incarnation,
        heirs: vec![(ONE.node, ONE.incarnation)],
    });
    assert_eq!(bench.agent(ANNA).owner, Some((ONE.node, ONE.incarnation)));
    assert_eq!(bench.refused(Command::Assign { row: RowKey::Agent(ANNA), to }), Refusal::Fenced);
}

#[test]
fn a_campaign_with_an_owner_dials_only_by_its_word() {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..3);
    let lead = |place| DialTo::Lead(strowger_model::LeadId::new(SPRING, place));
    let to = (TWO.node, TWO.incarnation);
    assert_eq!(bench.say(Command::Assign { row: RowKey::Campaign(SPRING), to }), Outcome::Done);
    let epoch = bench.ledger(SPRING).owner.unwrap().epoch;
    let wanted = Dial { epoch, ..dial(SPRING, lead(0), ANNA) };
    assert_eq!(bench.dial_refused(wanted.clone()), Refusal::NotOwner);
    let old = Command::Dial(Box::new(Dial { epoch: epoch - 1, ..wanted.clone() }));
    assert_eq!(bench.say_as(TWO, old), Refusal::NotOwner.into());
    assert!(matches!(bench.say_as(TWO, Command::Dial(Box::new(wanted))), Outcome::Dialled { .. }));
    // Who begins again has a new epoch; an agent who asks needs none.
    bench.say_as(TWO, Command::Retake { row: RowKey::Campaign(SPRING) });
    assert!(bench.ledger(SPRING).owner.unwrap().epoch > epoch);
    bench.asked_for(SPRING, 1, BERT);
}

#[test]
fn a_story_with_too_many_pieces_adds_rings_up_and_keeps_room_for_the_conversation() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    (config.queues[0].miss_pause_ms, config.queues[0].max_misses) = (0, 0);
    config.queues[0].max_wait_ms = 24 * 3_600_000;
    bench.configure(1, config);
    let call = bench.waiting(SALES);
    for _ in 0..100 {
        let leg = bench.offer(call, ANNA);
        bench.pass(1000);
        bench.say(bench.missed_command(leg, Cause::BUSY));
    }
    let row = bench.call(call);
    assert_eq!(row.offers(), 100);
    assert!(row.segments.len() <= limit::SEGMENTS - limit::SEGMENTS_SPARE);
    let rings = row.segments.iter().filter(|piece| piece.kind == SegmentKind::Ring);
    assert_eq!(rings.map(|ring| ring.micros(bench.now)).sum::<u64>(), 100_000_000, "no time is lost");
    let leg = bench.offer(call, ANNA);
    let answered = bench.connect_command(call, leg);
    assert_eq!(bench.say(answered), Outcome::Done);
    bench.pass(5000);
    bench.end(call, AGENT_LEFT);
    assert_eq!(bench.records(call)[0].talk_ms, Some(5000));
}

#[test]
fn a_flow_that_queues_again_and_again_comes_to_an_end_of_its_story() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let mut refused = None;
    for _ in 0..limit::SEGMENTS {
        let enqueue = crate::bench::enqueue(call, SALES, strowger_table::Then::Step(1));
        match bench.say(enqueue) {
            Outcome::Done => {}
            other => {
                refused = other.refusal();
                break;
            }
        }
        bench.pass(MAX_WAIT_MS);
        bench.expire();
    }
    assert_eq!(refused, Some(Refusal::Full));
    assert_eq!(bench.call(call).stage, Stage::Flow);
}

#[test]
fn an_entry_names_few_rows_or_says_many() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let offer = bench.offer_of(call, ANNA);
    let plan = Command::Plan(strowger_table::Plan { basis: 0, offers: vec![offer] });
    let proposal = strowger_table::Proposal { from: ONE, seq: 900, body: strowger_table::Body::Shard(plan) };
    let Touched::Few(rows) = bench.enter(proposal).touched else { panic!("three rows are few") };
    assert_eq!(rows, [RowKey::Call(call), RowKey::Agent(ANNA), RowKey::Place(offer.place)]);
    for _ in 0..limit::TOUCHED_FEW {
        bench.admitted();
    }
    let heirs = vec![(TWO.node, TWO.incarnation)];
    let command = Command::Adopt { node: NodeId(1), incarnation: ONE.incarnation, heirs };
    let adopt = strowger_table::Proposal { from: TWO, seq: 1, body: strowger_table::Body::Shard(command) };
    assert_eq!(bench.enter(adopt).touched, Touched::Many);
}

#[test]
fn what_a_flow_learnt_is_kept_beside_the_call_and_goes_with_it() {
    use strowger_table::{Change, Value};
    let mut bench = Bench::new();
    let call = bench.flowing();
    let set = |value| vec![Change { name: "language".into(), value }];
    let step = |set| Command::Step { call, step: 1, attempt: 0, set };
    assert_eq!(bench.say(step(set(Some(Value::Text("de".into()))))), Outcome::Done);
    assert_eq!(bench.shard.data(call).unwrap().get("language"), Some(&Value::Text("de".into())));
    let long = Value::Text("x".repeat(limit::DATA));
    assert_eq!(bench.refused(step(set(Some(long)))), Refusal::TooLong);
    assert_eq!(bench.say(step(set(None))), Outcome::Done);
    assert!(bench.shard.data(call).is_none());
    bench.say(step(set(Some(Value::Truth(true)))));
    bench.end(call, CALLER_LEFT);
    bench.pass(Duration::from_secs(120).as_millis() as u64);
    bench.expire();
    bench.expire();
    assert!(bench.shard.call(call).is_none() && bench.shard.data(call).is_none());
}

/// The answer to the offer by which a leg moves says as well whether its far end listens.
#[test]
fn a_leg_that_moves_listens_as_its_far_end_says_then() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    for (relay, holds) in [(AGENT_RELAY, true), (RELAY, false)] {
        assert_eq!(bench.say(Command::Rehome { legs: vec![(leg, relay)] }), Outcome::Done);
        let moved = Command::Redialog { leg, dialog: dialog(Role::Uac, "moved"), relay: Some(relay), holds };
        assert_eq!(bench.say(moved), Outcome::Done);
        let row = bench.call(call);
        let leg = row.leg(leg).expect("it talks");
        assert_eq!((leg.relay, leg.holds), (Some(relay), holds));
    }
}
