//! A customer goes from one to another: blind, after a question, three at once, from a machine to a person, outside.

use std::time::Duration;

use super::*;
use crate::row::segment::SegmentKind;
use crate::{How, Place, PlaceState, Released, SlotState, Source, Then, WITH_CUSTOMER, limit};

/// Another customer waits in support, since later than ours.
fn transferred() -> Walk {
    let mut walk = Walk::talking();
    let other = walk.bench.waiting(SUPPORT);
    walk.calls.insert("other", other);
    let anna = walk.leg("anna");
    let (mut call, place) = (walk.call(), walk.bench.place(walk.calls["call"]));
    walk.lay(|shard, entry| {
        shard.release_slot(entry, &mut call, anna);
        call.finish_leg_pieces(anna, entry.now(), How::Transferred);
        call.depart(entry, anna, Released::Over(Cause::NORMAL), true);
        call.stage = Stage::Waiting;
        call.until = strowger_model::LogTime::MAX;
        call.begin(Piece::of_call(SegmentKind::Wait, Some(SUPPORT), entry.now())).expect("room");
        shard.put_call(call);
        let until = entry.now() + Duration::from_secs(60);
        shard.put_place(Place { queue: SUPPORT, state: PlaceState::Waiting, until, ..place });
    });
    walk
}

#[test]
fn a_blind_transfer_to_another_queue_keeps_the_rank() {
    walk(
        transferred,
        &[
            ("the phone that was left has hung up", |walk| {
                walk.all_told();
                assert_eq!(walk.bench.line(SUPPORT), [walk.calls["call"], walk.calls["other"]], "first who came first");
            }),
            ("an agent of the other queue is asked", |walk| walk.offered(&[("dora", DORA)])),
            ("and does not answer", |walk| {
                let missed = walk.bench.missed_command(walk.leg("dora"), Cause::NO_ANSWER);
                walk.done(missed);
                assert_eq!(walk.bench.line(SUPPORT)[0], walk.calls["call"]);
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered), "somebody has talked with the customer");
                assert_eq!(walk.bench.line(SUPPORT), [walk.calls["other"]]);
            }),
        ],
    );
}

/// A machine talks with the customer, and the place is in line again: it goes when a person comes.
fn handed_over() -> Walk {
    let mut walk = Walk::talking();
    let bot = walk.leg("anna");
    let place = walk.bench.place(walk.calls["call"]);
    walk.lay_call("call", |call| {
        call.leg_mut(bot).expect("it talks").reach = Reach::Socket { endpoint: strowger_model::EndpointId(1) };
    });
    walk.legs.insert("bot", bot);
    let until = walk.bench.now + Duration::from_secs(60);
    walk.lay(|shard, _| shard.put_place(Place { state: PlaceState::Waiting, until, ..place }));
    walk
}

#[test]
fn a_machine_hands_over_and_goes_when_a_person_comes() {
    walk(
        handed_over,
        &[
            ("a person's phone rings", |walk| {
                walk.offered(&[("bert", BERT)]);
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
            }),
            ("and is not answered", |walk| {
                let missed = walk.bench.missed_command(walk.leg("bert"), Cause::BUSY);
                walk.done(missed);
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]], "the next one is asked");
                assert_eq!(walk.serving(), Some(ANNA), "meanwhile the machine talks on");
            }),
            ("the next one's phone rings", |walk| {
                let until = walk.bench.now + limit::TALK_MAX;
                walk.bench.say_as(LEADER, Command::Bind { agent: CARL, binding: phone(50, until) });
                walk.offered(&[("carl", CARL)]);
            }),
            ("and is answered", |walk| {
                walk.answers("carl");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(CARL)));
                assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg("bot")]);
                assert_eq!(walk.bench.place(walk.calls["call"]).state, PlaceState::Served);
                assert!(matches!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Wrap { .. }));
            }),
            ("the machine is gone", |walk| walk.all_told()),
            ("the person hangs up", |walk| {
                walk.leaves("carl");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
                let call = walk.call();
                let talks: Vec<_> = call
                    .segments
                    .iter()
                    .filter(|piece| piece.kind == SegmentKind::Talk)
                    .map(|piece| piece.agent)
                    .collect();
                assert_eq!(talks, [Some(ANNA), Some(CARL)]);
            }),
        ],
    );
}

