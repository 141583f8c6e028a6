use std::time::Duration;

use strowger_model::{CallId, ShardId};
use strowger_sip::Message;
use strowger_table::{Command, Outcome, Refusal};

use super::bench::*;
use crate::{Action, limit};

#[test]
fn an_actor_here_is_told() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    bench.actors.insert(call);
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [format!("tell {} BYE", call.index())]);
}

#[test]
fn another_nodes_call_is_forwarded_and_over_udp_forgotten() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), ["Forwarded", "forward 2 BYE"]);
    assert_eq!(bench.intake.deadline(), None, "the far end repeats it");
}

#[test]
fn what_nobody_has_is_answered_by_its_method() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    bench.ended(ME, call);
    let row = bench.shard.call(call).unwrap();
    assert!(row.is_over() && row.duties.is_empty());
    for (method, answer) in [("BYE", Some("200")), ("INFO", Some("481")), ("INVITE", Some("481")), ("ACK", None)] {
        let answer: Vec<&str> = answer.into_iter().collect();
        assert_eq!(for_leg(&mut bench, method, call, trunk()), answer, "{method} within a dialog");
    }
    // The INVITE itself, said again after all is over: a proxy tries here after it failed elsewhere.
    assert_eq!(words(&bench.invites("a")), ["503"]);
    assert_eq!(for_leg(&mut bench, "BYE", CallId::new(ShardId(9), 1), trunk()), [""; 0], "no such shard");
    assert_eq!(bench.intake.deadline(), None, "nothing waits");
}

#[test]
fn an_answer_to_an_invite_of_ours_that_nobody_remembers_is_acknowledged_and_ended() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    bench.ended(ME, call);
    let answer = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nFrom: <sip:1@192.0.2.1>;tag=a\r\n\
                  To: <sip:2@192.0.2.9>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:2@192.0.2.9>\r\n\
                  Content-Length: 0\r\n\r\n";
    let answer = Message::parse(answer.as_bytes()).unwrap();
    let said = bench.on(|intake, around| intake.for_leg(leg(call), answer, trunk(), around));
    assert_eq!(words(&said), ["ACK sip:2@192.0.2.9", "BYE sip:2@192.0.2.9"]);
}

#[test]
fn a_message_waits_for_its_row() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [""; 0]);
    assert_eq!(bench.call_of(ME, "a"), call);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} BYE", call.index())]);
    assert_eq!(bench.intake.deadline(), None, "once");
}

#[test]
fn a_message_waits_for_an_actor_that_is_about_to_take_its_seat() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [""; 0]);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[])), [format!("tell {} BYE", call.index())]);
}

#[test]
fn a_message_whose_entry_made_no_call_is_nobodys_at_once() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [""; 0]);
    bench.commit(ME, Command::Expire);
    assert_eq!(words(&bench.applied(&[])), ["200"]);
}

#[test]
fn a_node_that_lags_says_nothing_of_calls_it_cannot_know() {
    let mut bench = Bench::new();
    bench.lags_at.set(Some(bench.shard.last().index));
    let call = bench.call_of(OTHER, "a");
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [""; 0]);
    assert_eq!(words(&bench.tick_after(limit::HOLD)), [""; 0]);
    assert_eq!(bench.intake.deadline(), None);
}

#[test]
fn two_nodes_that_differ_do_not_pass_a_message_to_and_fro() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    assert_eq!(forwarded(&mut bench, within("BYE", call), trunk()), [""; 0], "it waits, it does not go back");
    bench.adopted(OTHER, ME);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} BYE", call.index())]);
    // What another node passed on is that node's to answer.
    let other = bench.call_of(THIRD, "b");
    assert_eq!(forwarded(&mut bench, within("BYE", other), trunk()), [""; 0]);
    assert_eq!(words(&bench.tick_after(limit::HOLD)), [""; 0]);
    assert_eq!(bench.intake.deadline(), None);
}

