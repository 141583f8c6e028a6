//! Agents against a scripted far end.

use std::time::Duration;

use crate::peer::{Peer, sdp, wait, wait_for_reports};
use strowger_phones::{AgentBehaviour, AgentReport, AgentSpec, EndedBy, Phones, Report};

const FROM: &str = "\"Caller\" <sip:+4930111@acd>;tag=f";
const TO: &str = "<sip:a1@acd>";

fn agent(behaviour: AgentBehaviour) -> AgentSpec {
    let mut spec = AgentSpec::new("a1", "secret", "acd", 1);
    (spec.registers, spec.behaviour, spec.ring) = (false, behaviour, Duration::from_millis(100));
    spec
}

/// Adds the agent and waits until the phones know it.
fn add(phones: &Phones, spec: AgentSpec) -> std::net::SocketAddr {
    phones.add_agent(spec);
    wait(phones, |live| live.agents == 1);
    phones.agent_addresses()[0]
}

fn agent_reports(phones: &Phones, count: usize) -> Vec<AgentReport> {
    let reports = wait_for_reports(phones, count).into_iter();
    reports.map(|report| if let Report::Agent(report) = report { report } else { panic!("{report:?}") }).collect()
}

#[test]
fn an_agent_registers_by_the_strongest_digest_and_renews_in_time() {
    let peer = Peer::new();
    let phones = peer.phones(23_000);
    phones.add_agent(AgentSpec::new("a1", "secret", "acd.example", 1));
    let bare = peer.expect("REGISTER sip:acd.example SIP/2.0");
    assert_eq!(bare.header("Expires"), "300");
    assert!(!bare.head.contains("Authorization"));
    let challenge = "WWW-Authenticate: Digest realm=\"acd\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n\
        WWW-Authenticate: Digest realm=\"acd\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n";
    peer.answer(&bare, "401 Unauthorized", "r", challenge, "");
    let login = peer.expect("REGISTER");
    assert_eq!((login.cseq(), login.header("Call-ID")), (bare.cseq() + 1, bare.header("Call-ID")));
    let authorization = login.header("Authorization");
    assert!(authorization.contains("algorithm=SHA-256") && authorization.contains("uri=\"sip:acd.example\""));
    assert_eq!(phones.registered(), 0);
    // Two seconds are granted, so after one it comes again.
    let granted = format!("Contact: {};expires=2\r\n", login.header("Contact"));
    peer.answer(&login, "200 OK", "r", &granted, "");
    wait(&phones, |live| live.agents_registered == 1);
    let renewal = peer.expect("REGISTER");
    assert_eq!(renewal.cseq(), login.cseq() + 1);
    // And when nobody answers any more, it runs out.
    wait(&phones, |live| live.agents_registered == 0);
}

#[test]
fn an_agent_rings_answers_and_is_hung_up_on() {
    let peer = Peer::new();
    let phones = peer.phones(23_200);
    let phone = add(&phones, agent(AgentBehaviour::Answer));
    peer.request("INVITE", "a1", phone, ("i1", 1), (FROM, TO), "c1", &peer.sdp());
    let ringing = peer.expect("SIP/2.0 180");
    // A repetition gets the last answer again.
    peer.request("INVITE", "a1", phone, ("i1", 1), (FROM, TO), "c1", &peer.sdp());
    peer.expect("SIP/2.0 180");
    let ok = peer.expect("SIP/2.0 200");
    let to = ok.header("To");
    assert_eq!(to, ringing.header("To"));
    assert!(ok.body.contains("RTP/AVP 0 101"), "{}", ok.body);
    // Without an ACK the 200 comes again.
    assert_eq!(peer.expect("SIP/2.0 200").header("To"), to);
    peer.request("ACK", "a1", phone, ("i1a", 1), (FROM, &to), "c1", "");
    wait(&phones, |live| live.agents_talking == 1);
    // The agent's tone comes, and to the new place after a re-INVITE.
    let mut packet = [0u8; 500];
    let (length, _) = peer.media.recv_from(&mut packet).unwrap();
    assert_eq!((length, packet[1] & 0x7F), (172, 0));
    let other = Peer::new();
    peer.request("INVITE", "a1", phone, ("i2", 2), (FROM, &to), "c1", &other.sdp());
    peer.expect("SIP/2.0 200");
    peer.request("ACK", "a1", phone, ("i2a", 2), (FROM, &to), "c1", "");
    other.media.recv_from(&mut packet).unwrap();
    peer.request("BYE", "a1", phone, ("b", 3), (FROM, &to), "c1", "");
    peer.expect("SIP/2.0 200");
    let report = agent_reports(&phones, 1).remove(0);
    assert_eq!((report.user.as_str(), report.call_id.as_str(), report.caller_id.as_str()), ("a1", "c1", "+4930111"));
    assert_eq!((report.final_status, report.ended_by, report.overlapped), (200, EndedBy::Far, false));
    assert_eq!(report.headers, [("x-queue".to_owned(), "sales".to_owned())]);
    assert!(report.answered_at.unwrap() - report.invited_at >= Duration::from_millis(100));
    assert!(report.retransmits >= 1);
    assert!(report.rtp.sent > 5);
}