/// The call is the agent's who served last; both have talked, and both work afterwards.
#[test]
fn of_two_who_served_the_record_tells_both() {
    let mut walk = handed_over();
    let call = walk.calls["call"];
    walk.offered(&[("bert", BERT)]);
    walk.bench.pass(2000);
    let answered = walk.answered("bert");
    let seen = walk.bench.now;
    walk.bench.pass(300);
    walk.done(answered);
    let row = walk.call();
    let talks: Vec<_> = row.segments.iter().filter(|piece| piece.kind == SegmentKind::Talk).collect();
    let told = |at: usize| (talks[at].agent, talks[at].to, talks[at].how);
    assert_eq!(told(0), (Some(ANNA), Some(seen), How::Transferred));
    assert_eq!((told(1), talks[1].from), ((Some(BERT), None, How::Open), seen));
    assert_eq!((row.until, row.connected()), (seen + limit::TALK_MAX, Some(talks[0].from)));
    let bot = row.leg(walk.leg("bot")).expect("its phone is told").state;
    assert!(matches!(bot, crate::LegState::Releasing { why: Released::Over(Cause::NORMAL), .. }));
    walk.bench.pass(9700);
    walk.leaves("bert");
    let record = walk.bench.records(call).pop().expect("one record");
    assert_eq!((record.agent, record.talk_ms, record.wrap_ms), (Some(BERT), Some(7000 + 10_000), None));
    assert_eq!(record.agent_sip_call_id, Some(walk.leg("bert").to_string()));
    // The first one's work began when the second came.
    walk.bench.pass(WRAP_UP_MS - 9700);
    walk.done(Command::Expire);
    let record = walk.bench.records(call).pop().expect("written again");
    assert_eq!(record.wrap_ms, Some(WRAP_UP_MS));
    walk.bench.pass(9700);
    walk.done(Command::Dispose { agent: BERT, call, code: "sold".to_owned() });
    let record = walk.bench.records(call).pop().expect("and again");
    assert_eq!((record.wrap_ms, record.disposition.as_deref()), (Some(2 * WRAP_UP_MS), Some("sold")));
    assert_eq!(walk.bench.records(call).len(), 3);
}

#[test]
fn a_machine_that_breaks_leaves_the_customer_in_line() {
    walk(
        handed_over,
        &[
            ("a person's phone rings", |walk| walk.offered(&[("bert", BERT)])),
            ("the machine's socket breaks", |walk| {
                let broken = walk.left("bot", ToldBy::DeadMedia);
                walk.done(broken);
                assert_eq!((walk.stage(), walk.serving()), (Stage::Waiting, None));
                assert_eq!(walk.bench.place(walk.calls["call"]).state, PlaceState::Offered);
                let row = walk.call();
                let wait = row.wait().expect("it waits again");
                assert_eq!((wait.queue, wait.from, wait.is_open()), (Some(SALES), walk.bench.now, true));
                assert_eq!(row.until, strowger_model::LogTime::MAX, "its place has the deadline");
            }),
            ("the person answers", |walk| {
                walk.answers("bert");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(BERT)));
            }),
        ],
    );
}

/// The customer with Anna, and a second call with Bert that she made.
fn two_calls() -> Walk {
    let mut walk = Walk::talking();
    let second = walk.bench.talking(BERT);
    walk.calls.insert("second", second);
    walk.legs.insert("bert", walk.bench.agent_leg(second));
    walk.legs.insert("party", walk.bench.customer(second));
    walk
}

pub(super) fn merge(walk: &Walk) -> Command {
    Command::Merge { from: walk.calls["second"], into: walk.calls["call"], by: walk.leg("anna"), cseq: 7 }
}

#[test]
fn two_calls_become_one_and_all_leave_one_by_one() {
    walk(
        two_calls,
        &[
            ("the calls become one", |walk| {
                let merge = merge(walk);
                walk.done(merge);
                assert!(walk.call().is_over() != walk.row("second").is_over());
            }),
            ("the request comes again", |walk| {
                let (merge, before) = (merge(walk), walk.bench.shard.calls().cloned().collect::<Vec<_>>());
                walk.done(merge);
                assert_eq!(walk.bench.shard.calls().cloned().collect::<Vec<_>>(), before);
            }),
            ("the agent who asked has hung up", |walk| walk.all_told()),
            ("the agent who stays hangs up", |walk| walk.leaves("bert")),
            ("one of the others hangs up, and nobody is left alone", |walk| {
                walk.leaves("party");
                assert!(walk.call().is_over() && walk.row("second").is_over());
            }),
        ],
    );
}

/// The customer, Anna and somebody outside, all with each other.
fn three_at_once() -> Walk {
    let mut walk = Walk::talking();
    let party = walk.lay_leg("call", "party", LegRole::Party, over_trunk(), LegState::Up);
    let piece = walk.call().leg(party).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, walk.bench.now));
    walk.lay_piece("call", piece.expect("it is there"));
    assert_eq!(walk.call().leg(party).unwrap().room, Some(WITH_CUSTOMER));
    walk
}

