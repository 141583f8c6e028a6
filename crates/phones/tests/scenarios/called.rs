//! Called numbers against a scripted product, and against this crate's own callers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::{PATIENCE, Peer, Text, wait, wait_for_reports};
use strowger_phones::{
    CallSpec, CalledReport, CalledRole, CalledSpec, EndedBy, Phones, PhonesOptions, Report, is_agent_tone,
};

const FROM: &str = "<sip:+4930555@acd>;tag=f";
const NUMBER: &str = "+4917001";
const SHORT: Duration = Duration::from_millis(300);

/// The carrier with one role for all, and its own socket.
fn carrier(peer: &Peer, media_from: u16, role: CalledRole) -> (Phones, SocketAddr) {
    let mut options = PhonesOptions::new(peer.address(), "127.0.0.1".parse().unwrap(), 0, 0);
    options.media_ports = media_from..=media_from + 98;
    options.carrier_sockets = 1;
    let phones = Phones::start(options).unwrap();
    phones.open_carrier(move |dialled| {
        assert!(dialled.number.starts_with('+') && dialled.from == "+4930555");
        CalledSpec::new(role, 8)
    });
    let address = phones.carrier_addresses()[0];
    (phones, address)
}

fn dial(peer: &Peer, to: SocketAddr, number: &str, branch: &str, call_id: &str) {
    let callee = format!("<sip:{number}@carrier>");
    peer.request("INVITE", number, to, (branch, 1), (FROM, &callee), call_id, &peer.sdp());
}

/// `cseq` 1 with the INVITE's branch is the ACK of a refusal.
fn within(peer: &Peer, method: &str, carrier: SocketAddr, (branch, cseq): (&str, u32), answer: &Text) {
    let (to, call_id) = (answer.header("To"), answer.header("Call-ID"));
    peer.request(method, NUMBER, carrier, (branch, cseq), (FROM, &to), &call_id, "");
}

fn called_reports(reports: Vec<Report>) -> Vec<CalledReport> {
    reports.into_iter().map(|r| if let Report::Called(report) = r { report } else { panic!("{r:?}") }).collect()
}

fn is_silent(peer: &Peer, long: Duration) -> bool {
    peer.socket.set_read_timeout(Some(long)).unwrap();
    let silent = peer.socket.recv_from(&mut [0; 2000]).is_err();
    peer.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    silent
}

#[test]
fn a_called_party_rings_answers_moves_its_audio_and_leaves() {
    let peer = Peer::new();
    let role = CalledRole::AnswersAndLeaves { after: SHORT, stays: Duration::from_millis(1200) };
    let (phones, carrier) = carrier(&peer, 25_000, role);
    dial(&peer, carrier, NUMBER, "i1", "c1");
    assert!(!peer.expect("SIP/2.0 100").header("To").contains("tag="));
    let ringing = peer.expect("SIP/2.0 180");
    // A repetition gets the last answer again, and is no second call.
    dial(&peer, carrier, NUMBER, "i1", "c1");
    assert_eq!(peer.expect("SIP/2.0 180").header("To"), ringing.header("To"));
    let ok = peer.expect("SIP/2.0 200");
    assert!(ok.body.contains("RTP/AVP 0 101"), "{}", ok.body);
    assert_eq!(ok.header("Contact"), format!("<sip:{NUMBER}@{carrier}>"));
    // So does it once it is answered; and without an ACK the 200 comes again.
    dial(&peer, carrier, NUMBER, "i1", "c1");
    peer.expect("SIP/2.0 200");
    peer.expect("SIP/2.0 200");
    within(&peer, "ACK", carrier, ("a1", 1), &ok);
    let other = Peer::new();
    peer.request("INVITE", NUMBER, carrier, ("i2", 2), (FROM, &ok.header("To")), "c1", &other.sdp());
    peer.expect("SIP/2.0 200");
    within(&peer, "ACK", carrier, ("a2", 2), &ok);
    other.media.recv_from(&mut [0; 500]).unwrap();
    let bye = peer.expect("BYE sip:b2b@");
    peer.answer(&bye, "200 OK", "", "", "");

    let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((report.number.as_str(), report.call_id.as_str(), report.from.as_str()), (NUMBER, "c1", "+4930555"));
    assert_eq!((report.final_status, report.ended_by, report.role), (200, EndedBy::Called, role));
    assert_eq!((report.invites, report.overlapped, report.stuck), (1, false, false));
    assert!(report.rang_at.unwrap() < report.answered_at.unwrap());
    assert!(report.answered_at.unwrap() - report.invited_at >= SHORT);
    assert!(report.first_agent_tone_at.is_none() && report.retransmits >= 1 && report.rtp.sent > 5);
    assert_eq!(phones.live().callers_waiting, 0);
}

