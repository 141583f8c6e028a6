//! What goes on when a call, a queue or a flow is over: callbacks, messages, questions afterwards, what left the
//! configuration.

use std::time::Duration;

use strowger_model::config::Step as FlowStep;
use strowger_model::{Ended, HangupBy, LogTime};

use super::*;
use crate::row::segment::SegmentKind;
use crate::{
    Change, Duty, How, Place, PlaceOf, PlaceState, Rank, SlotState, Tap, TapKind, TapState, Then, Value, limit,
};

/// The customer left with the wish to be called back: the call is over, and its place goes on without it.
fn called_back() -> Walk {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let mut walk = Walk::of(bench, call);
    let place = walk.bench.place(call);
    walk.leaves("customer");
    let until = walk.bench.now + Duration::from_secs(120);
    walk.lay(|shard, _| {
        shard.put_place(Place {
            of: PlaceOf::Callback,
            state: PlaceState::Resting { until },
            until: until + limit::FLOW_MAX,
            number: Some(number(1)),
            tries: 1,
            call: None,
            ..place
        });
    });
    walk
}

fn only_place(walk: &Walk) -> Place {
    let places: Vec<_> = walk.bench.shard.places().collect();
    (**places[0]).clone()
}

#[test]
fn a_place_outlives_its_call_and_comes_due() {
    walk(
        called_back,
        &[
            ("another customer comes", |walk| {
                let admit = walk.bench.admit_command();
                let Outcome::Admitted { call, .. } = walk.say(admit) else { panic!("not admitted") };
                walk.calls.insert("other", call);
            }),
            ("and waits", |walk| {
                let other = walk.calls["other"];
                let owner = owner(&walk.bench.call(other));
                assert_eq!(walk.bench.say_as(owner, crate::bench::answer(other)), Outcome::Done);
                walk.done(crate::bench::enqueue(other, SALES, Then::End));
                assert_eq!(walk.bench.line(SALES), [other], "who rests is not in line");
            }),
            ("the time to rest is over", |walk| {
                walk.bench.now = walk.bench.now.max(only_place(walk).lease());
                walk.done(Command::Expire);
                let place = only_place(walk);
                assert_eq!((place.state, place.tries), (PlaceState::Waiting, 1));
                let first = walk.bench.shard.waiting(SALES).next().map(|place| place.id);
                assert_eq!(first, Some(place.id), "at the rank that the call had");
            }),
            ("a plan does not take it: it is dialled by a command of its own", |walk| {
                let offer = Offer { place: only_place(walk).id, ..walk.bench.offer_of(walk.calls["other"], ANNA) };
                let plan = crate::Plan { basis: 0, offers: vec![offer] };
                assert_eq!(walk.say(Command::Plan(plan)), Outcome::Planned { granted: 0 });
            }),
        ],
    );
}

/// A message was left: its call is over and owes the recording, and its place waits for an agent. Somebody's machine heard
/// it as well.
fn message_left() -> Walk {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let mut walk = Walk::of(bench, call);
    let (customer, since) = (walk.leg("customer"), walk.bench.now);
    walk.lay_call("call", |call| {
        let tap = |no, kind| Tap { no, leg: customer, kind, state: TapState::Running, since, part: 0 };
        call.taps.push(tap(0, TapKind::Record));
        call.taps.push(tap(1, TapKind::Fork { endpoint: strowger_model::EndpointId(1) }));
        call.next.tap = 2;
    });
    walk.bench.pass(1000);
    walk.leaves("customer");
    let now = walk.bench.now;
    let until = now + limit::TALK_MAX;
    let id = PlaceId(call.0);
    let place = Place {
        id,
        tenant: ACME,
        queue: SALES,
        from: call,
        of: PlaceOf::Message,
        state: PlaceState::Waiting,
        rank: Rank::since(now, id),
        since: now,
        until,
        then: Then::End,
        priority: 0,
        wants: None,
        relax: None,
        tries: 0,
        number: None,
        call: None,
        data: None,
    };
    walk.lay(|shard, _| shard.put_place(place));
    walk
}

#[test]
fn a_message_keeps_its_call_until_the_recording_is_sealed() {
    walk(
        message_left,
        &[
            ("ended calls of that time go", |walk| {
                walk.bench.now = walk.bench.now + limit::ENDED_LINGER;
                walk.done(Command::Expire);
                let seal = |duty: &Duty| duty.kind == DutyKind::Seal { tap: 0 };
                assert!(walk.call().duties.iter().any(seal), "the relay has not said that all of it is kept");
                let told: Vec<_> = walk.call().taps.iter().map(|tap| (tap.no, tap.state)).collect();
                assert_eq!(told, [(0, TapState::Sealing)], "a copy leaves nothing behind");
            }),
            ("the relay says that all of it is kept", |walk| {
                let (call, row) = (walk.calls["call"], walk.call());
                let duties = row.duties.iter().map(|duty| (call, duty.id)).collect();
                assert_eq!(walk.bench.say_as(owner(&row), Command::Done { duties }), Outcome::Done);
                assert_eq!(walk.call().taps, []);
            }),
            ("the call goes, and the message waits", |walk| {
                walk.done(Command::Expire);
                assert!(walk.bench.shard.call(walk.calls["call"]).is_none());
                assert_eq!(only_place(walk).state, PlaceState::Waiting);
            }),
        ],
    );
}

