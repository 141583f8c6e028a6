//! The far end calls us: from its INVITE to the end of the leg.

mod far;

use far::*;
use strowger_model::{Cause, DialogState, PendingInvite};
use strowger_sip::{Event, LegState};

#[test]
fn a_call_is_answered_acknowledged_and_hung_up_by_the_caller() {
    let mut bench = Bench::called(&invite());
    assert_eq!(bench.leg.state(), LegState::Early);
    assert_eq!(bench.leg.deadline(), None, "nothing is sent before the call decides");

    bench.told(|leg, now| leg.trying(now)).is(&["100 INVITE"], &[]);
    let heard = bench.told(|leg, now| leg.ring(now)).is(&["180 INVITE"], &[]);
    let ringing = heard.message("180 INVITE");
    assert_eq!(ringing.contact_uri(), Some(&*format!("sip:{}@192.0.2.10:5060", token())));

    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).is(&["200 INVITE"], &[]);
    let ok = heard.message("200 INVITE");
    assert_eq!(ok.to_tag(), ringing.to_tag());
    assert_eq!(ok.body(), OURS.as_bytes());
    assert_eq!(ok.header("Content-Type"), Some("application/sdp"));
    assert_eq!(bench.leg.state(), LegState::Answered);

    let tag = ok.to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[Event::Acked]);
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    assert_eq!(bench.leg.deadline(), None);

    let bye = request("BYE", 11, "z9hG4bKbye", &tag, &["Reason: SIP;cause=200, Q.850;cause=16;text=\"bye, now\""], "");
    bench.hear(&bye).is(&[], &[Event::HungUp { q850: Some(Cause::NORMAL) }]);
    bench.hear(&bye).is(&[], &[]);
    bench.told(|leg, now| leg.answer_bye(now)).is(&["200 BYE"], &[Event::Ended]);
    assert_eq!(bench.leg.state(), LegState::Ended);
    bench.hear(&bye).is(&["200 BYE"], &[]);
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn a_repeated_invite_gets_the_last_answer_again() {
    let mut bench = Bench::called(&invite());
    bench.hear(&invite()).is(&[], &[]);
    bench.told(|leg, now| leg.ring(now));
    bench.hear(&invite()).is(&["180 INVITE"], &[]);
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    bench.hear(&invite()).is(&["200 INVITE"], &[]);
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[Event::Acked]);
    bench.hear(&invite()).is(&[], &[]);
}

#[test]
fn of_two_copies_of_an_invite_the_newer_is_answered_and_cancelled() {
    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.ring(now));
    let copy = request("INVITE", 10, "z9hG4bKcopy", "", &[], OFFER);
    let other_proxy = addr("198.51.100.8:5060");
    let heard = bench.hear_from(&copy, other_proxy).is(&["180 INVITE"], &[]);
    assert_eq!(heard.sent[0].1, other_proxy);
    assert_eq!(heard.sent[0].2.top_branch(), "z9hG4bKcopy");
    bench.hear(&request("CANCEL", 10, "z9hG4bKinvite", "", &[], "")).is(&["481 CANCEL"], &[]);
    bench.hear(&request("CANCEL", 10, "z9hG4bKcopy", "", &[], "")).is(&[], &[Event::Cancelled]);
}

#[test]
fn cancel_gets_200_and_the_invite_487_once_the_call_agrees() {
    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.ring(now));
    let cancel = request("CANCEL", 10, "z9hG4bKinvite", "", &[], "");
    bench.hear(&cancel).is(&[], &[Event::Cancelled]);
    bench.hear(&cancel).is(&[], &[]);
    let heard = bench.told(|leg, now| leg.answer_bye(now)).is(&["200 CANCEL", "487 INVITE"], &[]);
    let tag = heard.message("487 INVITE").to_tag().to_owned();
    assert_eq!(heard.message("200 CANCEL").to_tag(), tag, "RFC 3261 9.2: the same To tag");
    bench.hear(&cancel).is(&["200 CANCEL"], &[]);
    bench.hear(&request("ACK", 10, "z9hG4bKinvite", &tag, &[], "")).is(&[], &[Event::Ended]);
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn cancel_after_the_answer_changes_nothing() {
    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    bench.hear(&request("CANCEL", 10, "z9hG4bKinvite", "", &[], "")).is(&["200 CANCEL"], &[]);
    assert_eq!(bench.leg.state(), LegState::Answered);
}

