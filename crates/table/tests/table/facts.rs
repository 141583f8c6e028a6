//! Who may say what, and of which leg: far ends' own deeds from anybody, decisions from the owner, and nothing from a life
//! that is over.

use std::time::Duration;

use strowger_model::{Cause, DialResult, Ended, HangupBy, LegKey, LegNo, Outcome as CallOutcome, RelayId, Role};
use strowger_table::{
    Admit, Command, DialFailure, DutyKind, How, Miss, Offer, Outcome, Refusal, RowKey, SegmentKind, Source, Stage,
    Target, Then, ToldBy, limit,
};

use crate::bench::{Bench, Doing, answer, enqueue, failure, first_leg, hang_up, step};
use crate::sample::*;

fn left(bench: &Bench, leg: LegKey, told_by: ToldBy) -> Command {
    Command::Left { leg, cause: Cause::NORMAL, told_by, observed: bench.now }
}

fn redialog(leg: LegKey) -> Command {
    Command::Redialog { leg, dialog: dialog(Role::Uac, "changed"), relay: None, holds: false }
}

fn adopt(dead: strowger_table::Proposer, heir: strowger_table::Proposer) -> Command {
    Command::Adopt { node: dead.node, incarnation: dead.incarnation, heirs: vec![(heir.node, heir.incarnation)] }
}

/// A node that starts again has other lives' calls no more.
#[test]
fn another_life_of_the_owners_node_is_not_the_owner() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    for life in [proposer(1, 9), proposer(1, 11)] {
        assert_eq!(bench.say_as(life, step(call, 1)), Refusal::NotOwner.into());
        assert_eq!(bench.say_as(life, Command::Retake { row: RowKey::Call(call) }), Refusal::NotOwner.into());
    }
    assert_eq!(bench.say(step(call, 1)), Outcome::Done);
}

#[test]
fn what_a_life_that_is_over_decided_is_fenced() {
    let mut bench = Bench::new();
    let talks = bench.talking(ANNA);
    let (_, rings) = bench.offered(BERT);
    bench.say_as(TWO, adopt(ONE, TWO));
    let agent = bench.agent_leg(talks);
    let gave_up = Miss { status: 408, cause: Cause::NO_ANSWER, hang_up: true };
    for decided in [
        left(&bench, agent, ToldBy::Silence),
        left(&bench, agent, ToldBy::DeadMedia),
        Command::Missed { leg: rings, miss: gave_up, observed: bench.now },
        redialog(agent),
        Command::Rehome { legs: vec![(agent, AGENT_RELAY)] },
        Command::End { call: talks, ended: CALLER_LEFT, observed: bench.now },
        Command::Split { leg: agent },
    ] {
        assert_eq!(bench.refused(decided), Refusal::Fenced);
    }
    assert_eq!(bench.state(ANNA), Doing::Talking { call: talks });
    // What the phones did is true.
    let refused = Miss { status: 486, cause: Cause::BUSY, hang_up: false };
    assert_eq!(bench.say(Command::Missed { leg: rings, miss: refused, observed: bench.now }), Outcome::Done);
    let gone = left(&bench, agent, ToldBy::FarEnd);
    assert_eq!(bench.say(gone), Outcome::Done);
}

#[test]
fn an_operators_end_is_the_owners_word() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
    let end = Command::End { call, ended, observed: bench.now };
    assert_eq!(bench.say_as(TWO, end.clone()), Refusal::NotOwner.into());
    assert_eq!(bench.say(end), Outcome::Done);
    assert_eq!(bench.records(call)[0].ended, ended);
    let nowhere = strowger_model::CallId::new(SHARD, 4711);
    let end = Command::End { call: nowhere, ended, observed: bench.now };
    assert_eq!(bench.refused(end), Refusal::NoSuchCall);
}