/// The relay that had it is gone for good: the row does not stay for ever.
#[test]
fn a_recording_that_nobody_says_to_be_complete_is_given_up() {
    let mut walk = message_left();
    let ended = walk.bench.now;
    walk.bench.now = ended + (limit::SEAL_MAX - Duration::from_millis(1));
    walk.done(Command::Expire);
    assert_eq!(walk.call().taps.len(), 1);
    walk.bench.pass(1);
    walk.done(Command::Expire);
    assert!(walk.bench.shard.call(walk.calls["call"]).is_none());
}

/// The agent hung up, and the flow goes on with questions.
fn asked_afterwards() -> Walk {
    let mut walk = Walk::talking();
    let (anna, mut call) = (walk.leg("anna"), walk.call());
    walk.lay(|shard, entry| {
        shard.release_slot(entry, &mut call, anna);
        call.finish_leg_pieces(anna, entry.now(), How::Over);
        call.depart(entry, anna, crate::Released::ByFarEnd, false);
        call.stage = Stage::Flow;
        call.until = entry.now() + limit::FLOW_MAX;
        shard.remove_place(call.place.take().expect("it was served from one"));
        call.begin(Piece::of_call(SegmentKind::Flow, None, entry.now())).expect("room");
        shard.put_call(call);
    });
    walk
}

#[test]
fn a_customer_is_asked_after_the_agent_has_hung_up() {
    fn answer(walk: &mut Walk, step: u16, value: i64) {
        let change = Change { name: format!("answer {step}"), value: Some(Value::Number(value)) };
        walk.done(Command::Step { call: walk.calls["call"], step, attempt: 0, set: vec![change] });
    }
    walk(
        asked_afterwards,
        &[
            ("the first answer", |walk| answer(walk, 0, 5)),
            ("the agent says how it went", |walk| {
                walk.done(Command::Dispose { agent: ANNA, call: walk.calls["call"], code: "sold".to_owned() });
                assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Free);
            }),
            ("the second answer", |walk| {
                answer(walk, 1, 4);
                assert_eq!(walk.bench.shard.data(walk.calls["call"]).unwrap().fields().count(), 2);
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered), "who was served stays served");
                let record = walk.bench.records(walk.calls["call"]).pop().unwrap();
                assert_eq!((record.disposition.as_deref(), record.agent), (Some("sold"), Some(ANNA)));
            }),
        ],
    );
}

/// One is waiting, one is offered, one is talking when their queue leaves the configuration.
fn busy_queue() -> Walk {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let (offered, leg) = bench.offered(BERT);
    let talking = bench.talking(ANNA);
    let mut walk = Walk::of(bench, call);
    walk.calls.extend([("offered", offered), ("talking", talking)]);
    walk.legs.insert("bert", leg);
    walk.legs.insert("anna", walk.bench.agent_leg(talking));
    walk
}

#[test]
fn a_queue_goes_while_some_wait_in_it() {
    fn configure(walk: &mut Walk) {
        let mut config = tenant();
        config.queues.retain(|queue| queue.id != SALES);
        config.agents.iter_mut().for_each(|agent| agent.queues.retain(|queue| *queue != SALES));
        config.campaigns.retain(|campaign| campaign.queue != SALES);
        for command in Command::configuring(2, &config) {
            walk.done(command);
        }
    }
    walk(
        busy_queue,
        &[
            ("the queue is gone", configure),
            ("who waits is taken out", |walk| {
                walk.done(Command::Expire);
                assert!(walk.call().is_over() && !walk.row("offered").is_over());
            }),
            ("the phone that rings is not answered", |walk| {
                let missed = walk.bench.missed_command(walk.leg("bert"), Cause::NO_ANSWER);
                walk.done(missed);
            }),
            ("who comes back is taken out as well", |walk| {
                walk.done(Command::Expire);
                assert!(walk.row("offered").is_over());
            }),
            ("who talks is left alone", |walk| {
                assert_eq!(walk.row("talking").stage, Stage::Talking);
                walk.leaves("anna");
                assert_eq!(walk.row("talking").outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// A flow is changed under a caller who is in it, as in a cluster that is being updated.
#[test]
fn a_flow_changes_while_a_caller_is_in_it() {
    fn begin() -> Walk {
        let mut bench = Bench::new();
        let call = bench.flowing();
        Walk::of(bench, call)
    }
    fn steps(walk: &Walk, version: u64) -> Option<usize> {
        walk.bench.shard.flow(ACME, FLOW, version).map(|flow| flow.steps.len())
    }
    walk(
        begin,
        &[
            ("the flow changes", |walk| {
                let mut config = tenant();
                config.flows[0].steps = vec![FlowStep::HangUp];
                for command in Command::configuring(2, &config) {
                    walk.done(command);
                }
                assert_eq!((steps(walk, 1), steps(walk, 2)), (Some(3), Some(1)));
            }),
            ("the caller goes on in the old one", |walk| {
                walk.done(crate::bench::step(walk.calls["call"], 1));
                assert_eq!(walk.call().flow.unwrap().version, 1);
            }),
            ("a layout is raised that no member reads", |walk| {
                let members = vec![(ONE.node, crate::layout::LATEST), (TWO.node, crate::layout::FIRST)];
                let raise = Command::Raise { layout: crate::layout::LATEST + 1, members };
                assert_eq!(walk.refused(raise), Refusal::TooEarly);
            }),
            ("an operator ends the call", |walk| {
                let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
                walk.done(Command::End { call: walk.calls["call"], ended, observed: LogTime::ZERO });
                assert_eq!(steps(walk, 1), None, "nobody is in it any more");
            }),
        ],
    );
}
