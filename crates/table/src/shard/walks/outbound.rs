//! Calls out: for an agent who is kept, for nobody, by an agent's own wish.

use std::time::Duration;

use super::*;
use crate::bench::{Doing, dial};
use crate::row::segment::SegmentKind;
use crate::{
    Began, Dial, DialTo, FlowPosition, LeadTurn, Origin, Reserver, Screen, SlotState, Source, Target, Then, limit,
};

fn dialling() -> Walk {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..1);
    let call = bench.dialling(0, ANNA);
    Walk::of(bench, call)
}

/// The called party answered, and is being listened to: as its entry will make it when machines are detected.
fn detecting() -> Walk {
    let mut walk = dialling();
    let customer = walk.leg("customer");
    let until = walk.bench.now + Duration::from_secs(3);
    walk.lay_call("call", |call| {
        call.drop_duty(DutyKind::Originate { leg: customer });
        call.leg_mut(customer).expect("it rings").state = LegState::Screening { screen: Screen::Detect, until };
    });
    walk.lay(|shard, _| shard.put_dialog(customer, *dialog(Role::Uac, "lead")));
    let mut bert = walk.bench.agent(BERT);
    walk.lay(|shard, entry| {
        let by = Reserver::Campaign(SPRING);
        bert.enter(0, SlotState::Reserved { by, until: entry.now() + Duration::from_secs(30) }, entry.now());
        shard.put_agent(bert);
    });
    walk
}

#[test]
fn who_is_not_found_to_be_a_machine_is_a_person() {
    walk(
        detecting,
        &[
            ("nothing was found out in time", |walk| {
                walk.bench.pass(3000);
                walk.done(Command::Expire);
                let ringing = walk.bench.ringing(walk.calls["call"]);
                walk.legs.insert("anna", ringing);
                assert_eq!(walk.stage(), Stage::Waiting, "the kept agent's phone rings");
            }),
            ("the agent answers", |walk| {
                walk.answers("anna");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
            }),
            ("an agent kept for the campaign is kept no longer", |walk| {
                walk.bench.pass(30_000);
                walk.done(Command::Expire);
                assert_eq!(walk.bench.state(BERT), Doing::Idle);
            }),
            ("the called party hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                assert_eq!(walk.bench.turn(SPRING, 0), LeadTurn::Done);
            }),
        ],
    );
}

#[test]
fn a_called_party_waits_and_nobody_is_in_time() {
    walk(
        detecting,
        &[
            ("a person is there", |walk| {
                walk.done(Command::Accept { leg: walk.leg("customer"), observed: walk.bench.now });
                let ringing = walk.bench.ringing(walk.calls["call"]);
                walk.legs.insert("anna", ringing);
            }),
            ("the kept agent does not answer", |walk| {
                let missed = walk.bench.missed_command(walk.leg("anna"), Cause::NO_ANSWER);
                walk.done(missed);
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]]);
            }),
            ("the wait is over", |walk| {
                walk.bench.pass(MAX_WAIT_MS);
                walk.done(Command::Expire);
                assert!(walk.call().is_over());
                assert!(!matches!(walk.bench.turn(SPRING, 0), LeadTurn::Dialling { .. }));
            }),
        ],
    );
}

/// A call out for no agent: whoever answers is in a flow, as a `Dial` without an agent will make it.
fn agentless() -> Walk {
    let mut walk = dialling();
    let (customer, mut call) = (walk.leg("customer"), walk.call());
    walk.lay(|shard, entry| {
        shard.release_reserved(entry, &call);
        call.drop_duty(DutyKind::Originate { leg: customer });
        call.leg_mut(customer).expect("it rings").state = LegState::Up;
        call.stage = Stage::Flow;
        call.until = entry.now() + limit::FLOW_MAX;
        let version = shard.flow_version(FLOW).expect("it is configured");
        call.flow = Some(FlowPosition { flow: FLOW, version, step: 0, attempt: 0, entered: entry.at.index });
        call.begin(Piece::of_call(SegmentKind::Flow, None, entry.now())).expect("room");
        shard.put_dialog(customer, *dialog(Role::Uac, "lead"));
        shard.put_call(call);
    });
    walk
}

