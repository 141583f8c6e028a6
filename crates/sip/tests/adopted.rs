//! A leg whose owner died goes on from its row on another node.

mod far;

use far::*;
use strowger_model::{Dialog, DialogState, PendingInvite, Role};
use strowger_sip::{Event, LegState};

/// The row as the owner committed it; what the owner does afterwards is lost.
fn row_of(bench: &Bench) -> Dialog {
    bench.leg.dialog()
}

#[test]
fn a_row_survives_being_restored() {
    let mut rows = vec![row_of(&Bench::called(&invite())), row_of(&Bench::calling().0)];
    rows.push(row_of(&confirmed_call().0));
    rows.push(row_of(&confirmed_dial().0));
    let mut answered = Bench::called(&invite());
    answered.told(|leg, now| leg.accept(OURS.to_owned(), now));
    rows.push(row_of(&answered));
    let mut refused = Bench::called(&invite());
    refused.told(|leg, now| leg.reject(486, "Busy Here", None, None, now));
    rows.push(row_of(&refused));
    for row in rows {
        let restored = Bench::restored(row.clone()).leg.dialog();
        assert_eq!(restored, Dialog { local_cseq: row.local_cseq + 100, ..row });
    }
}

#[test]
fn a_waiting_caller_is_answered_by_the_adopter() {
    let mut bench = Bench::restored(row_of(&Bench::called(&invite())));
    assert_eq!((bench.leg.state(), bench.leg.deadline()), (LegState::Early, None));
    bench.hear(&invite()).is(&[], &[]);
    let heard = bench.told(|leg, now| leg.ring(now)).is(&["180 INVITE"], &[]);
    assert_eq!(heard.sent[0].1, far());
    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).is(&["200 INVITE"], &[]);
    let ok = heard.message("200 INVITE");
    assert_eq!((ok.top_branch(), ok.cseq(), ok.from_tag()), ("z9hG4bKinvite", 10, "far"));
    let tag = ok.to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[Event::Acked]);
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.message("BYE").cseq(), 101);
}

#[test]
fn a_waiting_caller_may_cancel_or_be_refused() {
    let row = row_of(&Bench::called(&invite()));
    let mut bench = Bench::restored(row.clone());
    bench.hear(&request("CANCEL", 10, "z9hG4bKinvite", "", &[], "")).is(&[], &[Event::Cancelled]);
    bench.told(|leg, now| leg.answer_bye(now)).is(&["200 CANCEL", "487 INVITE"], &[]);
    bench.hear(&request("ACK", 10, "z9hG4bKinvite", &row.local_tag, &[], "")).is(&[], &[Event::Ended]);

    let mut bench = Bench::restored(row);
    bench.told(|leg, now| leg.reject(503, "Service Unavailable", Some(3), None, now)).is(&["503 INVITE"], &[]);
}

#[test]
fn an_answer_goes_on_being_repeated_until_its_ack() {
    let mut owner = Bench::called(&request("INVITE", 10, "z9hG4bKinvite", "", &["Record-Route: <sip:p;lr>"], OFFER));
    let heard = owner.told(|leg, now| leg.accept(OURS.to_owned(), now));
    let sent = heard.message("200 INVITE").clone();
    let row = row_of(&owner);

    let mut bench = Bench::restored(row.clone());
    assert_eq!(bench.leg.state(), LegState::Answered);
    let heard = bench.until(8000);
    assert_eq!(heard.times(), [0, 1000, 3000, 7000]);
    let again = heard.message("200 INVITE");
    assert_eq!((again.vias(), again.body()), (sent.vias(), sent.body()));
    assert_eq!((again.from_tag(), again.to_tag(), again.cseq()), (sent.from_tag(), sent.to_tag(), sent.cseq()));
    assert_eq!((again.record_routes(), again.contact_uri()), (sent.record_routes(), sent.contact_uri()));
    assert_eq!(heard.sent[0].1, far());
    bench.hear(&request("ACK", 10, "z9hG4bKack", sent.to_tag(), &[], "")).is(&[], &[Event::Acked]);
    bench.until(60_000).is(&[], &[]);

    let mut bench = Bench::restored(row);
    assert_eq!(bench.until(32_000).events, [Event::AckTimeout]);
}

