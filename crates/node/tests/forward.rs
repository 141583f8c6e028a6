//! Any node takes any message: what belongs to a call of another node is passed on to it over the link.
//!
//! Node 1 owns every call here because the INVITE is sent to its own address; whatever follows goes to nodes 2 and 3.

mod rig;

use std::time::Duration;

use rig::desk::Desk;
use rig::far::Caller;
use rig::{House, Plan, Rig, until};

/// A message is repeated after 0.5 s, 1 s, 2 s (RFC 3261 17.1.1.2): silence this long means it has stopped.
const TWO_REPEATS: Duration = Duration::from_millis(2500);

fn stage(shards: u16) -> (Rig, Desk) {
    let mut desk = Desk::new();
    let rig = Rig::start(Plan::of(3, shards), &House::new().phone_at("1001", desk.wire.address()));
    desk.takes_media_of(&rig);
    (rig, desk)
}

/// Caller and agent talk; all but the first INVITE went to nodes that do not own the call.
fn talk(rig: &Rig, desk: &mut Desk, name: &str) -> Caller {
    let mut caller = Caller::new(rig, name);
    caller.invite(rig.own(1));
    let ok = caller.answered();
    caller.ack(rig.own(2), &ok);
    let invite = desk.rung();
    assert!(!invite.contact().is_empty());
    desk.answer(rig.own(3), 180, "Ringing");
    desk.answer(rig.own(2), 200, "OK");
    desk.wire.expect("the ACK to the agent's 200", |message| message.is_request("ACK"));
    until("caller and agent talk", || rig.live_calls().iter().any(|call| call["stage"] == "talking"));
    caller
}

fn a_repeated_invite_makes_no_second_call(shards: u16) {
    let (rig, mut desk) = stage(shards);
    let mut caller = Caller::new(&rig, "twice");
    caller.invite(rig.own(1));
    caller.invite(rig.own(2));
    let first = caller.answered();
    caller.invite(rig.own(2));
    caller.invite(rig.own(3));
    let again = caller.wire.expect("the answer again", |message| message.answers(200, "1 INVITE"));
    assert_eq!((again.to_tag(), again.contact()), (first.to_tag(), first.contact()), "another dialog");
    assert_eq!(again.body, first.body);
    assert_eq!(rig.live_calls().len(), 1, "{:#?}", rig.live_calls());
    // Until an ACK comes the answer is repeated, and the ACK at another node ends that.
    caller.ack(rig.own(2), &first);
    until("the owner has heard the ACK", || {
        rig.live_calls()[0]["duties"]
            .as_array()
            .is_some_and(|duties| duties.iter().all(|duty| duty["kind"] != "answer"))
    });
    caller.wire.forget();
    assert!(caller.wire.is_quiet(TWO_REPEATS, |message| message.status() == 200), "the 200 is still repeated");
    desk.rung();
    desk.answer(rig.own(3), 200, "OK");
    let bye = caller.bye(rig.own(3));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let end = desk.wire.comes("BYE to the agent", |message| message.is_request("BYE"));
    desk.reply(rig.own(2), &end, 200, "OK", "");
    rig.record_of(&caller.call_id);
    assert_eq!(rig.records().len(), 1);
    rig.until_at_rest();
}

#[test]
fn a_repeated_invite_at_another_node_makes_no_second_call_with_one_shard() {
    a_repeated_invite_makes_no_second_call(1);
}

#[test]
fn a_repeated_invite_at_another_node_makes_no_second_call_with_three_shards() {
    a_repeated_invite_makes_no_second_call(3);
}

fn hold_resume_and_goodbye_of_both_sides(shards: u16) {
    let (rig, mut desk) = stage(shards);
    let mut caller = talk(&rig, &mut desk, "hold");
    for (node, offered, answered) in [(3, "sendonly", "a=recvonly"), (2, "sendrecv", "a=sendrecv")] {
        let cseq = caller.reinvite(rig.own(node), offered);
        let ok = caller.wire.expect("200 to the re-INVITE", |message| message.answers(200, &cseq));
        assert!(ok.has_line(answered), "{}", ok.body);
        caller.ack(rig.own(2), &ok);
    }
    caller.wire.forget();
    assert!(caller.wire.is_quiet(TWO_REPEATS, |message| message.status() == 200), "an ACK did not arrive");
    let bye = caller.bye(rig.own(2));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let end = desk.wire.comes("BYE to the agent", |message| message.is_request("BYE"));
    desk.reply(rig.own(3), &end, 200, "OK", "");
    assert!(desk.wire.is_quiet(TWO_REPEATS, |message| message.is_request("BYE")), "the BYE is still repeated");
    let record = rig.record_of(&caller.call_id);
    assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &"caller".into()), "{record:#}");

    let mut caller = talk(&rig, &mut desk, "agent-hold");
    for (node, offered, answered) in [(2, "sendonly", "a=recvonly"), (3, "sendrecv", "a=sendrecv")] {
        let cseq = desk.reinvite(rig.own(node), offered);
        let ok = desk.wire.expect("200 to the agent's re-INVITE", |message| message.answers(200, &cseq));
        assert!(ok.has_line(answered), "{}", ok.body);
        desk.ack(rig.own(2));
    }
    let bye = desk.bye(rig.own(3));
    desk.wire.expect("200 to the agent's BYE", |message| message.answers(200, &bye));
    let end = caller.wire.comes("BYE to the caller", |message| message.is_request("BYE"));
    desk.reply(rig.own(2), &end, 200, "OK", "");
    let record = rig.record_of(&caller.call_id);
    assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &"agent".into()), "{record:#}");
    rig.until_at_rest();
    let forwarded = |node| metric(&rig.metrics(node), "strowger_sip_forwarded_total");
    assert!(forwarded(2) >= 5.0 && forwarded(3) >= 5.0, "{} and {}", forwarded(2), forwarded(3));
}

