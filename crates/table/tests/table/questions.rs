//! What is asked of a shard, by planners, pacers, voters and people.

use std::collections::BTreeMap;

use strowger_model::{CallId, Digest, Incarnation, LeadId, LegNo, NodeId, PlaceId, Wall};
use strowger_table::{Agent, Command, Medium, Offer, Outcome, RowKey, Stage, heir_of, limit};

use crate::bench::{Bench, first_leg};
use crate::sample::*;

#[test]
fn who_waits_is_told_how_many_of_the_same_queue_are_ahead() {
    let mut bench = Bench::new();
    let calls: Vec<_> = (0..3).map(|_| bench.waiting(SALES)).collect();
    let other = bench.waiting(SUPPORT);
    let ahead = |bench: &Bench, call| bench.shard.ahead(&bench.place(call));
    assert_eq!(calls.iter().map(|call| ahead(&bench, *call)).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(ahead(&bench, other), 0);
    assert_eq!((bench.shard.waiting_length(SALES), bench.shard.waiting_length(SUPPORT)), (3, 1));
    assert!(bench.shard.waiting_queues().eq([SALES, SUPPORT]));
    assert!(bench.shard.line(SALES).filter_map(|(_, call)| call).eq(calls.iter().copied()));
    assert_eq!(bench.shard.busy().waiting, 4);
    // One that is being offered is not in the way of the next.
    bench.offer(calls[0], ANNA);
    assert_eq!(ahead(&bench, calls[2]), 1);
    assert!(!bench.shard.is_waiting(calls[0]) && bench.shard.is_waiting(calls[1]));
}

#[test]
fn agents_are_idle_in_the_queues_they_serve_and_for_what_they_have_a_slot() {
    let bench = Bench::new();
    let idle = bench.shard.idle(SALES, Medium::Voice).map(|(_, agent, slot)| (agent, slot));
    assert_eq!(idle.collect::<Vec<_>>(), [(ANNA, 0), (BERT, 0)]);
    assert_eq!(bench.shard.idle(SALES, Medium::Chat).count(), 0);
    let ids: Vec<_> = bench.shard.agents_from(BERT).map(|agent| agent.id).collect();
    assert_eq!(ids, [BERT, CARL, DORA, EMIL]);
    assert_eq!(bench.shard.agents().count(), 5);
}

#[test]
fn the_staff_of_a_queue_is_counted_by_what_they_do() {
    let mut bench = Bench::new();
    let staff = |bench: &Bench, queue| {
        let counts = Agent::STATE_NAMES.into_iter().zip(bench.shard.staff(queue));
        counts.filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(staff(&bench, SALES), [("idle", 2), ("logged_out", 2)].into());
    assert_eq!(staff(&bench, SUPPORT), [("idle", 1)].into());
    bench.talking(ANNA);
    bench.not_ready(BERT, "lunch");
    let binding = phone(50, bench.now + limit::TALK_MAX);
    bench.say(Command::Bind { agent: CARL, binding });
    let (call, leg) = bench.offered(CARL);
    assert_eq!(staff(&bench, SALES), [("talking", 1), ("not_ready", 1), ("offered", 1), ("logged_out", 1)].into());
    let missed = bench.missed_command(leg, strowger_model::Cause::BUSY);
    bench.say(missed);
    assert_eq!(staff(&bench, SALES), [("talking", 1), ("not_ready", 1), ("paused", 1), ("logged_out", 1)].into());
    bench.end(call, CALLER_LEFT);
    let mut config = tenant();
    config.agents[1].queues = vec![SUPPORT];
    bench.configure(2, config);
    assert_eq!(staff(&bench, SUPPORT), [("idle", 1), ("not_ready", 1)].into());
}

/// Who left is answered by the row that it was in, also when that does not name it any more.
#[test]
fn a_leg_that_is_forgotten_still_has_the_row_of_its_birth() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    let missed = bench.missed_command(leg, strowger_model::Cause::BUSY);
    bench.say(missed);
    assert!(bench.shard.call_of_leg(leg).is_none());
    assert_eq!(bench.shard.row_of_leg(leg).map(|row| row.id), Some(call));
    let nowhere = strowger_model::LegKey { call: CallId::new(SHARD, 4711), leg: LegNo(0) };
    assert!(bench.shard.row_of_leg(nowhere).is_none());
    assert_eq!(bench.shard.call_of_leg(first_leg(call)).map(|row| row.id), Some(call));
}

#[test]
fn leads_are_due_in_order_and_can_be_asked_for_from_a_moment_on() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1]);
    bench.pass(5000);
    let later = bench.wall();
    bench.import(SPRING, [2, 3]);
    bench.import(SUMMER, [4]);
    let places = |from| bench.shard.due_from(SPRING, 0, from).map(|(_, lead)| lead).collect::<Vec<LeadId>>();
    let lead = |place| LeadId::new(SPRING, place);
    assert_eq!(places(Wall(0)), [lead(0), lead(1), lead(2)]);
    assert_eq!(places(later), [lead(1), lead(2)]);
    assert_eq!(places(Wall(later.0 + 1)), []);
    assert_eq!(bench.shard.due(SUMMER, 0).count(), 1);
    assert_eq!(bench.shard.due(SPRING, 1).count(), 0, "of another zone");
}

