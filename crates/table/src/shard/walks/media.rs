//! Who listens, what is recorded, and where voices are held.

use strowger_model::RelayId;

use super::*;
use crate::row::segment::SegmentKind;
use crate::{SlotState, Tap, TapKind, TapState, Watch, Watched};

const OTHER_RELAY: RelayId = RelayId(9);

/// Anna serves, Bert is with them, and Dora listens to Anna.
fn listened_to() -> Walk {
    let mut walk = Walk::talking();
    let bert = walk.lay_leg("call", "bert", LegRole::Agent(BERT, 0), at_phone(BERT), LegState::Up);
    let piece = walk.call().leg(bert).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, walk.bench.now));
    walk.lay_piece("call", piece.expect("it is there"));
    let (mut agent, call) = (walk.bench.agent(BERT), walk.calls["call"]);
    walk.lay(|shard, entry| {
        agent.enter(0, SlotState::Busy { call, aside: None }, entry.now());
        shard.put_agent(agent);
    });
    let role = LegRole::Supervisor { by: DORA, on: Watched::Leg(walk.leg("anna")), mode: Watch::Listen };
    walk.lay_leg("call", "dora", role, at_phone(DORA), LegState::Up);
    let role = LegRole::Supervisor { by: EMIL, on: Watched::Call, mode: Watch::Whisper };
    walk.lay_leg("call", "emil", role, at_phone(EMIL), LegState::Up);
    walk
}

