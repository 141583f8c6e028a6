//! Requests inside an answered call, from both sides.

mod far;

use far::*;
use strowger_sip::{Event, LegState};

fn changed(version: u32) -> String {
    OURS.replace("o=- 7 1", &format!("o=- 7 {version}"))
}

#[test]
fn the_far_end_changes_its_media() {
    let (mut bench, tag) = confirmed_call();
    let offer = OFFER.replace("4000", "4444");
    let reinvite = request("INVITE", 15, "z9hG4bKre", &tag, &[], &offer)
        .replace("Contact: <sip:alice@198.51.100.7:5070>", "Contact: <sip:alice@198.51.100.70:5071>");
    bench.hear(&reinvite).is(&[], &[Event::Reinvite { sdp: offer.clone().into() }]);
    bench.hear(&reinvite).is(&[], &[]);
    let heard = bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now)).is(&["200 INVITE"], &[]);
    assert_eq!(heard.message("200 INVITE").body(), changed(2).as_bytes());
    assert_eq!(bench.until(600).lines(), ["200 INVITE"]);
    bench.hear(&request("ACK", 15, "z9hG4bKack2", &tag, &[], "")).is(&[], &[]);
    bench.until(40_000).is(&[], &[]);
    let row = bench.leg.dialog();
    assert_eq!((row.remote_sdp.as_str(), row.sdp_version, row.remote_cseq), (offer.as_str(), 2, 15));
    assert_eq!(row.remote_target, "sip:alice@198.51.100.70:5071");
    let heard = bench.told(|leg, now| leg.hang_up(None, now));
    assert_eq!(heard.sent[0].1, addr("198.51.100.70:5071"));
}

#[test]
fn a_change_we_refuse_leaves_the_call_as_it_was() {
    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], "")).is(&[], &[Event::Reinvite { sdp: vec![] }]);
    bench.told(|leg, now| leg.answer_reinvite(Err(488), now)).is(&["488 INVITE"], &[]);
    assert_eq!(bench.until(600).lines(), ["488 INVITE"]);
    bench.hear(&request("ACK", 11, "z9hG4bKre", &tag, &[], "")).is(&[], &[]);
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER);
    assert_eq!(bench.leg.dialog().pending, None);
}

/// RFC 3261 sections 13.2.1 and 14.2: without an offer we make one in our 2xx, and the ACK answers it.
#[test]
fn an_invite_without_an_offer_is_offered_to_and_its_ack_answers() {
    let mut bench = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &[], ""));
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let answered = Event::OfferAnswered { sdp: OFFER.into() };
    let mut adopted = Bench::restored(bench.leg.dialog());
    assert_eq!(adopted.until(1).lines(), ["200 INVITE"]);
    for bench in [&mut bench, &mut adopted] {
        let ack = request("ACK", 10, "z9hG4bKack", &tag, &[], OFFER);
        bench.hear(&ack).is(&[], &[answered.clone(), Event::Acked]);
        bench.hear(&ack).is(&[], &[]);
        assert_eq!(bench.leg.dialog().remote_sdp, OFFER);
    }

    let change = |bench: &mut Bench, cseq: u32| {
        let reinvite = request("INVITE", cseq, &format!("z9hG4bKre{cseq}"), &tag, &[], "");
        bench.hear(&reinvite).is(&[], &[Event::Reinvite { sdp: vec![] }]);
        bench.told(|leg, now| leg.answer_reinvite(Ok(changed(cseq)), now)).is(&["200 INVITE"], &[]);
    };
    let moved = OFFER.replace("4000", "4444");
    change(&mut bench, 11);
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER, "until it has answered");
    let ack = request("ACK", 11, "z9hG4bKack11", &tag, &[], &moved);
    bench.hear(&ack).is(&[], &[Event::OfferAnswered { sdp: moved.clone().into() }]);
    assert_eq!(bench.leg.dialog().remote_sdp, moved);
    // The same again, or nothing, changes nothing.
    for (cseq, body) in [(12, moved.as_str()), (13, "")] {
        change(&mut bench, cseq);
        bench.hear(&request("ACK", cseq, &format!("z9hG4bKack{cseq}"), &tag, &[], body)).is(&[], &[]);
        assert_eq!(bench.leg.dialog().remote_sdp, moved);
    }

    let mut bench = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &[], ""));
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    let silent = Event::OfferAnswered { sdp: vec![] };
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[silent, Event::Acked]);
}

/// Who has our answer has nothing to answer.
#[test]
fn what_the_ack_of_an_answer_says_changes_nothing() {
    let mut bench = Bench::called(&invite());
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let other = OFFER.replace("4000", "4444");
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], &other)).is(&[], &[Event::Acked]);
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER);
}