#[test]
fn a_cancel_overtaken_by_our_answer_still_ends_with_bye() {
    let mut bench = Bench::called(&invite());
    bench.hear(&request("CANCEL", 10, "z9hG4bKinvite", "", &[], "")).is(&[], &[Event::Cancelled]);
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["200 CANCEL"], &[]);
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&["BYE"], &[]);
}

#[test]
fn bye_before_the_answer_is_a_cancel() {
    let mut bench = Bench::called(&invite());
    let tag = bench.told(|leg, now| leg.ring(now)).message("180 INVITE").to_tag().to_owned();
    bench.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], "")).is(&[], &[Event::Cancelled]);
    bench.told(|leg, now| leg.answer_bye(now)).is(&["200 BYE", "487 INVITE"], &[]);
    bench.hear(&request("ACK", 10, "z9hG4bKinvite", &tag, &[], "")).is(&[], &[Event::Ended]);
}

#[test]
fn the_answer_repeats_doubling_until_acknowledged() {
    let mut bench = Bench::called(&invite());
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    assert_eq!(bench.until(12_000).times(), [500, 1500, 3500, 7500, 11_500]);
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[Event::Acked]);
    bench.until(60_000).is(&[], &[]);
}

#[test]
fn an_answer_never_acknowledged_is_told_and_hung_up() {
    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    let heard = bench.until(32_000);
    assert_eq!(heard.events, [Event::AckTimeout]);
    bench.told(|leg, now| leg.hang_up(Some(Cause::RECOVERY_ON_TIMER), now)).is(&["BYE"], &[]);
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut bench = Bench::called(&invite());
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    bench.told(|leg, now| leg.hang_up(Some(Cause::NORMAL), now)).is(&[], &[]);
    assert_eq!(bench.until(600).lines(), ["200 INVITE"]);
    let heard = bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&["BYE"], &[]);
    assert_eq!(heard.message("BYE").header("Reason"), Some("Q.850;cause=16"));

    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[]);
    let heard = bench.until(32_000);
    assert_eq!(heard.lines().last().map(String::as_str), Some("BYE"));
    assert_eq!(heard.events, []);
}

#[test]
fn a_refusal_repeats_until_acknowledged() {
    let mut bench = Bench::called(&invite());
    let heard = bench.told(|leg, now| leg.reject(503, "Busy Now", Some(5), Some(Cause::NO_CIRCUIT), now));
    let refusal = heard.message("503 INVITE");
    assert_eq!(refusal.reason(), "Busy Now");
    assert_eq!(refusal.header("Retry-After"), Some("5"));
    assert_eq!(refusal.header("Reason"), Some("Q.850;cause=34"));
    assert_eq!(bench.leg.state(), LegState::Ending);
    let heard = bench.until(4000);
    assert_eq!(heard.times(), [500, 1500, 3500]);
    bench.hear(&invite()).is(&["503 INVITE"], &[]);
    let tag = refusal.to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKinvite", &tag, &[], "")).is(&[], &[Event::Ended]);

    let mut bench = Bench::called(&invite());
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["603 INVITE"], &[]);
    assert_eq!(bench.until(40_000).events, [Event::Ended], "timer H");
}

#[test]
fn a_failure_of_ours_is_no_decline() {
    for (cause, answer) in [
        (Cause::NORMAL, "603 INVITE"),
        (Cause::NO_CIRCUIT, "503 INVITE"),
        (Cause::TEMPORARY_FAILURE, "503 INVITE"),
        (Cause::RECOVERY_ON_TIMER, "503 INVITE"),
    ] {
        Bench::called(&invite()).told(|leg, now| leg.hang_up(Some(cause), now)).is(&[answer], &[]);
    }
}