#[test]
fn a_refusal_goes_on_being_repeated_until_its_ack() {
    let mut owner = Bench::called(&invite());
    owner.told(|leg, now| leg.reject(486, "Busy Here", None, None, now));
    let row = row_of(&owner);
    let mut bench = Bench::restored(row.clone());
    assert_eq!(bench.until(0).lines(), ["486 INVITE"]);
    bench.hear(&request("ACK", 10, "z9hG4bKinvite", &row.local_tag, &[], "")).is(&[], &[Event::Ended]);
}

#[test]
fn a_call_that_rings_goes_on_ringing() {
    let (mut owner, invite) = Bench::calling();
    owner.hear(&answer(&invite, 180, "bob", &[], ""));
    let row = row_of(&owner);
    assert!(matches!(row.pending, Some(PendingInvite::Client { .. })));

    let mut bench = Bench::restored(row.clone());
    let heard = bench.until(500).is(&["INVITE"], &[]);
    assert_eq!(heard.message("INVITE").bytes(), invite.bytes());
    bench.hear(&answer(&invite, 180, "bob", &[], "")).is(&[], &[Event::Ringing { status: 180 }]);
    let ok = answer(&invite, 200, "bob", &[BOB], OFFER);
    bench.hear(&ok).is(&[], &[Event::Answered { sdp: OFFER.into() }]);
    bench.hear(&ok).is(&[], &[]);
    let heard = bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    assert_eq!(heard.message("ACK").cseq(), 1, "RFC 3261 13.2.2.4: the CSeq of the INVITE");
    let heard = bench.told(|leg, now| leg.hang_up(None, now));
    assert_eq!(heard.message("BYE").cseq(), 102);

    let mut bench = Bench::restored(row.clone());
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[]);
    let heard = bench.hear(&answer(&invite, 180, "bob", &[], "")).is(&["CANCEL"], &[]);
    assert_eq!(heard.message("CANCEL").top_branch(), invite.top_branch());
    bench.hear(&answer(&invite, 487, "bob", &[], "")).is(&["ACK"], &[Event::Ended]);

    let mut bench = Bench::restored(row);
    bench.hear(&answer(&invite, 486, "bob", &[], ""));
    assert_eq!(bench.leg.state(), LegState::Ended);
}

#[test]
fn a_committed_answer_is_acknowledged_by_the_adopter() {
    let (mut owner, invite) = Bench::calling();
    let ok = answer(&invite, 200, "bob", &[BOB], OFFER);
    owner.hear(&ok);
    let row = row_of(&owner);

    let mut bench = Bench::restored(row.clone());
    assert_eq!(bench.leg.state(), LegState::Answered);
    bench.hear(&ok).is(&["ACK"], &[]);
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    bench.hear(&ok).is(&["ACK"], &[]);

    let mut bench = Bench::restored(row);
    bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
}

#[test]
fn a_talking_call_is_hung_up_from_either_side() {
    let (owner, tag) = confirmed_call();
    let row = row_of(&owner);
    assert_eq!((row.role, row.state), (Role::Uas, DialogState::Confirmed));
    let mut bench = Bench::restored(row.clone());
    bench.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], "")).is(&[], &[Event::HungUp { q850: None }]);
    bench.told(|leg, now| leg.answer_bye(now)).is(&["200 BYE"], &[Event::Ended]);
    let mut bench = Bench::restored(row);
    let bye = bench.told(|leg, now| leg.hang_up(None, now)).message("BYE").clone();
    assert_eq!((bye.cseq(), bye.from_tag(), bye.to_tag()), (101, tag.as_str(), "far"));
    bench.hear(&answer(&bye, 200, "", &[], "")).is(&[], &[Event::Ended]);

    let (owner, invite) = confirmed_dial();
    let row = row_of(&owner);
    let mut bench = Bench::restored(row.clone());
    bench.hear(&callee_request(&invite, "BYE", 1, "z9hG4bKbye", &[], "")).is(&[], &[Event::HungUp { q850: None }]);
    let mut bench = Bench::restored(row);
    bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER)).is(&["ACK"], &[]);
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.message("BYE").cseq(), 102);
}

