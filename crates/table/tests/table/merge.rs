//! Two rows become one and one becomes two; what is on the way finds its leg.

use strowger_model::{CallId, Cause, LegKey, Outcome as CallOutcome};
use strowger_table::{Command, DutyKind, LegRole, Outcome, PlaceState, Refusal, Segment, SegmentKind, Stage, ToldBy};

use crate::bench::{Bench, Doing};
use crate::sample::*;

struct Two {
    bench: Bench,
    /// With Anna, who asks.
    first: CallId,
    anna: LegKey,
    /// With Bert, who stays.
    second: CallId,
    bert: LegKey,
}

fn two() -> Two {
    let mut bench = Bench::new();
    let first = bench.talking(ANNA);
    let second = bench.talking(BERT);
    let (anna, bert) = (bench.agent_leg(first), bench.agent_leg(second));
    bench.pass(5000);
    Two { bench, first, anna, second, bert }
}

impl Two {
    fn merge(&mut self, cseq: u32) -> Outcome {
        self.bench.say(Command::Merge { from: self.first, into: self.second, by: self.anna, cseq })
    }

    fn left(&mut self, leg: LegKey) -> Outcome {
        let observed = self.bench.now;
        self.bench.say_as(THREE, Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed })
    }
}

#[test]
fn two_calls_go_on_as_one_without_the_agent_who_asked() {
    let mut two = two();
    let (one, other) = (two.bench.customer(two.first), two.bench.customer(two.second));
    let epoch = two.bench.call(two.second).owner.epoch;
    assert_eq!(two.merge(7), Outcome::Done);
    let row = two.bench.call(two.second);
    assert_eq!(row.stage, Stage::Talking);
    assert_eq!((row.serving, row.customer().unwrap().key), (Some(two.bert), other));
    assert_eq!(row.leg(one).unwrap().role, LegRole::Party, "two customers are a customer and a party");
    assert_eq!((row.leg(one).unwrap().takeovers, row.leg(other).unwrap().takeovers), (1, 0));
    assert!(row.owner.epoch > epoch);
    assert!(row.live_legs().all(|leg| leg.room == Some(strowger_table::WITH_CUSTOMER)));
    assert!(matches!(two.bench.state(ANNA), Doing::WrapUp { call, .. } if call == two.second));
    assert_eq!(two.bench.state(BERT), Doing::Talking { call: two.second });
    // Whoever names a leg by its birth key finds it, in its new row.
    assert_eq!(two.bench.shard.call_of_leg(one).unwrap().id, two.second);
    assert_eq!(two.bench.hang_ups(two.second), [two.anna]);
    assert!(two.bench.kinds(two.second).contains(&DutyKind::Notify { leg: two.anna }));

    let gone = two.bench.call(two.first);
    assert!(matches!(gone.stage, Stage::Ended { into: Some(into), .. } if into == two.second));
    assert!(gone.legs.is_empty() && gone.duties.is_empty());
    // It had a customer: it keeps a record of its own.
    let record = &two.bench.records(two.first)[0];
    assert_eq!((record.outcome, record.into, record.talk_ms), (CallOutcome::Answered, Some(two.second), Some(5000)));
    assert_eq!(record.sip_call_id, two.bench.shard.dialog(one).unwrap().call_id, "by which it is found");
    assert_eq!(two.bench.place(two.second).state, PlaceState::Served);

    // The other call is Bert's, who served in it, whoever came from where Anna did.
    two.bench.pass(2000);
    assert_eq!(two.left(one), Outcome::Done);
    assert_eq!(two.left(other), Outcome::Done);
    let record = &two.bench.records(two.second)[0];
    assert_eq!((record.agent, record.into, record.outcome), (Some(BERT), None, CallOutcome::Answered));
    let by_anna = |piece: &&Segment| piece.agent == Some(ANNA) && piece.kind == SegmentKind::Talk;
    assert_eq!(record.segments.iter().filter(by_anna).count(), 0, "she never talked in it");
}

