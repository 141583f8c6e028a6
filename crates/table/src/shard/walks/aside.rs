//! An agent asks another beside the customer: a second call, which the agent's slot names. Who leaves first, and what is left
//! of either call.

use std::time::Duration;

use super::transfers::merge;
use super::*;
use crate::row::segment::SegmentKind;
use crate::{Began, Origin, SlotState, Source, Target, limit};

/// Anna's own call to Bert, beside the customer: a second row, which her slot names.
fn asked_aside() -> Walk {
    let mut walk = Walk::talking();
    let (first, now) = (walk.calls["call"], walk.bench.now);
    let second = CallId::new(SHARD, walk.bench.shard.last().index + 1000);
    walk.calls.insert("second", second);
    walk.lay(|shard, entry| {
        let key = key(4711);
        let source = Source::Agent(ANNA);
        let origin = Origin {
            from: "anna".to_owned(),
            to: "bert".to_owned(),
            began: Began::Inbound { key, source, target: Target::Agent(BERT) },
        };
        let owner = shard.calls.get(&first).expect("it is there").owner;
        let mut call = shard.new_call(entry, ACME, origin, owner);
        (call.id, call.stage, call.until) = (second, Stage::Talking, now + limit::TALK_MAX);
        // With both of them in it before the table looks.
        shard.put_call(call);
    });
    walk.lay_leg("second", "anna aside", LegRole::Agent(ANNA, 0), Reach::Inbound, LegState::Up);
    let bert = walk.lay_leg("second", "bert", LegRole::Agent(BERT, 0), at_phone(BERT), LegState::Up);
    let piece =
        walk.row("second").leg(bert).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, now)).expect("it is there");
    walk.lay_piece("second", piece);
    walk.lay_call("second", |call| call.serving = Some(bert));
    let (mut anna, mut bert) = (walk.bench.agent(ANNA), walk.bench.agent(BERT));
    walk.lay(|shard, entry| {
        anna.enter(0, SlotState::Busy { call: first, aside: Some(second) }, entry.now());
        bert.enter(0, SlotState::Busy { call: second, aside: None }, entry.now());
        shard.put_agent(anna);
        shard.put_agent(bert);
    });
    walk
}

#[test]
fn an_agent_asks_another_who_leaves_before_the_transfer() {
    walk(
        asked_aside,
        &[
            ("who was asked hangs up", |walk| {
                walk.leaves("bert");
                assert!(walk.row("second").is_over(), "nobody is left alone in it");
                let slot = SlotState::Busy { call: walk.calls["call"], aside: None };
                assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, slot);
                assert_eq!(walk.serving(), Some(ANNA));
            }),
            ("the transfer comes too late", |walk| {
                let merge = merge(walk);
                assert!(walk.say(merge).refusal().is_some());
                assert_eq!(walk.serving(), Some(ANNA), "the agent keeps the customer");
            }),
            ("the second phone call is told", |walk| walk.all_told()),
            ("the agent hangs up", |walk| {
                walk.leaves("anna");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                assert!(matches!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Wrap { .. }));
            }),
        ],
    );
}

#[test]
fn an_agent_asks_another_who_takes_the_customer_and_leaves() {
    walk(
        asked_aside,
        &[
            ("the customer goes to who was asked", |walk| {
                let merge = merge(walk);
                walk.done(merge);
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(BERT)));
                assert!(walk.row("second").is_over());
                let mut gone = walk.bench.hang_ups(walk.calls["call"]);
                gone.sort();
                assert_eq!(gone, [walk.leg("anna"), walk.leg("anna aside")]);
                assert!(matches!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Wrap { .. }));
                let slot = SlotState::Busy { call: walk.calls["call"], aside: None };
                assert_eq!(walk.bench.agent(BERT).voice().unwrap().state, slot);
            }),
            ("both legs of who asked have hung up", |walk| walk.all_told()),
            ("who was asked hangs up", |walk| {
                walk.leaves("bert");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// The customer's call is over first: the agent goes on talking with who was asked, and the work after the customer's call
/// comes when that is over. Its row is there as long.
#[test]
fn an_agent_asks_another_and_the_customer_leaves() {
    walk(
        asked_aside,
        &[
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, aside(walk));
            }),
            ("ended calls of that time go", |walk| {
                walk.all_told();
                walk.bench.now = walk.bench.now + 2 * limit::ENDED_LINGER;
                walk.done(Command::Expire);
                assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, aside(walk));
            }),
            ("the agent hangs up", |walk| {
                walk.leaves("anna aside");
                assert!(walk.row("second").is_over());
                let (first, until) = (walk.calls["call"], walk.bench.now + Duration::from_millis(WRAP_UP_MS));
                let work = walk.bench.agent(ANNA).voice().unwrap().state;
                assert!(matches!(work, SlotState::Wrap { call, until: over, .. } if (call, over) == (first, until)));
                assert_eq!(walk.call().until, until + limit::ENDED_LINGER);
            }),
            ("says how it went, and is free", |walk| {
                let call = walk.calls["call"];
                walk.done(Command::Dispose { agent: ANNA, call, code: "sold".to_owned() });
                let records = walk.bench.records(call);
                let told = |at: usize| (records[at].disposition.as_deref(), records[at].wrap_ms);
                assert_eq!((records.len(), told(0), told(1)), (2, (None, None), (Some("sold"), Some(100))));
            }),
        ],
    );
}

