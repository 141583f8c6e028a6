//! Two rows become one and one becomes two; what is on the way finds its leg.

use strowger_model::{CallId, Cause, LegKey, Outcome as CallOutcome};
use strowger_table::{
    Command, DutyKind, LegRole, Outcome, PlaceState, Refusal, Segment, SegmentKind, Stage, ToldBy, limit,
};

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

/// The other way round: who stays comes from the other row, with what lasts of the story there.
#[test]
fn an_agent_who_comes_along_serves_from_then_on() {
    let mut two = two();
    let (one, other) = (two.bench.customer(two.first), two.bench.customer(two.second));
    let until = two.bench.call(two.first).until;
    let merged = two.bench.now;
    let merge = Command::Merge { from: two.second, into: two.first, by: two.anna, cseq: 7 };
    assert_eq!(two.bench.say(merge), Outcome::Done);
    let row = two.bench.call(two.first);
    assert_eq!((row.stage, row.serving, row.until), (Stage::Talking, Some(two.bert), until));
    assert_eq!(
        (row.customer().map(|leg| leg.key), two.bench.state(BERT)),
        (Some(one), Doing::Talking { call: two.first })
    );
    let role = |leg| row.leg(leg).map(|leg| (leg.role, leg.takeovers));
    assert_eq!((role(one), role(other)), (Some((LegRole::Customer, 0)), Some((LegRole::Party, 1))));
    assert_eq!(role(two.bert), Some((LegRole::Agent(BERT, 0), 1)));
    let asked = row.leg(two.anna).and_then(|leg| leg.asked).expect("she asked");
    assert_eq!((asked.cseq, asked.until), (7, merged + limit::HANG_UP_MAX));
    let notify = row.duty_to(DutyKind::Notify { leg: two.anna }).expect("she is told");
    assert_eq!(notify.until, merged + limit::HANG_UP_MAX);
    assert!(matches!(two.bench.state(ANNA), Doing::WrapUp { call, .. } if call == two.first));
    // The place of the row that goes on is kept, the other is gone.
    assert_eq!(two.bench.place(two.first).state, PlaceState::Served);
    assert_eq!(two.bench.shard.busy().places, 1);

    // Bert's conversation there ended as part of another call.
    let record = two.bench.records(two.second).remove(0);
    assert_eq!((record.into, record.outcome, record.agent), (Some(two.first), CallOutcome::Answered, Some(BERT)));
    assert_eq!((record.talk_ms, record.total_ms, record.wrap_ms), (Some(5000), 5000, None));
    assert_eq!(record.sip_call_id, two.bench.shard.dialog(other).expect("it talks").call_id);
    assert!(record.segments.iter().all(|piece| !piece.is_open()));
    let last = record.segments.last().expect("they talked");
    assert_eq!((last.kind, last.how, last.to), (SegmentKind::Talk, strowger_table::How::Merged, Some(merged)));

    two.bench.pass(2000);
    assert_eq!(two.left(other), Outcome::Done);
    assert_eq!(two.bench.call(two.first).stage, Stage::Talking, "the customer and Bert talk on");
    two.bench.pass(1000);
    assert_eq!(two.left(one), Outcome::Done);
    let record = two.bench.records(two.first).remove(0);
    let talks: Vec<_> = record.segments.iter().filter(|piece| piece.kind == SegmentKind::Talk).collect();
    let told = |at: usize| (talks[at].agent, talks[at].from, talks[at].how);
    assert_eq!((talks.len(), talks[0].agent, talks[0].to), (2, Some(ANNA), Some(merged)));
    assert_eq!(talks[0].how, strowger_table::How::Transferred);
    assert_eq!(told(1), (Some(BERT), merged, strowger_table::How::Over));
    assert_eq!((record.agent, record.talk_ms), (Some(BERT), Some(5000 + 3000)));
    let numbers: std::collections::BTreeSet<u16> = record.segments.iter().map(|piece| piece.no).collect();
    assert_eq!(numbers.len(), record.segments.len(), "no piece has the number of another");
}

