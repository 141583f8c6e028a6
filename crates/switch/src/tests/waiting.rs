//! What waits for a row, an actor or an INVITE: how long, in which order, and whose it is in the end.

use std::time::Duration;

use strowger_model::{CallId, Cause, Ended, HangupBy, LogTime};
use strowger_table::{Command, Outcome};

use super::bench::*;
use crate::{Action, limit};

const HALF: Duration = Duration::from_millis(limit::HOLD.as_millis() as u64 / 2);

fn installed(bench: &mut Bench) -> Vec<String> {
    let applied = bench.shard.last().index;
    words(&bench.on(|intake, around| intake.installed(SHARD, applied, around)))
}

#[test]
fn what_waits_for_a_call_is_heard_in_the_order_in_which_it_came() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    for method in ["INFO", "BYE", "ACK"] {
        assert_eq!(for_leg(&mut bench, method, call, trunk()), [""; 0]);
    }
    assert_eq!(bench.call_of(ME, "a"), call);
    bench.actors.insert(call);
    let told = ["INFO", "BYE", "ACK"].map(|method| format!("tell {} {method}", call.index()));
    assert_eq!(words(&bench.applied(&[call])), told);
}

#[test]
fn the_actor_and_the_owner_hear_from_where_a_message_came() {
    let mut bench = Bench::new();
    let (ours, theirs) = (bench.call_of(ME, "a"), bench.call_of(OTHER, "b"));
    bench.actors.insert(ours);
    for call in [ours, theirs] {
        let said = bench.on(|intake, around| intake.for_leg(leg(call), within("BYE", call), over_tcp(), around));
        let sources = said.iter().filter_map(|action| match action {
            Action::Tell { leg: told, source, .. } => Some((*told == leg(call), *source)),
            Action::Forward { source, .. } => Some((true, *source)),
            _ => None,
        });
        assert_eq!(sources.collect::<Vec<_>>(), [(true, over_tcp())]);
    }
}

/// Rows change all the time: what waits is judged again, and is not younger for it.
#[test]
fn who_is_judged_again_gets_no_more_time() {
    let mut bench = Bench::new();
    let begun = bench.now;
    let (theirs, seatless) = (bench.call_of(OTHER, "a"), bench.call_of(ME, "b"));
    forwarded(&mut bench, within("BYE", theirs), trunk());
    for_leg(&mut bench, "BYE", seatless, trunk());
    cancels(&mut bench, "c");
    bench.tick_after(HALF);
    assert_eq!(words(&bench.applied(&[theirs, seatless])), [""; 0]);
    assert_eq!(installed(&mut bench), [""; 0]);
    assert_eq!(bench.intake.deadline(), Some(begun + limit::HOLD));
    assert_eq!(words(&bench.tick_after(HALF)), ["200", "481"], "what another node passed on is its own to answer");
    assert_eq!(bench.intake.deadline(), None);
}

#[test]
fn who_is_known_to_live_is_waited_for_no_longer_and_who_is_next_gets_the_whole_time() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    let begun = bench.now;
    for_leg(&mut bench, "BYE", call, over_tcp());
    bench.tick_after(HALF);
    bench.applied(&[call]);
    assert_eq!(bench.intake.deadline(), Some(begun + limit::STAND_BY), "its owner lives");
    assert_eq!(installed(&mut bench), [""; 0]);
    assert_eq!(bench.intake.deadline(), Some(begun + limit::STAND_BY), "also after a snapshot");
    bench.adopted(OTHER, THIRD);
    assert_eq!(words(&bench.applied(&[call])), ["Forwarded", "forward 3 BYE"]);
    assert_eq!(bench.intake.deadline(), Some(bench.now + limit::STAND_BY));
    // Then it is known where it is, as before.
    assert_eq!(words(&bench.applied(&[call])), [""; 0], "once");
}

/// The call is its owner's as long as it lives; nobody else answers for it but when nobody is there.
#[test]
fn a_far_end_whose_call_gets_no_actor_is_answered_in_the_end() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    for_leg(&mut bench, "BYE", call, trunk());
    assert_eq!(words(&bench.tick_after(limit::HOLD - Duration::from_millis(1))), [""; 0]);
    let said = bench.tick_after(Duration::from_millis(1));
    assert_eq!(words(&said), ["200"]);
    assert!(matches!(said[..], [Action::Send { to, .. }] if to == trunk()));
}

#[test]
fn a_call_that_is_over_and_has_duties_left_is_its_actors_still() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    let ended = Ended { by: HangupBy::Caller, cause: Cause::NORMAL };
    bench.commit(ME, Command::End { call, ended, observed: LogTime(bench.now.0) });
    assert!(!bench.shard.call(call).unwrap().duties.is_empty());
    assert_eq!(for_leg(&mut bench, "BYE", call, trunk()), [""; 0]);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} BYE", call.index())]);
}

#[test]
fn a_snapshot_wakes_who_waits_for_a_row() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    for_leg(&mut bench, "BYE", call, trunk());
    assert_eq!(bench.call_of(ME, "a"), call);
    bench.actors.insert(call);
    assert_eq!(installed(&mut bench), [format!("tell {} BYE", call.index())]);
    assert_eq!(bench.intake.deadline(), None);
}