#[test]
fn a_request_the_dead_owner_answered_gets_its_success_again() {
    let (owner, tag) = confirmed_call();
    let mut row = row_of(&owner);
    row.remote_cseq = 12;
    let mut bench = Bench::restored(row);
    let reinvite = request("INVITE", 12, "z9hG4bKre", &tag, &[], OFFER);
    for _ in 0..2 {
        let heard = bench.hear(&reinvite).is(&["200 INVITE"], &[]);
        assert_eq!(heard.message("200 INVITE").body(), OURS.as_bytes());
    }
    assert_eq!(bench.leg.deadline(), None, "it demands no ACK");
    bench.hear(&request("UPDATE", 12, "z9hG4bKup", &tag, &[], OFFER)).is(&["200 UPDATE"], &[]);
    bench.hear(&request("INFO", 12, "z9hG4bKin", &tag, &[], "")).is(&["200 INFO"], &[]);
    bench.hear(&request("INVITE", 11, "z9hG4bKold", &tag, &[], OFFER)).is(&["500 INVITE"], &[]);
    bench.hear(&request("BYE", 12, "z9hG4bKbye", &tag, &[], "")).is(&[], &[Event::HungUp { q850: None }]);
}

#[test]
fn a_change_nobody_answered_is_told_when_it_is_repeated() {
    let (mut owner, tag) = confirmed_call();
    let reinvite = request("INVITE", 11, "z9hG4bKre", &tag, &[], OFFER);
    owner.hear(&reinvite);
    let mut bench = Bench::restored(row_of(&owner));
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    bench.hear(&reinvite).is(&[], &[Event::Reinvite { sdp: OFFER.into() }]);
    bench.hear(&reinvite).is(&[], &[]);
    bench.told(|leg, now| leg.answer_reinvite(Ok(OURS.to_owned()), now)).is(&["200 INVITE"], &[]);
}

#[test]
fn a_change_that_was_answered_goes_on_being_repeated() {
    let (mut owner, invite) = confirmed_dial();
    owner.hear(&callee_request(&invite, "INVITE", 1, "z9hG4bKre", &[], OFFER));
    owner.told(|leg, now| leg.answer_reinvite(Ok(OURS.to_owned()), now));
    let mut bench = Bench::restored(row_of(&owner));
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    assert_eq!(bench.until(1000).times(), [0, 1000]);
    bench.hear(&callee_request(&invite, "ACK", 1, "z9hG4bKack", &[], "")).is(&[], &[]);
    bench.until(60_000).is(&[], &[]);
}

#[test]
fn our_own_change_goes_on() {
    let (mut owner, _) = confirmed_dial();
    let reinvite = owner.told(|leg, now| leg.reinvite(OURS.to_owned(), now)).message("INVITE").clone();
    let mut bench = Bench::restored(row_of(&owner));
    let heard = bench.until(500).is(&["INVITE"], &[]);
    assert_eq!(heard.message("INVITE").bytes(), reinvite.bytes());
    let done = Event::ReinviteDone { ok: Ok(OFFER.into()) };
    bench.hear(&answer(&reinvite, 200, "", &[BOB], OFFER)).is(&["ACK"], &[done]);
}

#[test]
fn an_ended_call_only_agrees_with_what_is_left() {
    let (mut owner, tag) = confirmed_call();
    owner.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], ""));
    owner.told(|leg, now| leg.answer_bye(now));
    let mut bench = Bench::restored(row_of(&owner));
    assert_eq!(bench.leg.state(), LegState::Ended);
    bench.hear(&request("BYE", 11, "z9hG4bKbye", &tag, &[], "")).is(&["200 BYE"], &[]);
    bench.hear(&request("INVITE", 12, "z9hG4bKre", &tag, &[], OFFER)).is(&["481 INVITE"], &[]);
    bench.hear(&request("OPTIONS", 13, "z9hG4bKop", &tag, &[], "")).is(&["481 OPTIONS"], &[]);
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[]);
}

#[test]
fn a_row_that_makes_no_sense_ends_quietly() {
    let mut row = row_of(&Bench::calling().0);
    row.pending = Some(PendingInvite::Client { request: b"garbage".to_vec(), destination: far() });
    row.local_cseq = u32::MAX;
    let mut bench = Bench::restored(row);
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[Event::Ended]);
    let mut row = row_of(&Bench::called(&invite()));
    row.pending = None;
    let mut bench = Bench::restored(row);
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).is(&[], &[]);
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[Event::Ended]);
}