/// The number of a call out stays taken, and its lead unsettled, while its row lives: it is the one that stays.
#[test]
fn of_a_call_in_and_a_call_out_the_call_out_stays() {
    for out_first in [true, false] {
        let mut bench = Bench::new();
        let inbound = bench.talking(BERT);
        let (out, leg) = bench.asked_for(BY_HAND, 7, ANNA);
        let connect = bench.connect_command(out, leg);
        bench.say(connect);
        let reached = bench.reached_command(out);
        bench.say(reached);
        let (from, into) = if out_first { (out, inbound) } else { (inbound, out) };
        assert_eq!(bench.say(Command::Merge { from, into, by: leg, cseq: 1 }), Outcome::Done);
        assert_eq!((bench.call(out).stage, bench.call(inbound).is_over()), (Stage::Talking, true));
        assert_eq!(bench.shard.dialled(ACME, number(7)), Some(out));
        assert_eq!(bench.state(BERT), Doing::Talking { call: out });
        let customers = [inbound, out].map(crate::bench::first_leg);
        assert_eq!(bench.shard.call_of_leg(customers[0]).map(|row| row.id), Some(out));
    }
}

#[test]
fn two_calls_out_do_not_become_one() {
    let mut bench = Bench::new();
    let talks = |bench: &mut Bench, at, agent| {
        let (call, leg) = bench.asked_for(BY_HAND, at, agent);
        let connect = bench.connect_command(call, leg);
        bench.say(connect);
        let reached = bench.reached_command(call);
        bench.say(reached);
        (call, leg)
    };
    let ((first, by), (second, _)) = (talks(&mut bench, 7, ANNA), talks(&mut bench, 8, BERT));
    for (from, into) in [(first, second), (second, first)] {
        assert_eq!(bench.refused_without_trace(Command::Merge { from, into, by, cseq: 1 }), Refusal::NotServed);
    }
}

/// Calls of two tenants never meet.
#[test]
fn calls_of_two_tenants_do_not_become_one() {
    let mut two = two();
    let mut other = strowger_model::config::Tenant { id: strowger_model::TenantId(2), ..tenant() };
    (other.queues, other.agents, other.campaigns) = (vec![], vec![], vec![]);
    other.flows[0].id = strowger_model::FlowId(20);
    two.bench.configure(1, other);
    let Command::Admit(mut admit) = two.bench.admit_command() else { unreachable!() };
    (admit.tenant, admit.target) =
        (strowger_model::TenantId(2), strowger_table::Target::Flow(strowger_model::FlowId(20)));
    let Outcome::Admitted { call, .. } = two.bench.say(Command::Admit(admit)) else { panic!("not admitted") };
    two.bench.say(crate::bench::answer(call));
    let merge = Command::Merge { from: call, into: two.first, by: two.anna, cseq: 1 };
    assert_eq!(two.bench.refused_without_trace(merge), Refusal::NotServed);
}

/// Room is looked for before anything is moved: for all pieces of both, and one more.
#[test]
fn stories_that_are_too_long_together_stay_two() {
    for (missed, done) in [(25, true), (26, false)] {
        let mut config = tenant();
        (config.queues[0].miss_pause_ms, config.queues[0].max_misses) = (0, 0);
        let mut bench = Bench::bare();
        bench.configure(1, config);
        let mut talks = |agent, missed: usize| {
            let call = bench.waiting(SALES);
            for _ in 0..missed {
                let leg = bench.offer(call, agent);
                let miss = bench.missed_command(leg, Cause::BUSY);
                bench.say(miss);
            }
            let leg = bench.offer(call, agent);
            let connect = bench.connect_command(call, leg);
            assert_eq!(bench.say(connect), Outcome::Done);
            (call, leg)
        };
        // Flow, wait, rings, talk: 4 and as many as were missed. 30 missed make 34, and 25 of the other 29.
        let ((first, by), (second, _)) = (talks(ANNA, 30), talks(BERT, missed));
        assert_eq!(bench.call(first).segments.len() + bench.call(second).segments.len(), 38 + missed);
        let merge = Command::Merge { from: first, into: second, by, cseq: 1 };
        if done {
            assert_eq!(bench.say(merge), Outcome::Done);
        } else {
            assert_eq!(bench.refused_without_trace(merge), Refusal::Full);
        }
    }
}