#[test]
fn three_talk_and_the_agent_leaves_first() {
    walk(
        three_at_once,
        &[
            ("the agent hangs up", |walk| {
                walk.leaves("anna");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, None));
                assert!(matches!(walk.bench.agent(ANNA).voice().unwrap().state, SlotState::Wrap { .. }));
            }),
            ("the work after it is over", |walk| {
                walk.bench.pass(WRAP_UP_MS);
                walk.done(Command::Expire);
                assert_eq!(walk.stage(), Stage::Talking);
            }),
            ("the outsider hangs up", |walk| {
                walk.leaves("party");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

#[test]
fn three_talk_and_the_customer_leaves_first() {
    walk(
        three_at_once,
        &[
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.stage(), Stage::Talking, "the others talk on");
            }),
            ("the outsider hangs up, and the agent is not left alone", |walk| {
                walk.leaves("party");
                assert!(walk.call().is_over());
                assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg("anna")]);
            }),
        ],
    );
}

/// A queue that takes no more sends the call on to a number outside: its phone rings.
fn outside() -> Walk {
    let mut bench = Bench::new();
    let call = bench.flowing();
    let mut walk = Walk::of(bench, call);
    let until = walk.bench.now + Duration::from_secs(20);
    let party = walk.lay_leg("call", "party", LegRole::Party, over_trunk(), LegState::Ringing { until });
    walk.lay_call("call", |call| {
        call.finish_pieces(until - Duration::from_secs(20), How::WentOn, |piece| piece.kind == SegmentKind::Flow);
        call.stage = Stage::Talking;
        call.until = until + limit::TALK_MAX;
        call.add_duty(DutyKind::Ring { leg: party }, until);
    });
    walk
}

#[test]
fn a_caller_is_sent_outside_and_nobody_answers_there() {
    walk(
        outside,
        &[
            ("the number is busy", |walk| {
                let failure = crate::bench::failure(strowger_model::DialResult::Busy, 486, Cause::BUSY);
                let (leg, observed) = (walk.leg("party"), walk.bench.now);
                walk.done(Command::NotReached { leg, failure, observed });
                assert_eq!(walk.stage(), Stage::Flow, "on with the flow");
            }),
            ("the flow goes on to a queue", |walk| {
                let enqueue = crate::bench::enqueue(walk.calls["call"], SALES, Then::End);
                walk.done(enqueue);
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]]);
            }),
        ],
    );
}

#[test]
fn a_caller_is_sent_outside_and_talks_there() {
    walk(
        outside,
        &[
            ("somebody answers", |walk| {
                walk.answers("party");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, None));
            }),
            ("the caller hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::TransferredOut));
            }),
        ],
    );
}

/// Another tenant's call comes over the trunk within: nothing serves it yet, and nothing is left of it.
#[test]
fn a_call_from_another_tenant_is_refused_until_somebody_serves_it() {
    let mut bench = Bench::new();
    let Command::Admit(mut admit) = bench.admit_command() else { panic!("an INVITE") };
    admit.source = Source::Internal { trunk: TRUNK, call: CallId::new(SHARD, 1), hops: 5 };
    assert_eq!(bench.refused_without_trace(Command::Admit(admit)), Refusal::NotServed);
}

/// Whoever was brought in talks from its answer on; when it goes, the flow goes on where it brought it in.
#[test]
fn who_is_brought_in_is_told_from_the_answer_to_the_end() {
    let mut walk = outside();
    let party = walk.leg("party");
    walk.bench.pass(3000);
    let answered = walk.answered("party");
    let seen = walk.bench.now;
    walk.bench.pass(400);
    walk.done(answered);
    assert!(!walk.call().duties.iter().any(|duty| matches!(duty.kind, DutyKind::Ring { .. })), "it answered");
    let talk = |walk: &Walk| walk.call().segments.iter().find(|piece| piece.kind == SegmentKind::Talk).cloned();
    let began = talk(&walk).expect("they talk");
    assert_eq!((began.from, began.leg, began.agent, began.to), (seen, Some(party), None, None));
    walk.bench.pass(600);
    walk.leaves("party");
    assert_eq!(talk(&walk).map(|talk| (talk.to, talk.how)), Some((Some(walk.bench.now), How::Over)));
    assert_eq!((walk.stage(), walk.call().until), (Stage::Flow, walk.bench.now + limit::FLOW_MAX));
    let flow = walk.call().segments.last().cloned().expect("the flow goes on");
    assert_eq!((flow.kind, flow.from, flow.to), (SegmentKind::Flow, walk.bench.now, None));
    // Nobody else is there to be told: it left by itself.
    assert_eq!(walk.bench.hang_ups(walk.calls["call"]), []);
    walk.leaves("customer");
    let record = walk.bench.records(walk.calls["call"]).pop().expect("one record");
    assert_eq!((record.outcome, record.talk_ms, record.agent), (CallOutcome::TransferredOut, Some(1000), None));
}

/// The last of the others takes the call along: by whom it ended is told.
#[test]
fn a_party_that_leaves_last_ended_the_call() {
    let mut walk = three_at_once();
    walk.leaves("anna");
    walk.leaves("party");
    let ended = walk.call().ended().expect("it is over");
    assert_eq!(ended.by, strowger_model::HangupBy::Party);
}