/// A miss that its owner decided counts from the owner alone; the phone's own refusal from anybody.
#[test]
fn whoever_gives_up_a_ringing_phone_owns_its_call() {
    let mut bench = Bench::new();
    let (_, leg) = bench.offered(ANNA);
    let missed = |bench: &Bench, hang_up| {
        let miss = Miss { status: 480, cause: Cause::NO_ANSWER, hang_up };
        Command::Missed { leg, miss, observed: bench.now }
    };
    let decided = missed(&bench, true);
    assert_eq!(bench.say_as(TWO, decided), Refusal::NotOwner.into());
    let said = missed(&bench, false);
    assert_eq!(bench.say_as(TWO, said), Outcome::Done);
}

#[test]
fn whoever_gives_up_a_called_party_owns_its_call() {
    for (status, hang_up) in [(0, false), (486, true)] {
        let mut bench = Bench::new();
        bench.import(SPRING, [0]);
        let call = bench.dialling(0, ANNA);
        let failure = DialFailure { hang_up, ..failure(DialResult::NoAnswer, status, Cause::NO_ANSWER) };
        let decided = Command::NotReached { leg: bench.customer(call), failure, observed: bench.now };
        assert_eq!(bench.say_as(TWO, decided.clone()), Refusal::NotOwner.into());
        assert_eq!(bench.say(decided), Outcome::Done);
        let by = if hang_up { HangupBy::System } else { HangupBy::Caller };
        assert_eq!(bench.records(call)[0].ended, Ended { by, cause: Cause::NO_ANSWER });
    }
}

/// The phone that rang hung up, or its owner's clock did: a miss as any other.
#[test]
fn a_ringing_phone_that_leaves_has_missed_its_offer() {
    for told_by in [ToldBy::FarEnd, ToldBy::Silence] {
        let mut bench = Bench::new();
        let (call, leg) = bench.offered(ANNA);
        bench.pass(1000);
        let gone = Command::Left { leg, cause: Cause::BUSY, told_by, observed: bench.now };
        assert_eq!(bench.say(gone), Outcome::Done);
        assert_eq!((bench.line(SALES), bench.agent(ANNA).misses), (vec![call], 1));
        assert!(matches!(bench.state(ANNA), Doing::Paused { .. }));
        let ring = bench.call(call).segments.iter().find(|piece| piece.kind == SegmentKind::Ring).cloned();
        assert_eq!(ring.map(|ring| ring.how), Some(How::Missed { status: 487, cause: Cause::BUSY }));
        let told = if told_by == ToldBy::FarEnd { vec![] } else { vec![leg] };
        assert_eq!(bench.hang_ups(call), told, "who left by itself knows");
    }
}

#[test]
fn who_hung_up_stands_in_the_record() {
    let ended = |by| Ended { by, cause: Cause::NORMAL };
    for (told_by, agent, by) in [
        (ToldBy::FarEnd, true, HangupBy::Agent),
        (ToldBy::FarEnd, false, HangupBy::Caller),
        (ToldBy::Silence, true, HangupBy::System),
        (ToldBy::DeadMedia, false, HangupBy::System),
    ] {
        let mut bench = Bench::new();
        let call = bench.talking(ANNA);
        let leg = if agent { bench.agent_leg(call) } else { bench.customer(call) };
        let gone = left(&bench, leg, told_by);
        assert_eq!(bench.say(gone), Outcome::Done);
        assert_eq!(bench.records(call)[0].ended, ended(by));
    }
}

/// A caller rings us: nobody answers or misses that leg but we.
#[test]
fn what_is_said_of_a_leg_that_we_rang_is_said_of_no_other() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    let caller = first_leg(call);
    let answered = Command::Answered { leg: caller, dialog: dialog(Role::Uac, "caller"), observed: bench.now };
    assert_eq!(bench.refused(answered), Refusal::WrongStage);
    let busy = failure(DialResult::Busy, 486, Cause::BUSY);
    let not_reached = |leg, bench: &Bench| Command::NotReached { leg, failure: busy.clone(), observed: bench.now };
    let refused = not_reached(caller, &bench);
    assert_eq!(bench.refused(refused), Refusal::WrongStage);
    let miss = Miss { status: 486, cause: Cause::BUSY, hang_up: false };
    assert_eq!(bench.refused(Command::Missed { leg: caller, miss, observed: bench.now }), Refusal::WrongStage);
    assert_eq!(bench.call(call).stage, Stage::Admitted);

    // An agent's phone is missed, not unreachable; nothing is asked of who answers at it.
    let (call, leg) = bench.offered(ANNA);
    let refused = not_reached(leg, &bench);
    assert_eq!(bench.refused(refused), Refusal::WrongStage);
    let accept = Command::Accept { leg, observed: bench.now };
    assert_eq!(bench.say_as(TWO, accept.clone()), Refusal::NotOwner.into());
    assert_eq!(bench.refused(accept.clone()), Refusal::WrongStage);
    let connect = bench.connect_command(call, leg);
    assert_eq!(bench.say(connect), Outcome::Done);
    assert_eq!(bench.refused(accept), Refusal::WrongStage, "it is in the call already");
    assert_eq!(bench.refused(Command::Missed { leg, miss, observed: bench.now }), Refusal::WrongStage);
}