#[test]
fn a_cancelled_change_is_over() {
    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER));
    bench.hear(&request("CANCEL", 11, "z9hG4bKre", &tag, &[], "")).is(&["200 CANCEL", "487 INVITE"], &[]);
    bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now)).is(&[], &[]);
}

#[test]
fn an_unacknowledged_change_is_told() {
    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER));
    bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now));
    assert_eq!(bench.until(33_000).events, [Event::AckTimeout]);
}

/// Lucent and others: a Via without a branch, or the same in all requests of a dialog. The second key was taken for the
/// first said again.
#[test]
fn requests_under_one_branch_are_told_apart_by_their_number() {
    for branch in ["z9hG4bKsame", ""] {
        let (mut bench, tag) = confirmed_call();
        let relay = ["Content-Type: application/dtmf-relay"];
        for (cseq, digit) in [(11, '1'), (12, '2')] {
            let info = request("INFO", cseq, branch, &tag, &relay, &format!("Signal={digit}\r\n"));
            let info = if branch.is_empty() { info.replace(";branch=", "") } else { info };
            let heard = bench.hear(&info).is(&["200 INFO"], &[Event::Key { digit }]);
            assert_eq!(heard.message("200 INFO").cseq(), cseq);
            bench.hear(&info).is(&["200 INFO"], &[]);
        }
    }
}

/// RFC 3261 section 17.1.1.3: its transaction outlives the dialog.
#[test]
fn a_refusal_of_our_change_that_crosses_the_end_is_acknowledged() {
    let (mut bench, tag) = confirmed_call();
    let ours = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    bench.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], ""));
    bench.told(|leg, now| leg.answer_bye(now));
    assert_eq!(bench.leg.state(), LegState::Ended);
    let refusal = answer(&ours, 487, "", &[], "");
    let heard = bench.hear(&refusal).is(&["ACK"], &[]);
    let ack = heard.message("ACK");
    assert_eq!((ack.top_branch(), ack.cseq()), (ours.top_branch(), ours.cseq()));
    bench.hear(&refusal).is(&["ACK"], &[]);
}

#[test]
fn a_reinvite_shows_that_our_answer_arrived() {
    let mut bench = Bench::called(&invite());
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let reinvite = request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER);
    bench.hear(&reinvite).is(&[], &[Event::Acked, Event::Reinvite { sdp: OFFER.into() }]);
}

#[test]
fn update_is_answered_like_a_reinvite_but_has_no_ack() {
    let (mut bench, tag) = confirmed_call();
    let update = request("UPDATE", 11, "z9hG4bKup", &tag, &[], OFFER);
    bench.hear(&update).is(&[], &[Event::Reinvite { sdp: OFFER.into() }]);
    bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now)).is(&["200 UPDATE"], &[]);
    bench.hear(&update).is(&["200 UPDATE"], &[]);
    bench.until(40_000).is(&[], &[]);
    bench.hear(&request("UPDATE", 12, "z9hG4bKup2", &tag, &[], "")).is(&["200 UPDATE"], &[]);
}

#[test]
fn we_change_our_media() {
    let (mut bench, invite) = confirmed_dial();
    let heard = bench.told(|leg, now| leg.reinvite(changed(2), now)).is(&["INVITE"], &[]);
    let reinvite = heard.message("INVITE").clone();
    assert_eq!((reinvite.cseq(), reinvite.to_tag()), (2, "bob"));
    assert_ne!(reinvite.top_branch(), invite.top_branch());
    assert_eq!(bench.until(600).lines(), ["INVITE"]);
    let new = OFFER.replace("4000", "4444");
    let heard = bench.hear(&answer(&reinvite, 200, "", &[BOB], &new));
    heard.is(&["ACK"], &[Event::ReinviteDone { ok: Ok(new.clone().into()) }]);
    let row = bench.leg.dialog();
    assert_eq!((row.sdp_version, row.remote_sdp.as_str(), row.pending), (2, new.as_str(), None));
    bench.hear(&answer(&reinvite, 200, "", &[BOB], &new)).is(&["ACK"], &[]);
}

#[test]
fn a_change_refused_or_lost_is_told_with_its_status() {
    let (mut bench, _) = confirmed_dial();
    let reinvite = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    let refusal = answer(&reinvite, 488, "", &[], "");
    bench.hear(&refusal).is(&["ACK"], &[Event::ReinviteDone { ok: Err(488) }]);
    bench.hear(&refusal).is(&["ACK"], &[]);
    assert_eq!(bench.leg.dialog().local_sdp, OURS);

    let reinvite = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    let gone = [Event::ReinviteDone { ok: Err(481) }, Event::Gone];
    bench.hear(&answer(&reinvite, 481, "", &[], "")).is(&["ACK"], &gone);

    bench.told(|leg, now| leg.reinvite(changed(2), now));
    assert_eq!(bench.until(33_000).events, [Event::ReinviteDone { ok: Err(408) }]);
}