#[test]
fn what_came_over_a_connection_is_passed_on_again_when_who_got_it_dies() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    assert_eq!(for_leg(&mut bench, "BYE", call, over_tcp()), ["Forwarded", "forward 2 BYE"]);
    assert_eq!(words(&bench.applied(&[call])), [""; 0], "its owner lives");
    bench.adopted(OTHER, THIRD);
    assert_eq!(words(&bench.applied(&[call])), ["Forwarded", "forward 3 BYE"]);
    bench.adopted(THIRD, ME);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} BYE", call.index())]);
    assert_eq!(bench.intake.deadline(), None);
}

#[test]
fn what_came_over_a_connection_is_passed_on_again_to_the_next_life_of_the_same_node() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    for_leg(&mut bench, "BYE", call, over_tcp());
    let again = strowger_table::Proposer { incarnation: strowger_model::Incarnation(8), ..OTHER };
    bench.adopted(OTHER, again);
    assert_eq!(words(&bench.applied(&[call])), ["Forwarded", "forward 2 BYE"]);
}

/// Over TCP nobody says it again: the row may come later than a far end on UDP would wait.
#[test]
fn what_came_over_a_connection_waits_longer_for_its_row() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    assert_eq!(for_leg(&mut bench, "BYE", call, over_tcp()), [""; 0]);
    assert_eq!(words(&bench.tick_after(limit::STAND_BY - Duration::from_millis(1))), [""; 0]);
    assert_eq!(bench.call_of(ME, "a"), call);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} BYE", call.index())]);
}

#[test]
fn who_got_it_and_lives_has_it_for_good() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    for_leg(&mut bench, "BYE", call, over_tcp());
    assert_eq!(words(&bench.tick_after(limit::STAND_BY)), [""; 0]);
    bench.adopted(OTHER, THIRD);
    assert_eq!(words(&bench.applied(&[call])), [""; 0]);
}

#[test]
fn a_snapshot_wakes_everything() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    for_leg(&mut bench, "BYE", call, over_tcp());
    cancels(&mut bench, "b");
    bench.adopted(OTHER, ME);
    let second = bench.call_of(ME, "b");
    bench.actors.extend([call, second]);
    let applied = bench.shard.last().index;
    let said = bench.on(|intake, around| intake.installed(SHARD, applied, around));
    assert_eq!(words(&said), [format!("tell {} BYE", call.index()), format!("tell {} CANCEL", second.index())]);
}

#[test]
fn a_cancel_waits_for_its_invite() {
    let mut bench = Bench::new();
    assert_eq!(cancels(&mut bench, "a"), [""; 0]);
    let other = bench.call_of(ME, "b");
    bench.actors.insert(other);
    assert_eq!(words(&bench.applied(&[other])), [""; 0], "another call's");
    let call = bench.call_of(ME, "a");
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} CANCEL", call.index())]);

    assert_eq!(cancels(&mut bench, "c"), [""; 0]);
    assert_eq!(words(&bench.tick_after(limit::HOLD - Duration::from_millis(1))), [""; 0]);
    assert_eq!(words(&bench.tick_after(Duration::from_millis(1))), ["481"]);
}

/// A shard without a leader takes longer than a caller has patience.
#[test]
fn a_cancel_waits_as_long_as_its_invite_may_be_under_way() {
    let mut bench = Bench::new();
    assert_eq!(words(&bench.invites("a")), ["admit"]);
    assert_eq!(cancels(&mut bench, "a"), [""; 0]);
    assert_eq!(words(&bench.tick_after(limit::ADMIT - Duration::from_millis(1))), [""; 0], "it is not unknown");
    let call = bench.call_of(ME, "a");
    bench.actors.insert(call);
    assert!(bench.intake.seat(&key("a")).is_some());
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} CANCEL", call.index())]);
}