#[test]
fn a_call_out_for_no_agent_goes_to_a_queue() {
    walk(
        agentless,
        &[
            ("a key is pressed", |walk| walk.done(crate::bench::step(walk.calls["call"], 1))),
            ("on to a queue", |walk| {
                walk.done(crate::bench::enqueue(walk.calls["call"], SALES, Then::Step(2)));
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]]);
            }),
            ("an agent's phone rings", |walk| walk.offered(&[("bert", BERT)])),
            ("and is answered", |walk| {
                walk.answers("bert");
                assert_eq!(walk.serving(), Some(BERT));
            }),
            ("the agent hangs up", |walk| {
                walk.leaves("bert");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                assert_eq!(walk.bench.turn(SPRING, 0), LeadTurn::Done);
            }),
        ],
    );
}

#[test]
fn an_agent_dials_a_number() {
    fn begin() -> Walk {
        let mut bench = Bench::new();
        let (call, leg) = bench.asked_for(BY_HAND, 7, ANNA);
        let mut walk = Walk::of(bench, call);
        walk.legs.insert("anna", leg);
        walk
    }
    walk(
        begin,
        &[
            ("a plan made before comes too late", |walk| {
                let waits = walk.bench.admit_command();
                assert!(matches!(walk.say(waits), Outcome::Admitted { .. }));
                assert!(!walk.bench.idle(SALES).contains(&ANNA));
            }),
            ("the agent's phone is answered", |walk| {
                walk.answers("anna");
                let customer = walk.bench.customer(walk.calls["call"]);
                walk.legs.insert("customer", customer);
                assert_eq!(walk.stage(), Stage::Reaching);
            }),
            ("the same number is asked for again", |walk| {
                let number = number(7);
                let dial =
                    Dial { owner: (LEADER.node, LEADER.incarnation), ..dial(BY_HAND, DialTo::Number { number }, BERT) };
                assert!(walk.say(Command::Dial(Box::new(dial))).refusal().is_some());
            }),
            ("the number answers", |walk| {
                walk.answers("customer");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
            }),
            ("the agent hangs up", |walk| {
                walk.leaves("anna");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// Anna rings Bert, with no customer: as an `Admit` from an agent will make it.
fn colleagues() -> Walk {
    let mut bench = Bench::new();
    let call = bench.admitted();
    let mut walk = Walk::of(bench, call);
    let id = CallId::new(SHARD, walk.bench.shard.last().index + 1000);
    walk.calls.insert("call", id);
    walk.lay(|shard, entry| {
        let began = Began::Inbound { key: key(4711), source: Source::Agent(ANNA), target: Target::Agent(BERT) };
        let origin = Origin { from: "anna".to_owned(), to: "bert".to_owned(), began };
        let owner = strowger_model::Owner { node: ONE.node, incarnation: ONE.incarnation, epoch: entry.at.index };
        let mut call = shard.new_call(entry, ACME, origin, owner);
        (call.id, call.stage, call.until) = (id, Stage::Talking, entry.now() + limit::TALK_MAX);
        shard.put_call(call);
    });
    walk.lay_leg("call", "anna", LegRole::Agent(ANNA, 0), Reach::Inbound, LegState::Up);
    let bert = walk.lay_leg("call", "bert", LegRole::Agent(BERT, 0), at_phone(BERT), LegState::Up);
    let piece = walk.call().leg(bert).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, walk.bench.now));
    walk.lay_piece("call", piece.expect("it is there"));
    walk.lay_call("call", |call| call.serving = Some(bert));
    for id in [ANNA, BERT] {
        let (mut agent, call) = (walk.bench.agent(id), walk.calls["call"]);
        walk.lay(|shard, entry| {
            agent.enter(0, SlotState::Busy { call, aside: None }, entry.now());
            shard.put_agent(agent);
        });
    }
    walk
}

#[test]
fn an_agent_calls_another_and_neither_is_left_alone() {
    for (leaves, stays) in [("anna", "bert"), ("bert", "anna")] {
        let mut walk = colleagues();
        walk.leaves(leaves);
        assert!(walk.call().is_over());
        assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg(stays)]);
    }
    walk(
        colleagues,
        &[
            ("who was called hangs up", |walk| walk.leaves("bert")),
            ("the other phone has hung up", |walk| {
                walk.all_told();
                assert!(walk.call().is_over());
            }),
        ],
    );
}
