//! Callers against a scripted far end.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::{PATIENCE, Peer, wait_for_reports};
use strowger_phones::{CallSpec, CallerReport, EndedBy, Law, Phones, Report, tone_hz};

fn caller_report(phones: &Phones) -> CallerReport {
    match wait_for_reports(phones, 1).remove(0) {
        Report::Caller(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Plays a tone as fast as the test likes: 20 ms packets, `packets` of them, in real time.
fn play(peer: &Peer, to: SocketAddr, tone: u16, packets: u32) {
    let start = Instant::now();
    for n in 0..packets {
        let mut packet = vec![0x80, 0, (n >> 8) as u8, n as u8];
        packet.extend((n * 160).to_be_bytes());
        packet.extend(77u32.to_be_bytes());
        packet.extend((0..160).map(|i| {
            let phase = TAU * f64::from(tone_hz(tone)) * f64::from(n * 160 + i) / 8000.0;
            Law::Pcmu.encode((8000.0 * phase.sin()) as i16)
        }));
        peer.media.send_to(&packet, to).unwrap();
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
    }
}

#[test]
fn a_call_is_answered_hears_an_agent_presses_keys_and_is_hung_up() {
    let peer = Peer::new();
    let phones = peer.phones(21_000);
    let mut spec = CallSpec::new("+4930111", "+4930999", 4);
    spec.talk = Duration::from_millis(800);
    spec.digits = "1#".into();
    spec.digits_after = Duration::from_millis(100);
    let call_ref = phones.place_call(spec);
    assert_eq!(phones.calls_in_progress(), 1);

    let invite = peer.expect("INVITE sip:+4930999@");
    assert!(invite.body.contains("RTP/AVP 8 0 101"));
    peer.answer(&invite, "100 Trying", "", "", "");
    peer.answer(&invite, "180 Ringing", "t1", &peer.contact(), "");
    peer.answer(&invite, "200 OK", "t1", &peer.contact(), &peer.sdp());
    let ack = peer.expect("ACK sip:b2b@");
    assert!(ack.header("To").ends_with(";tag=t1"));
    // A lost ACK is sent again for every 200.
    peer.answer(&invite, "200 OK", "t1", &peer.contact(), &peer.sdp());
    peer.expect("ACK sip:b2b@");
    play(&peer, invite.media(), 7, 80);
    let bye = peer.expect("BYE sip:b2b@");
    peer.answer(&bye, "200 OK", "", "", "");

    let report = caller_report(&phones);
    assert_eq!((report.call_ref, report.final_status, report.ended_by), (call_ref, 200, EndedBy::Caller));
    assert_eq!(report.call_id, invite.header("Call-ID"));
    assert!(!report.abandoned && !report.stuck);
    assert_eq!(report.heard[0].0, 7);
    assert!(report.heard[0].1 >= Duration::from_millis(600), "{:?}", report.heard);
    let talked = report.ended_at - report.first_agent_tone_at.unwrap();
    assert!((800..1500).contains(&talked.as_millis()), "{talked:?}");
    assert_eq!(report.rtp.digits_sent, 2);
    assert_eq!(report.rtp.lost, 0);
    assert_eq!(phones.calls_in_progress(), 0);

    // What the peer got: µ-law, as it answered, at full rate, and both keys.
    peer.media.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut packet, mut audio, mut keys) = ([0u8; 500], 0, Vec::new());
    while let Ok((length, _)) = peer.media.recv_from(&mut packet) {
        match packet[1] & 0x7F {
            0 => audio += 1,
            101 => keys.push((packet[12], packet[13] & 0x80 != 0)),
            other => panic!("payload type {other}"),
        }
        assert!(length == 172 || length == 16);
    }
    assert_eq!(keys.len(), 16);
    assert_eq!(keys.iter().filter(|(key, end)| *key == 11 && *end).count(), 3);
    assert!((40..200).contains(&audio), "{audio}");
}

#[test]
fn a_refusal_is_acknowledged_and_reported() {
    let peer = Peer::new();
    let phones = peer.phones(21_200);
    phones.place_call(CallSpec::new("a", "b", 0));
    let invite = peer.expect("INVITE");
    peer.answer(&invite, "503 Service Unavailable", "x", "Retry-After: 5\r\n", "");
    let ack = peer.expect("ACK");
    assert_eq!(ack.header("Via"), invite.header("Via"));
    let report = caller_report(&phones);
    assert_eq!((report.final_status, report.ended_by), (503, EndedBy::Far));
    // A repeated refusal gets the same ACK, though the call is long over.
    peer.answer(&invite, "503 Service Unavailable", "x", "", "");
    peer.expect("ACK");
}

#[test]
fn an_invite_without_an_answer_is_repeated() {
    let peer = Peer::new();
    let phones = peer.phones(21_400);
    phones.place_call(CallSpec::new("a", "b", 0));
    let first = peer.expect("INVITE");
    let second = peer.expect("INVITE");
    assert_eq!(first.head, second.head);
    peer.answer(&second, "486 Busy Here", "x", "", "");
    assert_eq!(caller_report(&phones).retransmits, 1);
}

#[test]
fn an_impatient_caller_cancels() {
    let peer = Peer::new();
    let phones = peer.phones(21_600);
    let mut spec = CallSpec::new("a", "b", 0);
    spec.patience = Duration::from_millis(150);
    phones.place_call(spec);
    let invite = peer.expect("INVITE");
    std::thread::sleep(Duration::from_millis(250));
    // Only now may the CANCEL go out.
    peer.answer(&invite, "100 Trying", "", "", "");
    let cancel = peer.expect("CANCEL");
    assert_eq!(cancel.header("Via"), invite.header("Via"));
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    peer.answer(&cancel, "200 OK", "x", "", "");
    peer.answer(&invite, "487 Request Terminated", "x", "", "");
    peer.expect("ACK");
    let report = caller_report(&phones);
    assert_eq!((report.final_status, report.ended_by, report.abandoned), (487, EndedBy::Caller, true));
}

#[test]
fn a_caller_who_hears_only_music_hangs_up_with_a_bye() {
    let peer = Peer::new();
    let phones = peer.phones(21_800);
    let mut spec = CallSpec::new("a", "b", 0);
    spec.patience = Duration::from_millis(700);
    phones.place_call(spec);
    let invite = peer.expect("INVITE");
    let route = format!("Record-Route: <sip:{};lr>\r\n", peer.address());
    let contact = "Contact: <sip:b2b@192.0.2.1:5060>\r\n";
    peer.answer(&invite, "200 OK", "t", &format!("{route}{contact}"), &peer.sdp());
    // Behind the proxy that recorded itself, though the contact lies elsewhere.
    peer.expect("ACK sip:b2b@192.0.2.1:5060");
    // Another caller's tone: not an agent.
    play(&peer, invite.media(), 8, 25);
    let bye = peer.expect("BYE sip:b2b@192.0.2.1:5060");
    assert_eq!(bye.header("Route"), format!("<sip:{};lr>", peer.address()));
    peer.answer(&bye, "200 OK", "", "", "");
    let report = caller_report(&phones);
    assert!(report.abandoned && report.first_agent_tone_at.is_none());
    assert_eq!(report.heard[0].0, 8);
    assert_eq!(report.final_status, 200);
}

#[test]
fn a_call_is_held_and_taken_back_and_finish_ends_it() {
    let peer = Peer::new();
    let phones = peer.phones(22_000);
    let mut spec = CallSpec::new("a", "b", 0);
    spec.hangs_up = false;
    spec.reinvite_hold = Some((Duration::from_millis(500), Duration::from_millis(300)));
    phones.place_call(spec);
    let invite = peer.expect("INVITE");
    peer.answer(&invite, "200 OK", "t", &peer.contact(), &peer.sdp());
    peer.expect("ACK");
    play(&peer, invite.media(), 9, 30);
    for direction in ["a=sendonly", "a=sendrecv"] {
        let hold = peer.expect("INVITE sip:b2b@");
        assert!(hold.body.contains(direction), "{}", hold.body);
        peer.answer(&hold, "200 OK", "", &peer.contact(), &peer.sdp());
        assert_eq!(peer.expect("ACK").cseq(), hold.cseq());
    }
    let waiting = std::thread::spawn(move || (phones.finish(Duration::from_millis(100)), phones));
    let bye = peer.expect("BYE");
    peer.answer(&bye, "200 OK", "", "", "");
    let (reports, phones) = waiting.join().unwrap();
    assert!(matches!(&reports[..], [Report::Caller(report)] if report.stuck), "{reports:?}");
    phones.stop();
}

#[test]
fn a_far_end_that_hangs_up_and_one_that_sends_nonsense() {
    let peer = Peer::new();
    let phones = peer.phones(22_200);
    phones.place_call(CallSpec::new("a", "b", 0));
    let invite = peer.expect("INVITE");
    peer.answer(&invite, "200 OK", "t", &peer.contact(), &peer.sdp());
    peer.expect("ACK");
    let (phone, call_id) = (invite.from, invite.header("Call-ID"));
    let (from, to) = (format!("{};tag=t", invite.header("To")), invite.header("From"));
    for bad in ["", "\r\n\r\n", "BYE", "INVITE sip:x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "\0\0\0"] {
        peer.send(bad, phone);
    }
    for (number, method, status) in
        [(1, "INFO", "405"), (2, "FROBNICATE", "501"), (3, "OPTIONS", "200"), (4, "UPDATE", "200")]
    {
        peer.request(method, "a", phone, (&format!("n{number}"), number), (&from, &to), &call_id, "");
        peer.expect(&format!("SIP/2.0 {status}"));
    }
    let stranger = "<sip:a@x>;tag=nobody";
    peer.request("BYE", "a", phone, ("n5", 5), (&from, stranger), &call_id, "");
    peer.expect("SIP/2.0 481");
    peer.request("BYE", "a", phone, ("n6", 3), (&from, &to), &call_id, "");
    peer.expect("SIP/2.0 500");
    peer.request("BYE", "a", phone, ("n7", 9), (&from, &to), &call_id, "");
    peer.expect("SIP/2.0 200");
    let report = caller_report(&phones);
    assert_eq!((report.final_status, report.ended_by, report.abandoned), (200, EndedBy::Far, false));
    assert!(report.ended_at.elapsed() < PATIENCE);
}