#[test]
fn nothing_is_said_of_a_leg_that_no_row_has() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = LegKey { call, leg: LegNo(9) };
    let observed = bench.now;
    let failure = failure(DialResult::Busy, 486, Cause::BUSY);
    let miss = Miss { status: 486, cause: Cause::BUSY, hang_up: false };
    for command in [
        left(&bench, leg, ToldBy::FarEnd),
        redialog(leg),
        Command::Answered { leg, dialog: dialog(Role::Uac, "nobody"), observed },
        Command::Accept { leg, observed },
        Command::NotReached { leg, failure, observed },
        Command::Missed { leg, miss, observed },
        Command::Answer { leg, dialog: dialog(Role::Uas, "nobody"), relay: RELAY },
        Command::Split { leg },
        Command::Merge { from: call, into: call, by: leg, cseq: 1 },
    ] {
        assert_eq!(bench.refused_without_trace(command), Refusal::NoSuchLeg);
    }
}

/// An early dialog of a caller may change before its 200; a phone that only rings has none.
#[test]
fn a_dialog_changes_where_there_is_one() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    assert_eq!(bench.say_as(TWO, redialog(first_leg(call))), Refusal::NotOwner.into());
    assert_eq!(bench.say(redialog(first_leg(call))), Outcome::Done);
    assert_eq!(bench.shard.dialog(first_leg(call)).map(|dialog| dialog.call_id.clone()), Some("changed".to_owned()));
    let (_, leg) = bench.offered(ANNA);
    assert_eq!(bench.refused(redialog(leg)), Refusal::WrongStage);
    assert!(bench.shard.dialog(leg).is_none());
}

/// One entry moves many; what cannot move stays, and holds up no other.
#[test]
fn of_many_legs_that_move_each_is_judged_alone() {
    let mut bench = Bench::new();
    let talks = bench.talking(ANNA);
    let (rings, phone) = bench.offered(BERT);
    let admit = bench.admit_command();
    let Outcome::Admitted { call: others, .. } = bench.say_as(TWO, admit) else { panic!("not admitted") };
    assert_eq!(bench.say_as(TWO, answer(others)), Outcome::Done);
    let nowhere = LegKey { call: talks, leg: LegNo(9) };
    let moves = [first_leg(others), nowhere, phone, bench.agent_leg(talks), bench.customer(rings)];
    let legs = moves.iter().map(|leg| (*leg, AGENT_RELAY)).collect();
    assert_eq!(bench.say(Command::Rehome { legs }), Outcome::Done);
    let next = |leg| bench.shard.call_of_leg(leg).and_then(|row| row.leg(leg)?.next_relay);
    assert_eq!(moves.map(next), [None, None, None, Some(AGENT_RELAY), Some(AGENT_RELAY)]);
}

#[test]
fn an_entry_moves_so_many_legs_and_no_more() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let leg = bench.agent_leg(call);
    let rehome = |many| Command::Rehome { legs: vec![(leg, RelayId(9)); many] };
    assert_eq!(bench.refused_without_trace(rehome(limit::LEGS_PER_REHOME + 1)), Refusal::TooLong);
    assert_eq!(bench.say(rehome(limit::LEGS_PER_REHOME)), Outcome::Done);
    assert_eq!(bench.call(call).leg(leg).and_then(|leg| leg.next_relay), Some(RelayId(9)));
}