#[test]
fn an_invite_is_admitted_once() {
    let mut bench = Bench::new();
    assert_eq!(words(&bench.invites("a")), ["admit"]);
    assert_eq!(words(&bench.invites("a")), [""; 0], "a repetition");
    let call = bench.call_of(ME, "a");
    assert!(bench.intake.seat(&key("a")).is_some());
    bench.actors.insert(call);
    let said = bench.invites("a");
    assert_eq!(words(&said), [format!("tell {} INVITE", call.index())]);
    assert!(matches!(said[..], [Action::Tell { leg: of, .. }] if of == leg(call)), "the caller's leg");
    // The answer comes after the row: there is nothing left to do.
    let admitted = Outcome::Admitted { call, owner: bench.shard.call(call).unwrap().owner };
    let said = bench.on(|intake, around| intake.admit_answered(&key("a"), Some(&admitted), around));
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn an_invite_that_another_node_admitted_goes_there() {
    let mut bench = Bench::new();
    bench.invites("a");
    let call = bench.call_of(OTHER, "a");
    let already = Outcome::Already { call, owner: bench.shard.call(call).unwrap().owner };
    let said = bench.on(|intake, around| intake.admit_answered(&key("a"), Some(&already), around));
    assert_eq!(words(&said), ["Forwarded", "forward 2 INVITE"]);
    // There it is found by its key: it has no token yet.
    let here = bench.call_of(ME, "b");
    bench.actors.insert(here);
    assert_eq!(forwarded(&mut bench, invite("b"), trunk()), [format!("tell {} INVITE", here.index())]);
}

#[test]
fn an_invite_that_is_not_committed_in_time_is_withdrawn() {
    let mut bench = Bench::new();
    bench.invites("a");
    let said = bench.on(|intake, around| intake.admit_answered(&key("a"), None, around));
    assert_eq!(words(&said), ["503", "TurnedAway", "withdraw"]);
    // Only its answer was lost: the call lives.
    bench.invites("b");
    let call = bench.call_of(OTHER, "b");
    let said = bench.on(|intake, around| intake.admit_answered(&key("b"), None, around));
    assert_eq!(words(&said), ["Forwarded", "forward 2 INVITE"], "call {call}");
}

/// A proxy that forks waits for a final answer on each branch (RFC 3261 section 16.7).
#[test]
fn another_branch_of_an_invite_that_is_not_committed_yet_is_answered_as_the_first() {
    let mut bench = Bench::new();
    let twin = || other_branch("a");
    bench.invites("a");
    assert_eq!(words(&bench.invites("a")), [""; 0], "said again");
    assert_eq!(words(&bench.on(|intake, around| intake.invite(twin(), trunk(), around))), [""; 0]);
    let call = bench.call_of(ME, "a");
    bench.actors.insert(call);
    assert!(bench.on(|intake, _| intake.seat(&key("a")).map(|_| Vec::new()).expect("its own INVITE")).is_empty());
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} INVITE", call.index())]);

    bench.invites("b");
    let twin = other_branch("b");
    bench.on(|intake, around| intake.invite(twin, trunk(), around));
    let said = bench
        .on(|intake, around| intake.admit_answered(&key("b"), Some(&Outcome::Refused(Refusal::NoSuchTenant)), around));
    assert_eq!(words(&said), ["503", "503"]);
    assert_eq!(bench.intake.deadline(), None, "nothing waits");
}

fn other_branch(call_id: &str) -> Message {
    let text = String::from_utf8(invite(call_id).bytes()).unwrap();
    let branch = invite(call_id).top_branch().to_owned();
    Message::parse(text.replace(&branch, "z9hG4bKtwin").as_bytes()).unwrap()
}

#[test]
fn a_refused_invite_is_told_so() {
    let mut bench = Bench::new();
    bench.invites("a");
    let refused = Outcome::Refused(Refusal::NoSuchTenant);
    let said = bench.on(|intake, around| intake.admit_answered(&key("a"), Some(&refused), around));
    assert_eq!(words(&said), ["503"]);
    let Some(Action::Send { bytes, .. }) = said.first() else { panic!("an answer") };
    assert!(String::from_utf8_lossy(bytes).contains("Retry-After"), "RFC 3261 section 21.5.4");
    cancels(&mut bench, "b");
    let said = bench.tick_after(limit::HOLD);
    let [Action::Send { bytes, .. }] = &said[..] else { panic!("an answer") };
    assert!(!String::from_utf8_lossy(bytes).contains("Retry-After"), "nothing to try again");
}