#[test]
fn who_listens_to_an_agent_goes_with_that_agent() {
    walk(
        listened_to,
        &[
            ("the agent hangs up", |walk| {
                walk.leaves("anna");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(BERT)));
                assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg("dora")]);
            }),
            ("who listened has hung up", |walk| walk.all_told()),
            ("who watches the call stays", |walk| {
                assert!(walk.call().leg(walk.leg("emil")).unwrap().is_up());
                walk.leaves("emil");
                assert_eq!(walk.serving(), Some(BERT));
            }),
            ("the other agent hangs up", |walk| {
                walk.leaves("bert");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

#[test]
fn who_listens_gets_a_row_of_its_own() {
    walk(
        listened_to,
        &[
            ("the leg leaves the call", |walk| {
                let Outcome::Split { call } = walk.say(Command::Split { leg: walk.leg("dora") }) else {
                    panic!("not split")
                };
                walk.calls.insert("own", call);
                assert_eq!(walk.bench.shard.call_of_leg(walk.leg("dora")).unwrap().id, call);
            }),
            ("the agent whom it listened to hangs up", |walk| {
                walk.leaves("anna");
                assert!(!walk.row("own").is_over(), "it does not follow any more");
            }),
            ("who listened hangs up", |walk| {
                walk.leaves("dora");
                assert!(walk.row("own").is_over() && walk.bench.records(walk.calls["own"]).is_empty());
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// Card numbers are being told: what is recorded gets silence.
#[test]
fn a_recording_is_paused_and_survives_whatever_comes() {
    fn begin() -> Walk {
        let mut walk = Walk::talking();
        let (leg, since) = (walk.leg("customer"), walk.bench.now);
        walk.lay_call("call", |call| {
            call.private = Some(since);
            call.taps.push(Tap { no: 0, leg, kind: TapKind::Record, state: TapState::Paused, since, part: 2 });
            call.next.tap = 1;
        });
        let second = walk.bench.talking(BERT);
        walk.calls.insert("second", second);
        walk
    }
    fn row(walk: &Walk) -> Call {
        let rows = ["call", "second"].map(|name| walk.row(name));
        rows.into_iter().find(|row| !row.is_over()).expect("one goes on")
    }
    walk(
        begin,
        &[
            ("two calls become one", |walk| {
                let (from, into) = (walk.calls["call"], walk.calls["second"]);
                walk.done(Command::Merge { from, into, by: walk.leg("anna"), cseq: 1 });
                assert!(row(walk).private.is_some(), "private as either was");
                assert_eq!(row(walk).taps.len(), 1);
            }),
            ("the customer who is recorded hangs up", |walk| {
                assert_eq!(row(walk).taps[0].state, TapState::Paused);
                walk.leaves("customer");
                let (row, now) = (row(walk), walk.bench.now);
                assert_eq!(
                    (row.taps[0].state, row.taps[0].since),
                    (TapState::Sealing, now),
                    "what there is of it is kept"
                );
                let owed = row.duty_to(DutyKind::Seal { tap: row.taps[0].no }).expect("it is owed");
                assert_eq!(owed.until, now + crate::limit::SEAL_MAX);
            }),
        ],
    );
}

#[test]
fn a_leg_moves_to_another_relay_and_on_to_a_third() {
    walk(
        Walk::talking,
        &[
            ("its relay is gone", |walk| {
                let legs = ["customer", "anna"].map(|name| (walk.leg(name), OTHER_RELAY)).to_vec();
                walk.done(Command::Rehome { legs });
                let leg = walk.call().leg(walk.leg("anna")).unwrap().clone();
                assert_eq!((leg.relay, leg.next_relay), (Some(RELAY), Some(OTHER_RELAY)), "make before break");
            }),
            ("the agent's phone agrees", |walk| agrees(walk, "anna", OTHER_RELAY)),
            ("the next relay is gone as well", |walk| {
                walk.done(Command::Rehome { legs: vec![(walk.leg("customer"), AGENT_RELAY)] });
                let closes = walk.bench.closes(walk.calls["call"]);
                assert!(closes.contains(&(OTHER_RELAY, walk.leg("customer"))), "it holds a port: {closes:?}");
            }),
            ("the customer's agrees", |walk| {
                agrees(walk, "customer", AGENT_RELAY);
                let call = walk.call();
                let relays: Vec<_> = call.live_legs().map(|leg| leg.relay).collect();
                assert_eq!(relays, [Some(AGENT_RELAY), Some(OTHER_RELAY)]);
            }),
            ("all old ports are closed", |walk| {
                walk.all_told();
                assert_eq!(walk.call().relays(), [AGENT_RELAY, OTHER_RELAY]);
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.call().relays(), [AGENT_RELAY, OTHER_RELAY], "both are still to be told");
            }),
        ],
    );
    fn agrees(walk: &mut Walk, name: &str, relay: RelayId) {
        let leg = walk.leg(name);
        let dialog = dialog(Role::Uac, &leg.to_string());
        walk.done(Command::Redialog { leg, dialog, relay: Some(relay), holds: false });
        let leg = walk.call().leg(leg).unwrap().clone();
        assert_eq!((leg.relay, leg.next_relay), (Some(relay), None));
    }
}

/// An agent who was with them, and does not serve, goes on alone in a row of its own, and is at work there.
#[test]
fn an_agent_beside_the_one_who_serves_gets_a_row_of_its_own() {
    let mut walk = listened_to();
    let bert = walk.leg("bert");
    let Outcome::Split { call } = walk.say(Command::Split { leg: bert }) else { panic!("not split") };
    walk.calls.insert("own", call);
    let row = walk.row("own");
    assert_eq!((row.serving, row.serving_agent()), (Some(bert), Some(BERT)));
    assert_eq!(walk.bench.agent(BERT).voice().map(|slot| slot.state), Some(SlotState::Busy { call, aside: None }));
    assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
    walk.look();
    walk.leaves("bert");
    assert!(walk.row("own").is_over());
    assert!(matches!(walk.bench.agent(BERT).voice().map(|slot| slot.state), Some(SlotState::Wrap { .. })));
    walk.look();
}

/// A recording goes with the leg that it is of, under its number.
#[test]
fn what_is_recorded_of_a_leg_goes_with_it() {
    let mut walk = listened_to();
    let since = walk.bench.now;
    let tap = |no, leg| Tap { no, leg, kind: TapKind::Record, state: TapState::Running, since, part: 0 };
    let (anna, bert) = (walk.leg("anna"), walk.leg("bert"));
    let sealing = |no, leg| Tap { state: TapState::Sealing, ..tap(no, leg) };
    let is_seal = |kind: &DutyKind| matches!(kind, DutyKind::Seal { .. });
    let owed = |call: &Call| call.duties.iter().map(|duty| duty.kind).filter(is_seal).collect::<Vec<_>>();
    let until = since + crate::limit::SEAL_MAX;
    walk.lay_call("call", |call| {
        call.taps = vec![tap(0, anna), tap(1, bert), sealing(2, anna), sealing(3, bert)];
        call.next.tap = 4;
        [2, 3].into_iter().for_each(|tap| call.add_duty(DutyKind::Seal { tap }, until));
    });
    let Outcome::Split { call } = walk.say(Command::Split { leg: bert }) else { panic!("not split") };
    walk.calls.insert("own", call);
    let (row, own) = (walk.call(), walk.row("own"));
    assert_eq!(row.taps, [tap(0, anna), sealing(2, anna)]);
    assert_eq!(own.taps, [tap(1, bert), sealing(3, bert)]);
    assert_eq!((owed(&row), owed(&own)), (vec![DutyKind::Seal { tap: 2 }], vec![DutyKind::Seal { tap: 3 }]));
    assert_eq!(own.next.tap, 4, "no number is given twice");
}

/// Numbers of recordings are their row's: those that come along get the next ones, and so does what they owe.
#[test]
fn recordings_of_two_calls_that_become_one_are_told_apart() {
    let mut walk = Walk::talking();
    let second = walk.bench.talking(BERT);
    walk.calls.insert("second", second);
    let (since, until) = (walk.bench.now, walk.bench.now + crate::limit::TALK_MAX);
    for name in ["call", "second"] {
        let leg = walk.row(name).customer().expect("it talks").key;
        walk.lay_call(name, |call| {
            for no in [0, 1] {
                call.taps.push(Tap { no, leg, kind: TapKind::Record, state: TapState::Sealing, since, part: 0 });
                call.add_duty(DutyKind::Seal { tap: no }, until);
            }
            call.next.tap = 2;
        });
    }
    let (from, into) = (walk.calls["call"], walk.calls["second"]);
    walk.done(Command::Merge { from, into, by: walk.leg("anna"), cseq: 1 });
    let row = walk.row("second");
    assert_eq!(row.taps.iter().map(|tap| tap.no).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(row.next.tap, 4);
    let sealed = |duty: &crate::Duty| if let DutyKind::Seal { tap } = duty.kind { Some(tap) } else { None };
    assert_eq!(row.duties.iter().filter_map(sealed).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(row.taps[2..].iter().all(|tap| tap.leg == walk.leg("customer")), "each with its own leg");
    walk.look();
}

/// What must not be heard stays so in the call that goes on, since the later of both.
#[test]
fn what_is_private_in_either_call_is_private_in_both() {
    for (first, second) in [(Some(7), None), (None, Some(8)), (Some(7), Some(8)), (None, None)] {
        let mut walk = Walk::talking();
        let other = walk.bench.talking(BERT);
        walk.calls.insert("second", other);
        walk.lay_call("call", |call| call.private = first.map(strowger_model::LogTime));
        walk.lay_call("second", |call| call.private = second.map(strowger_model::LogTime));
        let (from, into) = (walk.calls["call"], other);
        walk.done(Command::Merge { from, into, by: walk.leg("anna"), cseq: 1 });
        assert_eq!(walk.row("second").private, second.or(first).map(strowger_model::LogTime));
    }
}