#[test]
fn a_silent_number_rings_until_it_is_cancelled() {
    let peer = Peer::new();
    let (phones, carrier) = carrier(&peer, 25_200, CalledRole::Silent);
    dial(&peer, carrier, NUMBER, "i1", "c1");
    peer.expect("SIP/2.0 180");
    wait(&phones, |live| live.called_ringing == 1);
    peer.request("CANCEL", NUMBER, carrier, ("i1", 1), (FROM, "<sip:x@carrier>"), "c1", "");
    assert!(peer.expect("SIP/2.0 200").header("CSeq").ends_with("CANCEL"));
    let terminated = peer.expect("SIP/2.0 487");
    // Repeated until the ACK, and only then over.
    peer.expect("SIP/2.0 487");
    assert!(phones.take_reports().is_empty());
    within(&peer, "ACK", carrier, ("i1", 1), &terminated);
    let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((report.final_status, report.ended_by, report.answered_at), (487, EndedBy::Far, None));
    assert!(report.rang_at.is_some() && report.retransmits == 1);
}

#[test]
fn a_call_may_be_cancelled_before_it_rings() {
    let peer = Peer::new();
    let (phones, carrier) = carrier(&peer, 25_400, CalledRole::Busy);
    dial(&peer, carrier, NUMBER, "i1", "c1");
    peer.expect("SIP/2.0 100");
    peer.request("CANCEL", NUMBER, carrier, ("i1", 1), (FROM, "<sip:x@carrier>"), "c1", "");
    let terminated = peer.expect("SIP/2.0 487");
    within(&peer, "ACK", carrier, ("i1", 1), &terminated);
    let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((report.final_status, report.rang_at, report.ended_by), (487, None, EndedBy::Far));
}