#[test]
fn hold_resume_and_goodbye_of_both_sides_reach_the_owner_with_one_shard() {
    hold_resume_and_goodbye_of_both_sides(1);
}

#[test]
fn hold_resume_and_goodbye_of_both_sides_reach_the_owner_with_three_shards() {
    hold_resume_and_goodbye_of_both_sides(3);
}

fn a_cancel_at_another_node_ends_the_call(shards: u16) {
    let (rig, _desk) = stage(shards);
    // Without a media port there is no 200, so the CANCEL comes in time for certain.
    rig.freeze_relay(true);
    let caller = &mut Caller::new(&rig, "cancel");
    caller.invite(rig.own(1));
    caller.wire.expect("100", |message| message.answers(100, "1 INVITE"));
    caller.cancel(rig.own(3));
    caller.wire.expect("200 to the CANCEL", |message| message.answers(200, "1 CANCEL"));
    let refused = caller.wire.expect("487 to the INVITE", |message| message.answers(487, "1 INVITE"));
    caller.ack(rig.own(2), &refused);
    rig.freeze_relay(false);
    caller.wire.forget();
    assert!(caller.wire.is_quiet(TWO_REPEATS, |message| message.status() >= 200), "a final answer is repeated");
    let record = rig.record_of(&caller.call_id);
    assert_eq!((&record["outcome"], &record["by"]), (&"abandoned".into(), &"caller".into()), "{record:#}");
    rig.until_at_rest();
}

#[test]
fn a_cancel_at_another_node_ends_the_call_with_one_shard() {
    a_cancel_at_another_node_ends_the_call(1);
}

#[test]
fn a_cancel_at_another_node_ends_the_call_with_three_shards() {
    a_cancel_at_another_node_ends_the_call(3);
}

#[test]
fn an_invite_that_a_proxy_tries_elsewhere_after_a_refusal_is_refused_alike() {
    let (rig, _desk) = stage(1);
    // Without a media port there is no 200.
    rig.freeze_relay(true);
    let caller = &mut Caller::new(&rig, "tries");
    for node in [1, 2, 3] {
        if node == 1 {
            caller.invite(rig.own(node))
        } else {
            caller.invite_anew(rig.own(node))
        }
        let answer = caller.wire.expect("a final answer", |message| message.status() >= 200);
        // 481 would say that the caller is to blame, and end the proxy's search.
        assert_eq!(answer.status(), 503, "{answer:#?}");
        caller.ack(rig.own(node), &answer);
        caller.wire.forget();
        if node == 2 {
            // The third try comes when nobody works on the call any more.
            rig.freeze_relay(false);
            rig.until_at_rest();
        }
    }
    rig.all_records(1);
}

#[test]
fn a_caller_who_gives_up_stops_the_agents_phone_through_any_nodes() {
    let (rig, mut desk) = stage(3);
    let mut caller = Caller::new(&rig, "impatient");
    caller.connect(rig.own(1));
    desk.rung();
    desk.answer(rig.own(2), 180, "Ringing");
    until("the agent's phone rings", || rig.agent("1001")["state"] == "offered");
    let bye = caller.bye(rig.own(2));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    let cancel = desk.wire.comes("CANCEL to the agent", |message| message.is_request("CANCEL"));
    desk.reply(rig.own(3), &cancel, 200, "OK", "");
    desk.answer(rig.own(2), 487, "Request Terminated");
    desk.wire.expect("ACK to the 487", |message| message.is_request("ACK"));
    assert!(desk.wire.is_quiet(TWO_REPEATS, |message| message.is_request("CANCEL")), "the CANCEL is repeated");
    let record = rig.record_of(&caller.call_id);
    assert_eq!(record["outcome"], "abandoned", "{record:#}");
    assert_eq!(rig.agent("1001")["state"], "idle", "the caller gave up, the agent missed nothing");
    rig.until_at_rest();
}

fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}