/// Whoever waited is in a conversation now: nobody is rung for a place that is gone.
#[test]
fn phones_that_ring_for_a_call_that_goes_into_another_stop() {
    let mut bench = Bench::new();
    let talks = bench.talking(ANNA);
    let (waits, rings) = bench.offered(BERT);
    let by = bench.agent_leg(talks);
    assert_eq!(bench.say(Command::Merge { from: waits, into: talks, by, cseq: 1 }), Outcome::Done);
    let row = bench.call(talks);
    assert_eq!((row.stage, row.serving, row.ringing().count()), (Stage::Talking, None, 0));
    assert_eq!(bench.hang_ups(talks), [by, rings]);
    bench.hung_up(talks);
    assert_eq!(bench.agent(BERT).misses, 0, "it was no miss");
    assert_eq!(bench.state(BERT), Doing::Idle);
}

#[test]
fn the_same_request_again_changes_nothing() {
    let mut two = two();
    assert_eq!(two.merge(7), Outcome::Done);
    let rows = two.bench.call(two.second);
    for cseq in [7, 6] {
        assert_eq!(two.merge(cseq), Outcome::Done);
        assert_eq!(two.bench.call(two.second), rows);
    }
}

/// The agent who stays hangs up while the merge is on its way: before it or after it, nobody is left talking to nobody.
#[test]
fn a_far_end_that_leaves_is_known_by_its_birth_key_before_and_after() {
    let mut before = two();
    assert_eq!(before.left(before.bert), Outcome::Done);
    assert_eq!(before.merge(7), Refusal::WrongStage.into(), "there is nobody to go on with");
    assert_eq!(before.bench.state(ANNA), Doing::Talking { call: before.first }, "the agent keeps the customer");

    let mut after = two();
    after.merge(7);
    assert_eq!(after.left(after.bert), Outcome::Done);
    // Two outsiders talk alone, until one of them goes.
    let row = after.bench.call(after.second);
    assert_eq!((row.stage, row.serving), (Stage::Talking, None));
    let moved = row.legs.iter().find(|leg| leg.role == LegRole::Party).unwrap().key;
    assert_eq!(after.left(moved), Outcome::Done);
    assert_eq!(after.bench.outcome(after.second), CallOutcome::Answered);
    assert_eq!(after.bench.hang_ups(after.second).len(), 2, "the customer, and the agent who asked");
}

#[test]
fn a_merge_is_refused_where_it_would_lose_somebody() {
    let mut two = two();
    let merge = |from, into, by| Command::Merge { from, into, by, cseq: 1 };
    let (first, second, anna) = (two.first, two.second, two.anna);
    assert_eq!(two.bench.refused(merge(first, first, anna)), Refusal::NotServed);
    assert_eq!(two.bench.refused(merge(first, CallId::new(SHARD, 4711), anna)), Refusal::NoSuchCall);
    let customer = two.bench.customer(first);
    assert_eq!(two.bench.refused(merge(first, second, customer)), Refusal::WrongStage, "only agents ask");
    let admitted = two.bench.admitted();
    assert_eq!(two.bench.refused(merge(admitted, first, anna)), Refusal::WrongStage);
    assert_eq!(two.bench.say_as(TWO, merge(first, second, anna)), Refusal::NotOwner.into());
}

#[test]
fn a_leg_gets_a_row_of_its_own_and_keeps_its_name() {
    let mut two = two();
    let one = two.bench.customer(two.first);
    two.merge(7);
    assert_eq!(two.bench.refused(Command::Split { leg: two.bert }), Refusal::WrongStage, "who serves stays");
    let Outcome::Split { call } = two.bench.say(Command::Split { leg: one }) else { panic!("not split") };
    assert_eq!(two.bench.shard.call_of_leg(one).unwrap().id, call);
    assert_eq!(two.bench.call(call).leg(one).unwrap().takeovers, 2);
    assert_eq!((two.bench.call(call).queue(), two.bench.call(call).music()), (None, Some(SALES)));
    assert!(two.bench.call(two.second).leg(one).is_none());
    assert_eq!(two.bench.state(BERT), Doing::Talking { call: two.second });
    assert_eq!(two.left(one), Outcome::Done);
    assert!(two.bench.call(call).is_over() && two.bench.records(call).is_empty());
    assert_eq!(two.bench.call(two.second).stage, Stage::Talking);
}