#[test]
fn a_cancel_that_another_node_passed_on_is_that_nodes_to_answer() {
    let mut bench = Bench::new();
    assert_eq!(forwarded(&mut bench, cancel("a"), trunk()), [""; 0]);
    assert_eq!(bench.intake.deadline(), Some(bench.now + limit::HOLD));
    assert_eq!(words(&bench.tick_after(limit::HOLD)), [""; 0]);
    // Of a call that both nodes take to be the other's it waits here as well.
    let call = bench.call_of(OTHER, "b");
    assert_eq!(forwarded(&mut bench, cancel("b"), trunk()), [""; 0]);
    bench.adopted(OTHER, ME);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} CANCEL", call.index())]);
}

/// A caller who cancels over TCP says it once: who gets it may die.
#[test]
fn a_cancel_over_a_connection_is_passed_on_again_when_who_got_it_dies() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    let said = bench.on(|intake, around| intake.cancel(cancel("a"), over_tcp(), around));
    assert_eq!(words(&said), ["Forwarded", "forward 2 CANCEL"]);
    assert_eq!(words(&bench.applied(&[call])), [""; 0], "once, as long as that one lives");
    bench.adopted(OTHER, ME);
    bench.actors.insert(call);
    assert_eq!(words(&bench.applied(&[call])), [format!("tell {} CANCEL", call.index())]);
}

/// Also an INVITE that came again, or was admitted elsewhere at the same time.
#[test]
fn what_was_passed_on_is_not_passed_on_again_to_the_same_owner() {
    let mut bench = Bench::new();
    let again = bench.call_of(OTHER, "a");
    let said = bench.on(|intake, around| intake.invite(invite("a"), over_tcp(), around));
    assert_eq!(words(&said), ["Forwarded", "forward 2 INVITE"]);
    let said = bench.on(|intake, around| intake.invite(invite("b"), over_tcp(), around));
    assert_eq!(words(&said), ["admit"]);
    let elsewhere = bench.call_of(OTHER, "b");
    let already = Outcome::Already { call: elsewhere, owner: bench.shard.call(elsewhere).unwrap().owner };
    let said = bench.on(|intake, around| intake.admit_answered(&key("b"), Some(&already), around));
    assert_eq!(words(&said), ["Forwarded", "forward 2 INVITE"]);
    assert_eq!(words(&bench.applied(&[again, elsewhere])), [""; 0]);
    assert_eq!(installed(&mut bench), [""; 0]);
}

/// Each shelf, and each message on it, has its own time.
#[test]
fn the_first_that_has_waited_long_enough_sets_the_time() {
    let mut bench = Bench::new();
    let begun = bench.now;
    let (next, theirs) = (next_call(&bench), bench.call_of(OTHER, "a"));
    assert_eq!(next, theirs);
    for_leg(&mut bench, "BYE", theirs, over_tcp());
    assert_eq!(bench.intake.deadline(), Some(begun + limit::STAND_BY));
    bench.tick_after(HALF);
    cancels(&mut bench, "b");
    assert_eq!(bench.intake.deadline(), Some(begun + HALF + limit::HOLD));
    bench.tick_after(HALF);
    cancels(&mut bench, "c");
    assert_eq!(bench.intake.deadline(), Some(begun + HALF + limit::HOLD));
    assert_eq!(words(&bench.tick_after(HALF)), ["481"]);
    assert_eq!(bench.intake.deadline(), Some(begun + 2 * HALF + limit::HOLD));
}

/// Far ends do not fill a node's memory; what they say is kept again as soon as there is room.
#[test]
fn so_many_messages_are_kept_and_no_more() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    let bye = within("BYE", call);
    for _ in 0..limit::MOST_KEPT {
        bench.on(|intake, around| intake.for_leg(leg(call), bye.clone(), trunk(), around));
    }
    let later = CallId::new(SHARD, call.index() + 1);
    for_leg(&mut bench, "INFO", later, trunk());
    assert_eq!(bench.call_of(ME, "a"), call);
    assert_eq!(bench.call_of(ME, "b"), later);
    bench.actors.extend([call, later]);
    assert_eq!(bench.applied(&[call, later]).len(), limit::MOST_KEPT, "the far end says the other again");
    let next = next_call(&bench);
    for_leg(&mut bench, "INFO", next, trunk());
    assert!(bench.intake.deadline().is_some(), "there is room");
}

/// Over TCP one message may have as much as thirty ordinary ones.
#[test]
fn so_many_bytes_are_kept_and_no_more() {
    let mut bench = Bench::new();
    let call = next_call(&bench);
    let text = String::from_utf8(within("INFO", call).bytes()).unwrap();
    let large =
        text.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: 60000\r\n\r\n{}", "x".repeat(60_000)));
    let large = strowger_sip::Message::parse(large.as_bytes()).unwrap();
    let most = limit::MOST_KEPT_BYTES / large.bytes().len();
    for turn in ["first", "again"] {
        let call = next_call(&bench);
        for _ in 0..most + 10 {
            bench.on(|intake, around| intake.for_leg(leg(call), large.clone(), over_tcp(), around));
        }
        assert_eq!(bench.call_of(ME, turn), call);
        bench.actors.insert(call);
        assert_eq!(bench.applied(&[call]).len(), most, "{turn}: what was taken from the shelf makes room");
    }
}