#[test]
fn two_changes_that_meet_are_both_refused_and_ours_is_tried_again() {
    let (mut bench, tag) = confirmed_call();
    let ours = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    let theirs = request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER);
    bench.hear(&theirs).is(&["491 INVITE"], &[]);
    bench.hear(&theirs).is(&["491 INVITE"], &[]);
    bench.hear(&request("ACK", 11, "z9hG4bKre", &tag, &[], "")).is(&[], &[]);
    bench.hear(&answer(&ours, 491, "", &[], "")).is(&["ACK"], &[]);
    let heard = bench.until(2000);
    let again = heard.message("INVITE").clone();
    assert_eq!((again.cseq(), again.body()), (2, changed(2).as_bytes()));
    let done = Event::ReinviteDone { ok: Ok(OFFER.into()) };
    bench.hear(&answer(&again, 200, "", &[BOB], OFFER)).is(&["ACK"], &[done]);
}

#[test]
fn a_far_end_that_always_says_491_is_believed_in_the_end() {
    let (mut bench, _) = confirmed_dial();
    let mut ours = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    let mut waits = Vec::new();
    loop {
        let heard = bench.hear(&answer(&ours, 491, "", &[], ""));
        if !heard.events.is_empty() {
            heard.is(&["ACK"], &[Event::ReinviteDone { ok: Err(491) }]);
            break;
        }
        let start = bench.now.0 / 1000;
        let heard = bench.until(start + 4000);
        waits.push(heard.times()[0] - start);
        ours = heard.message("INVITE").clone();
    }
    assert_eq!(waits.len(), 3);
    assert!(waits.iter().all(|wait| (2100..=4000).contains(wait)), "{waits:?}");
}

#[test]
fn an_offer_while_theirs_is_open_waits() {
    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER));
    bench.told(|leg, now| leg.reinvite(changed(2), now)).is(&[], &[Event::ReinviteDone { ok: Err(491) }]);
    let heard = bench.hear(&request("INVITE", 12, "z9hG4bKre2", &tag, &[], OFFER)).is(&["500 INVITE"], &[]);
    assert_eq!(heard.message("500 INVITE").header("Retry-After"), Some("2"));
    bench.hear(&request("UPDATE", 13, "z9hG4bKup", &tag, &[], OFFER)).is(&["500 UPDATE"], &[]);
    bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now)).is(&["200 INVITE"], &[]);
}

#[test]
fn gaps_in_cseq_are_legal_and_steps_back_are_not() {
    let (mut bench, tag) = confirmed_call();
    let options = |cseq: u32, branch: &str| request("OPTIONS", cseq, branch, &tag, &[], "");
    bench.hear(&options(500, "z9hG4bKo1")).is(&["200 OPTIONS"], &[]);
    bench.hear(&options(499, "z9hG4bKo2")).is(&["500 OPTIONS"], &[]);
    bench.hear(&options(500, "z9hG4bKo1")).is(&["200 OPTIONS"], &[]);
    bench.hear(&request("BYE", 600, "z9hG4bKb", &tag, &[], "")).is(&[], &[Event::HungUp { q850: None }]);
}