#[test]
fn a_cancelled_ring_ends_with_487() {
    let peer = Peer::new();
    let phones = peer.phones(23_400);
    let phone = add(&phones, agent(AgentBehaviour::NeverAnswer));
    peer.request("INVITE", "a1", phone, ("i1", 1), (FROM, TO), "c1", &peer.sdp());
    peer.expect("SIP/2.0 180");
    peer.request("CANCEL", "a1", phone, ("other", 1), (FROM, TO), "c1", "");
    peer.expect("SIP/2.0 481");
    peer.request("CANCEL", "a1", phone, ("i1", 1), (FROM, TO), "c1", "");
    let ok = peer.expect("SIP/2.0 200");
    assert!(ok.header("CSeq").ends_with("CANCEL"));
    let terminated = peer.expect("SIP/2.0 487");
    // Repeated until the ACK.
    peer.expect("SIP/2.0 487");
    peer.request("ACK", "a1", phone, ("i1", 1), (FROM, &terminated.header("To")), "c1", "");
    let report = agent_reports(&phones, 1).remove(0);
    assert_eq!((report.final_status, report.ended_by, report.answered_at), (487, EndedBy::Far, None));
}

#[test]
fn a_second_offer_is_refused_and_written_down() {
    let peer = Peer::new();
    let phones = peer.phones(23_600);
    let mut spec = agent(AgentBehaviour::Answer);
    spec.hangs_up_after = Some(Duration::from_millis(400));
    let phone = add(&phones, spec);
    peer.request("INVITE", "a1", phone, ("i1", 1), (FROM, TO), "c1", &peer.sdp());
    peer.expect("SIP/2.0 180");
    peer.request("INVITE", "a1", phone, ("j1", 1), (FROM, TO), "c2", &peer.sdp());
    let busy = peer.expect("SIP/2.0 486");
    peer.request("ACK", "a1", phone, ("j1", 1), (FROM, &busy.header("To")), "c2", "");
    let ok = peer.expect("SIP/2.0 200");
    peer.request("ACK", "a1", phone, ("i1a", 1), (FROM, &ok.header("To")), "c1", "");
    let bye = peer.expect("BYE sip:b2b@");
    peer.answer(&bye, "200 OK", "", "", "");
    let reports = agent_reports(&phones, 2);
    assert_eq!((reports[0].call_id.as_str(), reports[0].final_status, reports[0].overlapped), ("c2", 486, false));
    assert_eq!((reports[1].call_id.as_str(), reports[1].final_status, reports[1].overlapped), ("c1", 200, true));
    assert_eq!(reports[1].ended_by, EndedBy::Agent);
    // Free again: the next offer is none too many.
    peer.request("INVITE", "a1", phone, ("k1", 1), (FROM, TO), "c3", &peer.sdp());
    peer.expect("SIP/2.0 180");
}

#[test]
fn what_cannot_be_taken_is_refused() {
    let peer = Peer::new();
    let phones = peer.phones(23_800);
    let phone = add(&phones, agent(AgentBehaviour::Busy));
    peer.request("INVITE", "a1", phone, ("i1", 1), (FROM, TO), "c1", &peer.sdp());
    peer.expect("SIP/2.0 486");
    peer.request("INVITE", "nobody", phone, ("i2", 1), (FROM, TO), "c2", &peer.sdp());
    peer.expect("SIP/2.0 404");
    phones.add_agent(AgentSpec { user: "a2".into(), ..agent(AgentBehaviour::Answer) });
    wait(&phones, |live| live.agents == 2);
    let wideband = sdp(peer.address(), "9 101");
    peer.request("INVITE", "a2", phone, ("i3", 1), (FROM, TO), "c3", &wideband);
    peer.expect("SIP/2.0 488");
    assert_eq!(agent_reports(&phones, 2).iter().map(|r| r.final_status).collect::<Vec<_>>(), [486, 488]);
    // An INVITE without an offer gets one, and the ACK brings the answer.
    peer.request("INVITE", "a2", phone, ("i4", 1), (FROM, TO), "c4", "");
    let mut ok = peer.expect("SIP/2.0 200");
    while ok.header("Call-ID") != "c4" {
        ok = peer.expect("SIP/2.0 200");
    }
    assert!(ok.body.contains("RTP/AVP 8 0 101"));
    peer.request("ACK", "a2", phone, ("i4a", 1), (FROM, &ok.header("To")), "c4", &peer.sdp());
    peer.media.recv_from(&mut [0u8; 500]).unwrap();
}