#[test]
fn we_hang_up_and_the_bye_repeats_until_answered() {
    let (mut bench, tag) = confirmed_call();
    let heard = bench.told(|leg, now| leg.hang_up(Some(Cause::NORMAL), now)).is(&["BYE"], &[]);
    let bye = heard.message("BYE").clone();
    assert_eq!(heard.sent[0].1, far());
    assert_eq!(bye.request_uri(), "sip:alice@198.51.100.7:5070");
    assert_eq!((bye.from_tag(), bye.to_tag(), bye.cseq()), (tag.as_str(), "far", 1));
    assert_eq!(bench.leg.state(), LegState::Ending);
    assert_eq!(bench.until(2000).times(), [500, 1500]);
    bench.hear(&answer(&bye, 200, "", &[], "")).is(&[], &[Event::Ended]);
    assert_eq!(bench.leg.deadline(), None);

    let (mut bench, _) = confirmed_call();
    bench.told(|leg, now| leg.hang_up(None, now));
    let heard = bench.until(32_000);
    assert_eq!(heard.events, [Event::Ended]);
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn two_hang_ups_that_cross_end_the_leg() {
    let (mut bench, tag) = confirmed_call();
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    bench.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], "")).is(&["200 BYE"], &[Event::Ended]);
    bench.until(60_000).is(&[], &[]);
}

#[test]
fn the_route_set_is_used_in_order_and_its_first_hop_gets_the_packets() {
    let routes = "Record-Route: <sip:198.51.100.9;lr>, <sip:p2.example.net;lr>";
    let mut bench = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &[routes], OFFER));
    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    let ok = heard.message("200 INVITE");
    assert_eq!(ok.record_routes(), ["<sip:198.51.100.9;lr>", "<sip:p2.example.net;lr>"]);
    let tag = ok.to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], ""));
    let heard = bench.told(|leg, now| leg.hang_up(None, now));
    assert_eq!(heard.sent[0].1, addr("198.51.100.9:5060"));
    let routes: Vec<&str> = heard.message("BYE").headers("Route").collect();
    assert_eq!(routes, ["<sip:198.51.100.9;lr>", "<sip:p2.example.net;lr>"]);
}

#[test]
fn answers_go_to_where_the_packet_came_from() {
    let behind_nat = invite().replace("198.51.100.7:5070;branch", "10.0.0.4:5060;branch");
    let source = addr("203.0.113.5:33000");
    let message = strowger_sip::Message::parse(behind_nat.as_bytes()).unwrap();
    let now = strowger_model::Mono::ZERO;
    let leg = strowger_sip::Leg::incoming(key(), &message, source, &local());
    let mut bench = Bench { leg, now };
    let heard = bench.told(|leg, now| leg.ring(now));
    assert_eq!(heard.sent[0].1, source);
    let via = heard.message("180 INVITE").vias()[0].clone();
    assert!(via.contains("rport=33000") && via.contains("received=203.0.113.5"), "{via}");
}

#[test]
fn what_we_send_names_the_leg() {
    let (mut bench, tag) = confirmed_call();
    let bye = request("BYE", 11, "z9hG4bKbye", &tag, &[], "");
    assert_eq!(tokens().leg_of(&strowger_sip::Message::parse(bye.as_bytes()).unwrap()), Some(key()));
    let heard = bench.told(|leg, now| leg.hang_up(None, now));
    let reply = answer(heard.message("BYE"), 200, "", &[], "");
    assert_eq!(tokens().leg_of(&strowger_sip::Message::parse(reply.as_bytes()).unwrap()), Some(key()));
    let dialled = request("INVITE", 1, "z9hG4bKx", "", &[], "").replace("sip:100@", &format!("sip:{}@", token()));
    assert_eq!(tokens().leg_of(&strowger_sip::Message::parse(dialled.as_bytes()).unwrap()), None);
}

#[test]
fn the_row_follows_the_call() {
    let mut bench = Bench::called(&invite());
    let row = bench.leg.dialog();
    assert_eq!((row.state, row.remote_cseq, row.local_cseq), (DialogState::Early, 10, 0));
    assert_eq!(row.remote_sdp, OFFER);
    assert!(matches!(row.pending, Some(PendingInvite::Server { cseq: 10, status: 0, .. })));
    bench.told(|leg, now| leg.ring(now));
    assert_eq!(bench.leg.dialog(), row, "ringing is not worth an entry");
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let row = bench.leg.dialog();
    assert_eq!((row.state, row.local_sdp.as_str(), row.sdp_version), (DialogState::Confirmed, OURS, 1));
    assert!(matches!(row.pending, Some(PendingInvite::Server { status: 200, .. })));
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], ""));
    assert_eq!(bench.leg.dialog().pending, None);
}