#[test]
fn unknown_methods_extensions_and_dialogs_are_refused_for_what_they_are() {
    let (mut bench, tag) = confirmed_call();
    let heard = bench.hear(&request("FOO", 11, "z9hG4bK1", &tag, &[], "")).is(&["405 FOO"], &[]);
    assert!(heard.message("405 FOO").header("Allow").unwrap().contains("BYE"));
    bench.hear(&request("PRACK", 12, "z9hG4bK2", &tag, &["RAck: 1 1 INVITE"], "")).is(&["405 PRACK"], &[]);
    let heard = bench.hear(&request("INFO", 13, "z9hG4bK3", &tag, &["Require: 100rel, x-new"], ""));
    assert_eq!(heard.message("420 INFO").header("Unsupported"), Some("100rel, x-new"));
    // A key counts once, and what nobody reads is not said to be taken.
    let relay = ["Content-Type: application/dtmf-relay"];
    let info = request("INFO", 14, "z9hG4bK4", &tag, &relay, "Signal=5\r\nDuration=160\r\n");
    bench.hear(&info).is(&["200 INFO"], &[Event::Key { digit: '5' }]);
    bench.hear(&info).is(&["200 INFO"], &[]);
    let heard = bench.hear(&request("INFO", 15, "z9hG4bK5", &tag, &["Content-Type: text/plain"], "Signal=5"));
    let accept = heard.is(&["415 INFO"], &[]).message("415 INFO").header("Accept").map(str::to_owned);
    assert_eq!(accept.as_deref(), Some("application/dtmf-relay, application/dtmf"));
    let foreign = request("INVITE", 16, "z9hG4bK6", &tag, &["Content-Type: application/isup"], "x");
    bench.hear(&foreign).is(&["415 INVITE"], &[]);
    bench.hear(&request("BYE", 15, "z9hG4bK5", "wrong", &[], "")).is(&["481 BYE"], &[]);
    let stranger = request("BYE", 15, "z9hG4bK6", &tag, &[], "").replace("tag=far", "tag=stranger");
    bench.hear(&stranger).is(&["481 BYE"], &[]);
    // It hears its own Call-ID (RFC 3261 section 8.2.6.2), and nothing of the dialog's.
    let guessed = request("BYE", 15, "z9hG4bK8", &tag, &[], "").replace("Call-ID: in-1", "Call-ID: guessed");
    let heard = bench.hear(&guessed).is(&["481 BYE"], &[]);
    assert_eq!(heard.message("481 BYE").call_id(), "guessed");
    bench.hear(&request("CANCEL", 15, "z9hG4bK7", &tag, &[], "")).is(&["481 CANCEL"], &[]);
    assert_eq!(bench.leg.state(), LegState::Confirmed);
}

#[test]
fn a_probe_tells_only_that_the_dialog_is_gone() {
    for (status, events) in [(200, vec![]), (481, vec![Event::Gone]), (408, vec![Event::Gone]), (503, vec![])] {
        let (mut bench, _) = confirmed_dial();
        let options = bench.told(|leg, now| leg.probe(now)).message("OPTIONS").clone();
        bench.told(|leg, now| leg.probe(now)).is(&[], &[]);
        bench.hear(&answer(&options, status, "", &[], "")).is(&[], &events);
    }
    let (mut bench, _) = confirmed_dial();
    bench.told(|leg, now| leg.probe(now));
    assert_eq!(bench.until(60_000).events, [], "silence proves nothing");
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn hanging_up_settles_what_is_pending() {
    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER));
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["487 INVITE", "BYE"], &[]);

    let (mut bench, tag) = confirmed_call();
    bench.hear(&request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER));
    bench.hear(&request("BYE", 12, "z9hG4bKbye", &tag, &[], "")).is(&[], &[Event::HungUp { q850: None }]);
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["200 BYE", "487 INVITE"], &[Event::Ended]);
    bench.until(60_000).is(&[], &[]);

    let (mut bench, _) = confirmed_dial();
    let ours = bench.told(|leg, now| leg.reinvite(changed(2), now)).message("INVITE").clone();
    let bye = bench.told(|leg, now| leg.hang_up(None, now)).message("BYE").clone();
    bench.hear(&answer(&ours, 200, "", &[BOB], OFFER)).is(&["ACK"], &[]);
    bench.hear(&answer(&bye, 481, "", &[], "")).is(&[], &[Event::Ended]);
}

/// A key that encrypts what people say would be in the row, and so in the log, in every snapshot and in the archive.
#[test]
fn keys_of_media_are_in_no_row_and_in_no_event() {
    let keys = "k=clear:secret\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\na=key-mgmt:mikey secret\r\n";
    let with_keys = format!("{OFFER}{keys}");
    let mut bench = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &[], &with_keys));
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], &with_keys)).is(&[], &[Event::Acked]);
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER, "of the offer");
    let reinvite = request("INVITE", 11, "z9hG4bKre", &tag, &[], &with_keys);
    bench.hear(&reinvite).is(&[], &[Event::Reinvite { sdp: OFFER.into() }]);
    bench.told(|leg, now| leg.answer_reinvite(Ok(changed(2)), now));
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER, "of a change");

    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 183, "bob", &[], &with_keys));
    let answered = Event::Answered { sdp: OFFER.into() };
    assert_eq!(
        bench.hear(&answer(&invite, 200, "bob", &["Contact: <sip:bob@198.51.100.9:5090>"], "")).events,
        [answered]
    );
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER, "of a provisional answer");

    let mut bench = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &[], ""));
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let ack = request("ACK", 10, "z9hG4bKack", &tag, &[], &with_keys);
    bench.hear(&ack).is(&[], &[Event::OfferAnswered { sdp: OFFER.into() }, Event::Acked]);
    assert_eq!(bench.leg.dialog().remote_sdp, OFFER, "of an ACK");
}