#[test]
fn a_row_of_its_own_says_where_it_came_from() {
    let mut two = two();
    let one = two.bench.customer(two.first);
    two.merge(7);
    two.bench.pass(1000);
    let (whole, split) = (two.bench.call(two.second), two.bench.now);
    assert_eq!(two.bench.say_as(TWO, Command::Split { leg: one }), Refusal::NotOwner.into());
    let Outcome::Split { call } = two.bench.say(Command::Split { leg: one }) else { panic!("not split") };
    let row = two.bench.call(call);
    assert_eq!((row.tenant, row.from(), row.to(), row.trunk()), (ACME, whole.from(), whole.to(), Some(TRUNK)));
    assert_eq!((row.stage, row.until, row.serving), (Stage::Talking, split + limit::TALK_MAX, None));
    assert_eq!((row.owner.node, row.owner.incarnation), (whole.owner.node, whole.owner.incarnation));
    assert_eq!(row.owner.epoch, two.bench.shard.last().index);
    assert!(!row.has_record() && row.key().is_none() && row.place.is_none());
    let [leg] = &row.legs[..] else { panic!("one leg") };
    assert_eq!((leg.key, leg.role, leg.room, leg.is_up()), (one, LegRole::Party, Some(0), true));
    let [talk] = &row.segments[..] else { panic!("one piece") };
    assert_eq!((talk.kind, talk.from, talk.leg), (SegmentKind::Talk, split, Some(one)));
    // What was told of it in the call that it left is over there.
    let rest = two.bench.call(two.second);
    assert!(rest.segments.iter().all(|piece| piece.leg != Some(one) || !piece.is_open()));
    assert_eq!((rest.stage, rest.serving, rest.owner), (whole.stage, whole.serving, whole.owner));
    assert_eq!(two.bench.refused(Command::Split { leg: one }), Refusal::WrongStage, "it is alone");
    // What is to be closed for it goes along.
    two.bench.say(Command::Rehome { legs: vec![(one, AGENT_RELAY)] });
    let dialog = dialog(strowger_model::Role::Uas, "moved");
    two.bench.say(Command::Redialog { leg: one, dialog, relay: Some(AGENT_RELAY), holds: false });
    assert_eq!((two.bench.closes(call), two.bench.closes(two.second)), (vec![(RELAY, one)], vec![(RELAY, two.anna)]));
}

/// A port that is still to be closed for a leg is closed by whoever has the leg.
#[test]
fn what_is_owed_to_a_leg_goes_with_it() {
    let mut two = two();
    let one = two.bench.customer(two.first);
    two.bench.say(Command::Rehome { legs: vec![(one, AGENT_RELAY)] });
    let moved = dialog(strowger_model::Role::Uas, "moved");
    two.bench.say(Command::Redialog { leg: one, dialog: moved, relay: Some(AGENT_RELAY), holds: false });
    let until = two.bench.call(two.first).duties[0].until;
    two.bench.pass(1000);
    assert_eq!(two.merge(7), Outcome::Done);
    let close = DutyKind::Close { relay: RELAY, leg: one };
    let row = two.bench.call(two.second);
    assert_eq!(
        (row.duty_to(close).map(|duty| duty.until), row.leg(one).map(|leg| leg.holds)),
        (Some(until), Some(false))
    );
    let numbers: std::collections::BTreeSet<u32> = row.duties.iter().map(|duty| duty.id).collect();
    assert_eq!(numbers.len(), row.duties.len(), "no duty has the number of another");
    let Outcome::Split { call } = two.bench.say(Command::Split { leg: one }) else { panic!("not split") };
    assert_eq!(two.bench.call(call).duty_to(close).map(|duty| duty.until), Some(until));
    assert!(two.bench.call(two.second).duty_to(close).is_none());
}