/// The 200 is owed until its ACK, whatever else happens in the call.
#[test]
fn what_is_owed_to_one_leg_does_not_go_with_another() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.say(answer(call));
    bench.say(enqueue(call, SALES, Then::End));
    let owed = DutyKind::Answer { leg: first_leg(call) };
    let offers = [ANNA, BERT].map(|agent| Offer { ring_all: true, ..bench.offer_of(call, agent) });
    assert_eq!(bench.planned(offers.to_vec()), 0b11);
    let legs: Vec<LegKey> = bench.call(call).ringing().map(|leg| leg.key).collect();
    let missed = bench.missed_command(legs[0], Cause::NO_ANSWER);
    bench.say(missed);
    let kinds = bench.kinds(call);
    for kind in [owed, DutyKind::Ring { leg: legs[1] }, hang_up(legs[0])] {
        assert!(kinds.contains(&kind), "{kind:?} of {kinds:?}");
    }
    let connect = bench.connect_command(call, legs[1]);
    bench.say(connect);
    assert!(bench.kinds(call).contains(&owed));
    // With its leg it goes.
    bench.end(call, CALLER_LEFT);
    assert!(!bench.kinds(call).contains(&owed));
}

/// So far only calls from a trunk to a flow are served.
#[test]
fn an_invite_that_nothing_serves_is_refused_without_a_trace() {
    let mut bench = Bench::new();
    let admit = |bench: &mut Bench, change: fn(&mut Admit)| {
        let Command::Admit(mut admit) = bench.admit_command() else { unreachable!() };
        change(&mut admit);
        Command::Admit(admit)
    };
    let changes: [fn(&mut Admit); 4] = [
        |admit| admit.source = Source::Agent(ANNA),
        |admit| admit.target = Target::Queue(SALES),
        |admit| admit.target = Target::Agent(ANNA),
        |admit| admit.target = Target::Number(number(1)),
    ];
    for change in changes {
        let command = admit(&mut bench, change);
        assert_eq!(bench.refused_without_trace(command), Refusal::NotServed);
    }
}

/// Who was told 503 and is over by another way has nothing to be withdrawn.
#[test]
fn a_call_that_is_over_is_not_withdrawn() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.end(call, CALLER_LEFT);
    assert_eq!(bench.say_as(TWO, Command::Withdraw { key: key(1) }), Refusal::WrongStage.into());
    assert_eq!((bench.outcome(call), bench.records(call).len()), (CallOutcome::Abandoned, 1));
}

/// A deadline runs from what it is about: the flow's from the call's beginning, the 200's from the 200.
#[test]
fn an_answer_that_came_late_gives_the_flow_no_more_time() {
    let mut bench = Bench::new();
    let admitted = bench.now;
    let call = bench.admitted();
    bench.pass(4000);
    bench.say(answer(call));
    assert_eq!(bench.call(call).until, admitted + limit::FLOW_MAX);
    assert_eq!(bench.call(call).duties[0].until, bench.now + limit::HANG_UP_MAX);
    let flow = bench.call(call).segments[0].clone();
    assert_eq!((flow.kind, flow.from), (SegmentKind::Flow, bench.now));
    bench.pass(limit::HANG_UP_MAX.as_millis() as u64 - 1);
    bench.expire();
    assert!(!bench.call(call).is_over());
    bench.pass(1);
    bench.expire();
    assert!(bench.call(call).is_over());
}

#[test]
fn a_conversation_is_as_long_as_it_may_be_from_its_beginning_on() {
    let mut bench = Bench::new();
    let (call, leg) = bench.offered(ANNA);
    bench.pass(3000);
    let connect = bench.connect_command(call, leg);
    let seen = bench.now;
    bench.pass(200);
    bench.say(connect);
    assert_eq!(bench.call(call).until, seen + limit::TALK_MAX);
    assert_eq!(bench.call(call).connected(), Some(seen));
    let slot = bench.agent(ANNA).voice().cloned().expect("a slot for calls");
    assert_eq!(slot.since, bench.now, "the agent is at work since the entry");
    assert_eq!(bench.now - Duration::from_millis(200), seen);
}