#[test]
fn relays_hold_the_legs_of_live_calls_until_their_ports_are_closed_or_the_call_is_over() {
    let mut bench = Bench::new();
    let legs = |bench: &Bench| bench.shard.relay_legs(RELAY);
    let call = bench.waiting(SALES);
    assert_eq!(legs(&bench), 1);
    let leg = bench.offer(call, ANNA);
    assert_eq!(legs(&bench), 2);
    let missed = bench.missed_command(leg, strowger_model::Cause::BUSY);
    bench.say(missed);
    assert_eq!(legs(&bench), 2, "its port is still there");
    bench.done(call, strowger_table::DutyKind::Close { relay: RELAY, leg });
    assert_eq!(legs(&bench), 1);
    bench.end(call, CALLER_LEFT);
    assert_eq!(legs(&bench), 0);
}

/// Of six hundred rows each of three heirs gets about a third, and those of a fourth come evenly from all.
#[test]
fn rows_are_spread_evenly_and_only_those_of_who_is_gone_move() {
    let heirs: Vec<_> = (1..=4).map(|node| (NodeId(node), Incarnation(7))).collect();
    let rows: Vec<_> = (0..600).map(|agent| RowKey::Agent(strowger_model::AgentId(agent))).collect();
    let of = |heirs: &[_]| rows.iter().map(|row| heir_of(heirs, *row).expect("somebody")).collect::<Vec<_>>();
    let (four, three) = (of(&heirs), of(&heirs[..3]));
    for heir in &heirs[..3] {
        let count = |owners: &[(NodeId, Incarnation)]| owners.iter().filter(|owner| *owner == heir).count();
        assert!((150..250).contains(&count(&three)) && (110..190).contains(&count(&four)), "{heir:?}");
    }
    let moved = four.iter().zip(&three).filter(|(before, after)| before != after);
    assert!(moved.clone().all(|(before, _)| *before == heirs[3]));
    assert_eq!(moved.count(), four.iter().filter(|owner| **owner == heirs[3]).count());
    assert_eq!(heir_of(&[], rows[0]), None);
}

#[test]
fn the_mark_of_a_configuration_is_another_whenever_it_is() {
    let mut bench = Bench::new();
    let first = bench.shard.config_mark();
    bench.talking(ANNA);
    assert_eq!(bench.shard.config_mark(), first, "calls change nothing of it");
    let mut config = tenant();
    config.queues[0].wrap_up_ms += 1;
    bench.configure(2, config);
    assert_ne!(bench.shard.config_mark(), first);
}

/// Phones of one place ring at once, so many and no more; each plan begins its own.
#[test]
fn at_most_so_many_phones_ring_at_once_for_one_place() {
    let mut config = tenant();
    let many = limit::RING_ALL as u64 + 2;
    let agent = config.agents[0].clone();
    for no in 10..10 + many as u32 {
        config.agents.push(strowger_model::config::Agent {
            id: strowger_model::AgentId(no),
            name: format!("agent-{no}"),
            ..agent.clone()
        });
    }
    let mut bench = Bench::bare();
    bench.configure(1, config);
    let call = bench.waiting(SALES);
    let offer = |no| Offer { ring_all: true, ..bench.offer_of(call, strowger_model::AgentId(no)) };
    let offers: Vec<_> = (10..10 + many as u32).map(offer).collect();
    assert_eq!(bench.planned(offers), (1 << limit::RING_ALL) - 1);
    assert_eq!(bench.call(call).ringing().count(), limit::RING_ALL);
}

/// A planner may be wrong about where a call waits, or about what an agent's slot is for.
#[test]
fn an_offer_names_the_queue_and_the_slot_as_they_are() {
    let mut bench = Bench::new();
    let mut config = tenant();
    config.agents[0].queues = vec![SALES, SUPPORT];
    bench.configure(2, config);
    let call = bench.waiting(SALES);
    let right = bench.offer_of(call, ANNA);
    for wrong in [Offer { queue: SUPPORT, ..right }, Offer { slot: 1, ..right }, Offer { place: PlaceId(99), ..right }]
    {
        assert_eq!(bench.planned(vec![wrong]), 0);
    }
    assert_eq!(bench.planned(vec![right]), 1);
    let leg = bench.call(call).ringing().next().cloned().expect("it rings");
    assert_eq!((leg.relay, leg.queue, leg.slot()), (Some(RELAY), Some(SALES), Some((ANNA, 0))));
}