fn aside(walk: &Walk) -> SlotState {
    SlotState::Busy { call: walk.calls["call"], aside: Some(walk.calls["second"]) }
}

/// Anna leaves the customer with somebody outside while she asks: the call goes on, and ends before her question or after.
#[test]
fn an_agent_leaves_the_customers_call_while_she_asks_another() {
    fn begin() -> Walk {
        let mut walk = asked_aside();
        let party = walk.lay_leg("call", "party", LegRole::Party, over_trunk(), LegState::Up);
        let piece = walk.call().leg(party).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, walk.bench.now));
        walk.lay_piece("call", piece.expect("it is there"));
        walk
    }
    fn leaves_the_customer(walk: &mut Walk) {
        walk.leaves("anna");
        assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, None));
        assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, aside(walk));
    }
    fn works_on_it(walk: &Walk) {
        let state = walk.bench.agent(ANNA).voice().unwrap().state;
        assert!(matches!(state, SlotState::Wrap { call, .. } if call == walk.calls["call"]), "{state:?}");
    }
    walk(
        begin,
        &[
            ("she leaves the customer", leaves_the_customer),
            ("her question is over", |walk| {
                walk.leaves("anna aside");
                works_on_it(walk);
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                works_on_it(walk);
            }),
        ],
    );
    walk(
        begin,
        &[
            ("she leaves the customer", leaves_the_customer),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, aside(walk));
            }),
            ("her question is over", |walk| {
                walk.leaves("anna aside");
                works_on_it(walk);
            }),
        ],
    );
}

/// Whom Anna asked has a call of its own, and makes one of both: she is in a question beside the customer all the same.
#[test]
fn a_question_beside_a_call_goes_on_in_another_row() {
    let mut walk = asked_aside();
    let until = walk.bench.now + limit::TALK_MAX;
    walk.bench.say_as(LEADER, Command::Bind { agent: CARL, binding: phone(50, until) });
    let third = walk.bench.talking(CARL);
    walk.calls.insert("third", third);
    let (from, into) = (walk.calls["second"], third);
    walk.done(Command::Merge { from, into, by: walk.leg("bert"), cseq: 1 });
    let slot = SlotState::Busy { call: walk.calls["call"], aside: Some(third) };
    assert_eq!(walk.bench.agent(ANNA).voice().unwrap().state, slot);
    walk.look();
    walk.leaves("customer");
    walk.look();
    walk.leaves("anna aside");
    assert!(matches!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Wrap { .. }));
    walk.look();
}

/// Whichever row is named as the one to go on, it is the one that has the customer.
#[test]
fn the_row_with_the_customer_stays_whichever_is_named() {
    let mut walk = asked_aside();
    let (from, into) = (walk.calls["call"], walk.calls["second"]);
    walk.done(Command::Merge { from, into, by: walk.leg("anna"), cseq: 7 });
    assert!(walk.row("second").is_over());
    assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(BERT)));
    let row = walk.row("second");
    assert!(matches!(row.stage, Stage::Ended { outcome: CallOutcome::Merged, into: Some(into), .. } if into == from));
    // Nothing of it had a customer: all of its story goes on, from when it began.
    let talk = walk.call().segments.iter().find(|piece| piece.agent == Some(BERT)).cloned().expect("it moved");
    assert_eq!((talk.kind, talk.to), (SegmentKind::Talk, None));
    assert!(row.segments.is_empty() && talk.from < walk.bench.now + Duration::from_millis(1));
    walk.look();
}