/// An agent is not left alone by the last of the two who were there.
#[test]
fn who_is_the_last_with_an_agent_gets_no_row_of_its_own() {
    let mut two = two();
    let (one, other) = (two.bench.customer(two.first), two.bench.customer(two.second));
    two.merge(7);
    assert_eq!(two.left(other), Outcome::Done);
    assert_eq!(two.bench.call(two.second).stage, Stage::Talking);
    assert_eq!(two.bench.refused(Command::Split { leg: one }), Refusal::WrongStage);
}

/// Of two who talk alone none is taken away: the other would be left with nobody.
#[test]
fn of_two_outsiders_none_gets_a_row_of_its_own() {
    let mut two = two();
    let one = two.bench.customer(two.first);
    two.merge(7);
    two.left(two.bert);
    assert_eq!(two.bench.refused(Command::Split { leg: one }), Refusal::WrongStage);
    assert_eq!(two.bench.call(two.second).live_legs().count(), 2);
}

#[test]
fn merged_rows_come_to_rest_with_nothing_left_behind() {
    let mut two = two();
    two.merge(7);
    let mut rounds = 0;
    while two.bench.shard.next_lease().is_some() {
        two.bench.expire_next();
        rounds += 1;
        assert!(rounds < 100);
    }
    assert_eq!(two.bench.shard.busy().calls + two.bench.shard.busy().places, 0);
    assert!(two.bench.shard.dialog(two.anna).is_none() && two.bench.shard.dialog(two.bert).is_none());
}

/// A row that went into another one is kept for late repeats like any that is over, and no longer.
#[test]
fn the_row_that_went_into_another_goes_in_its_time() {
    let mut two = two();
    assert_eq!(two.merge(7), Outcome::Done);
    let until = two.bench.call(two.first).until;
    assert_eq!(until, two.bench.now + strowger_table::limit::ENDED_LINGER);
    two.bench.pass(strowger_table::limit::ENDED_LINGER.as_millis() as u64);
    two.bench.expire();
    assert!(two.bench.shard.call(two.first).is_none());
    assert_eq!(two.bench.call(two.second).stage, Stage::Talking, "the one that goes on has its own time");
    assert!(two.bench.call(two.second).until <= two.bench.now + strowger_table::limit::TALK_MAX);
}

/// What the flow learnt of one customer goes along where nothing is known of the other.
#[test]
fn what_was_learnt_of_a_call_goes_with_it_unless_the_other_knows_something() {
    use strowger_table::{Change, Value};
    let knows = |bench: &mut Bench, call, value| {
        let set = vec![Change { name: "language".into(), value: Some(Value::Number(value)) }];
        assert_eq!(bench.say(Command::Step { call, step: 0, attempt: 0, set }), Outcome::Done);
    };
    let talks = |bench: &mut Bench, value: Option<i64>, agent| {
        let call = bench.flowing();
        if let Some(value) = value {
            knows(bench, call, value);
        }
        assert_eq!(bench.say(crate::bench::enqueue(call, SALES, strowger_table::Then::End)), Outcome::Done);
        let leg = bench.offer(call, agent);
        let connect = bench.connect_command(call, leg);
        assert_eq!(bench.say(connect), Outcome::Done);
        call
    };
    for (of_into, kept) in [(None, 7), (Some(9), 9)] {
        let mut bench = Bench::new();
        let first = talks(&mut bench, Some(7), ANNA);
        let second = talks(&mut bench, of_into, BERT);
        let by = bench.agent_leg(first);
        assert_eq!(bench.say(Command::Merge { from: first, into: second, by, cseq: 1 }), Outcome::Done);
        let data = bench.shard.data(second).expect("it is known");
        assert_eq!(data.get("language"), Some(&Value::Number(kept)));
        assert!(bench.shard.data(first).is_none(), "the row that is over has nothing");
    }
}

/// An agent who asked for a merge and has hung up is told nothing any more: nothing is owed.
#[test]
fn who_asked_and_has_hung_up_is_owed_nothing() {
    let mut two = two();
    assert_eq!(two.merge(7), Outcome::Done);
    two.bench.hung_up(two.second);
    for (relay, leg) in two.bench.closes(two.second) {
        two.bench.done(two.second, DutyKind::Close { relay, leg });
    }
    assert_eq!(two.bench.kinds(two.second), []);
}