/// What a flow may learn of a call has a limit, in bytes of names and values.
#[test]
fn a_flow_may_learn_exactly_so_much() {
    use strowger_table::{Change, Value};
    let mut bench = Bench::new();
    let call = bench.flowing();
    let set = |name: &str, value| Change { name: name.into(), value: Some(value) };
    let step = |set| Command::Step { call, step: 1, attempt: 0, set };
    let all = |text: usize| {
        let text = Value::Text("x".repeat(text));
        vec![
            set("text", text),
            set("no", Value::Number(7)),
            set("yes", Value::Truth(true)),
            set("key", Value::Sealed(vec![1; 10])),
        ]
    };
    let room = limit::DATA - (4 + 2 + 8 + 3 + 1 + 3 + 10);
    assert_eq!(bench.say(step(all(room))), Outcome::Done);
    let before = bench.shard.data(call).cloned();
    assert_eq!(bench.refused(step(all(room + 1))), strowger_table::Refusal::TooLong);
    assert_eq!((bench.shard.data(call).cloned(), bench.step(call)), (before, Some(1)));
    // Another value takes the place of the one before, and the names stand in order.
    assert_eq!(bench.say(step(vec![set("text", Value::Number(1))])), Outcome::Done);
    let data = bench.shard.data(call).cloned().expect("it learnt something");
    assert!(data.fields().map(|(name, _)| name).eq(["key", "no", "text", "yes"]));
    assert_eq!((data.get("text"), data.get("nothing")), (Some(&Value::Number(1)), None));
}

/// A step is entered by the entry that leads to it: an actor that sees the row again begins nothing anew.
#[test]
fn each_entry_that_leads_to_a_step_gives_it_another_number() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    let at = |bench: &Bench| bench.call(call).flow.expect("a place in a flow");
    let admitted = at(&bench);
    assert_eq!((admitted.step, admitted.attempt, admitted.entered), (0, 0, bench.shard.last().index));
    bench.say(crate::bench::answer(call));
    assert_eq!(at(&bench).entered, bench.shard.last().index);
    bench.done(call, strowger_table::DutyKind::Answer { leg: first_leg(call) });
    bench.say(Command::Step { call, step: 1, attempt: 3, set: Vec::new() });
    let stepped = at(&bench);
    assert_eq!((stepped.step, stepped.attempt, stepped.entered), (1, 3, bench.shard.last().index));
    bench.say(crate::bench::enqueue(call, SALES, strowger_table::Then::Step(2)));
    let queued = at(&bench);
    assert_eq!((queued.step, queued.attempt, queued.entered), (1, 0, bench.shard.last().index));
    bench.say(Command::Tick);
    bench.pass(MAX_WAIT_MS);
    bench.expire();
    let on = at(&bench);
    assert_eq!((on.step, on.attempt, on.entered), (2, 0, bench.shard.last().index));
    assert_eq!((on.flow, on.version), (FLOW, admitted.version));
    assert_eq!(bench.call(call).stage, Stage::Flow);
}

#[test]
fn content_that_the_rows_name_is_told_with_the_lists_and_the_music() {
    let mut bench = Bench::new();
    let names = |bench: &Bench, content| bench.shard.named_content().any(|named| named == content);
    let digest = bench.shard.config_digest(ACME).expect("in force");
    assert!(names(&bench, digest) && names(&bench, Digest([1; 32])) && names(&bench, Digest([7; 32])));
    let batch = Digest([99; 32]);
    assert!(!names(&bench, batch));
    let leads = vec![strowger_table::NewLead { number: number(1), zone: LONDON.into(), line: 0 }];
    bench.say(Command::Import { campaign: SPRING, batch, leads });
    assert!(names(&bench, batch));
    // Who waits in a queue that goes hears its music until the end.
    let mut config = tenant();
    (config.queues[1].music, config.queues[0].music) = (Digest([8; 32]), Digest([6; 32]));
    bench.configure(2, config.clone());
    config.queues.remove(1);
    config.agents.retain(|agent| agent.id != DORA);
    bench.configure(3, config);
    assert!(names(&bench, Digest([8; 32])) && !names(&bench, Digest([7; 32])));
    assert!(!names(&bench, digest));
}

/// Callers go first: nobody is dialled for an agent while somebody waits in any of the queues that the agent serves.
#[test]
fn an_agent_of_two_queues_is_free_for_dialling_while_nobody_waits_in_either() {
    let mut bench = Bench::new();
    let mut config = tenant();
    config.agents[0].queues = vec![SALES, SUPPORT];
    bench.configure(2, config);
    let free = |bench: &Bench| bench.shard.is_free_for_dial(&bench.agent(ANNA));
    assert!(free(&bench));
    for queue in [SALES, SUPPORT] {
        let call = bench.waiting(queue);
        assert!(!free(&bench), "somebody waits in {queue:?}");
        bench.end(call, CALLER_LEFT);
        assert!(free(&bench));
    }
}