#[test]
fn refusals_say_why_and_wait_for_their_ack() {
    let roles = [
        (CalledRole::Busy, 486),
        (CalledRole::Declines, 603),
        (CalledRole::Unknown, 404),
        (CalledRole::Unreachable { cause: 34 }, 503),
    ];
    let peer = Peer::new();
    let (phones, carrier) = carrier(&peer, 25_600, CalledRole::Dead);
    for (n, (role, status)) in roles.into_iter().enumerate() {
        phones.open_carrier(move |_| CalledSpec::new(role, 8));
        let (number, call_id) = (format!("{NUMBER}{n}"), format!("c{n}"));
        dial(&peer, carrier, &number, &call_id, &call_id);
        let refusal = peer.expect(&format!("SIP/2.0 {status}"));
        assert_eq!(refusal.head.contains("Reason: Q.850;cause=34"), status == 503, "{}", refusal.head);
        within(&peer, "ACK", carrier, (&call_id, 1), &refusal);
        let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
        assert_eq!((report.final_status, report.ended_by, report.role), (status, EndedBy::Called, role));
        assert_eq!((report.number, report.rang_at, report.answered_at), (number, None, None));
    }
    // One that is never acknowledged does not come to rest.
    dial(&peer, carrier, NUMBER, "u", "u");
    peer.expect("SIP/2.0 503");
    let report = called_reports(phones.finish(SHORT)).remove(0);
    assert!(report.stuck && report.final_status == 503, "{report:?}");
    // And after the end nothing is taken, though somebody still dials.
    dial(&peer, carrier, NUMBER, "v", "v");
    while peer.expect("SIP/2.0 503").header("Call-ID") != "v" {}
    let more = phones.finish(Duration::ZERO);
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_dead_number_says_nothing_and_its_repetitions_are_one_call() {
    let peer = Peer::new();
    let (phones, carrier) = carrier(&peer, 25_800, CalledRole::Dead);
    let begun = Instant::now();
    dial(&peer, carrier, NUMBER, "i1", "c1");
    assert!(is_silent(&peer, SHORT));
    dial(&peer, carrier, NUMBER, "i1", "c1");
    peer.request("CANCEL", NUMBER, carrier, ("i1", 1), (FROM, "<sip:x@carrier>"), "c1", "");
    assert!(is_silent(&peer, SHORT));
    // Given up, and dialled again: a second call, which the first is in the past of.
    dial(&peer, carrier, NUMBER, "i2", "c2");
    assert!(is_silent(&peer, SHORT));
    let reports = called_reports(phones.finish(PATIENCE));
    assert!(begun.elapsed() < PATIENCE, "nobody waits for the dead");
    let mut seen: Vec<_> = reports.iter().map(|r| (r.call_id.as_str(), r.invites, r.final_status)).collect();
    seen.sort();
    assert_eq!(seen, [("c1", 1, 0), ("c2", 2, 0)]);
    assert!(reports.iter().all(|r| !r.stuck && !r.overlapped && r.ended_by == EndedBy::Called), "{reports:?}");
    let first = reports.iter().find(|r| r.call_id == "c1").unwrap();
    assert!((first.ended_at - first.invited_at) >= SHORT, "its INVITE came until then");
}

#[test]
fn a_number_that_is_dialled_twice_at_once_is_busy_and_written_down() {
    let peer = Peer::new();
    let (phones, carrier) = carrier(&peer, 26_000, CalledRole::Silent);
    dial(&peer, carrier, NUMBER, "i1", "c1");
    peer.expect("SIP/2.0 180");
    // Another Call-ID; the same Call-ID on another way; another number, which is none of their business.
    for (number, branch, call_id) in [(NUMBER, "j1", "c2"), (NUMBER, "k1", "c1")] {
        dial(&peer, carrier, number, branch, call_id);
        let busy = peer.expect("SIP/2.0 486");
        within(&peer, "ACK", carrier, (branch, 1), &busy);
    }
    dial(&peer, carrier, "+4917002", "l1", "c3");
    peer.expect("SIP/2.0 180");
    let refused = called_reports(wait_for_reports(&phones, 2));
    assert_eq!(refused.iter().map(|r| (r.final_status, r.invites)).collect::<Vec<_>>(), [(486, 2), (486, 3)]);
    assert!(refused.iter().all(|r| r.overlapped && r.role == CalledRole::Silent));
    for (branch, call_id) in [("i1", "c1"), ("l1", "c3")] {
        peer.request("CANCEL", NUMBER, carrier, (branch, 1), (FROM, "<sip:x@carrier>"), call_id, "");
        let terminated = peer.expect("SIP/2.0 487");
        within(&peer, "ACK", carrier, (branch, 1), &terminated);
    }
    let rest = called_reports(wait_for_reports(&phones, 2));
    let seen: Vec<_> = rest.iter().map(|r| (r.call_id.as_str(), r.invites, r.overlapped)).collect();
    assert_eq!(seen, [("c1", 1, true), ("c3", 1, false)]);
    // One after the other is no overlap, and counted all the same.
    dial(&peer, carrier, NUMBER, "m1", "c4");
    peer.expect("SIP/2.0 180");
    peer.request("CANCEL", NUMBER, carrier, ("m1", 1), (FROM, "<sip:x@carrier>"), "c4", "");
    let terminated = peer.expect("SIP/2.0 487");
    within(&peer, "ACK", carrier, ("m1", 1), &terminated);
    let last = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((last.invites, last.overlapped), (4, false));
}

#[test]
fn who_answers_and_hears_nobody_leaves_but_not_before_the_ack() {
    let peer = Peer::new();
    let long = Duration::from_secs(60);
    let (phones, carrier) =
        carrier(&peer, 26_200, CalledRole::Answers { after: Duration::ZERO, talk: long, patience: SHORT });
    dial(&peer, carrier, NUMBER, "i1", "c1");
    let ok = peer.expect("SIP/2.0 200");
    // Its patience is over, and the 200 comes again rather than a BYE.
    peer.expect("SIP/2.0 200");
    within(&peer, "ACK", carrier, ("a1", 1), &ok);
    let bye = peer.expect("BYE sip:b2b@");
    peer.answer(&bye, "200 OK", "", "", "");
    let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((report.ended_by, report.rang_at, report.final_status), (EndedBy::Called, None, 200));
    assert!(report.first_agent_tone_at.is_none() && report.heard.is_empty());
    // And one that is hung up on.
    dial(&peer, carrier, NUMBER, "j1", "c2");
    let mut ok = peer.expect("SIP/2.0 200");
    while ok.header("Call-ID") != "c2" {
        ok = peer.expect("SIP/2.0 200");
    }
    within(&peer, "ACK", carrier, ("a2", 1), &ok);
    within(&peer, "BYE", carrier, ("b2", 2), &ok);
    let report = called_reports(wait_for_reports(&phones, 1)).remove(0);
    assert_eq!((report.call_id.as_str(), report.ended_by, report.invites), ("c2", EndedBy::Far, 2));
}

#[test]
fn agents_sockets_and_a_carrier_that_is_closed_know_no_numbers() {
    let peer = Peer::new();
    let phones = peer.phones(26_400);
    let (trunk, agents) = (phones.trunk_addresses()[0], phones.agent_addresses()[0]);
    assert!(phones.carrier_addresses().is_empty());
    dial(&peer, trunk, NUMBER, "i1", "c1");
    peer.expect("SIP/2.0 404");
    phones.open_carrier(|_| CalledSpec::new(CalledRole::Silent, 8));
    dial(&peer, agents, NUMBER, "i2", "c2");
    while peer.expect("SIP/2.0 404").header("Call-ID") != "c2" {}
    // The trunk is one: what calls on it is called on it too. An offer that nobody can speak is none.
    dial(&peer, trunk, NUMBER, "i3", "c3");
    peer.expect("SIP/2.0 180");
    let callee = "<sip:+4917009@carrier>";
    let wideband = crate::peer::sdp(peer.address(), "9 101");
    peer.request("INVITE", "+4917009", trunk, ("i4", 1), (FROM, callee), "c4", &wideband);
    peer.expect("SIP/2.0 488");
}

/// The crate's caller stands for the product with an agent on the line: it sends an agent's tone.
#[test]
fn two_ends_hear_each_other_until_the_called_one_has_talked_enough() {
    let peer = Peer::new();
    let talk = Duration::from_secs(1);
    let role = CalledRole::Answers { after: Duration::from_millis(200), talk, patience: PATIENCE };
    let (far, address) = carrier(&peer, 26_600, role);
    let mut options = PhonesOptions::new(address, "127.0.0.1".parse().unwrap(), 0, 0);
    options.media_ports = 26_800..=26_898;
    let near = Phones::start(options).unwrap();
    for n in 0..3u16 {
        let tone = 2 * n + 21;
        assert!(is_agent_tone(tone));
        near.place_call(CallSpec::new("+4930555", &format!("+4917{n}"), tone));
    }
    wait(&far, |live| live.called_talking == 3);
    let callers = wait_for_reports(&near, 3);
    let called = called_reports(far.finish(PATIENCE));
    assert_eq!(called.len(), 3);
    for caller in callers {
        let Report::Caller(caller) = caller else { panic!("{caller:?}") };
        let called = called.iter().find(|called| called.call_id == caller.call_id).unwrap();
        assert_eq!((called.number.as_str(), called.from.as_str()), (caller.number.as_str(), "+4930555"));
        assert_eq!((caller.ended_by, called.ended_by), (EndedBy::Far, EndedBy::Called));
        for (heard, tone) in [(&called.heard, caller.my_tone), (&caller.heard, called.my_tone)] {
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert!(heard[0].0 == tone && heard[0].1 >= Duration::from_millis(600), "{heard:?}");
        }
        let talked = called.ended_at - called.first_agent_tone_at.unwrap();
        assert!((1000..1800).contains(&talked.as_millis()), "{talked:?}");
        assert_eq!((called.rtp.lost, called.rtp.strangers, called.stuck), (0, 0, false));
    }
    wait(&far, |live| live.called_ended == 3);
}
