//! Legs over TCP: what their messages say of it, which way they take, and that nothing is sent twice.

mod far;

use far::*;
use strowger_model::{Cause, Far, Line, NodeId};
use strowger_sip::{Event, Message};

/// The far end's own connection to us; it listens at `far()`.
fn caller_line() -> Far {
    Far { line: Some(Line { node: NodeId(2), number: 7 }), ..Far::tcp(([198, 51, 100, 7], 40_000)) }
}

/// By that connection while it lives, else to where the far end listens.
fn back() -> Far {
    Far { addr: far().addr, ..caller_line() }
}

fn over_tcp(text: &str) -> String {
    text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}

fn called() -> Bench {
    Bench::called_from(&over_tcp(&invite()), caller_line())
}

fn confirmed() -> (Bench, String) {
    let mut bench = called();
    let tag = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).message("200 INVITE").to_tag().to_owned();
    let ack = over_tcp(&request("ACK", 10, "z9hG4bKack", &tag, &[], ""));
    bench.hear_from(&ack, caller_line()).is(&[], &[Event::Acked]);
    (bench, tag)
}

fn via(message: &Message) -> &str {
    &message.vias()[0]
}

#[test]
fn an_answer_goes_back_on_the_line_and_names_tcp_in_its_contact() {
    let mut bench = called();
    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    assert_eq!(heard.sent[0].1, back());
    let ok = heard.message("200 INVITE");
    assert!(via(ok).starts_with("SIP/2.0/TCP "), "{}", via(ok));
    assert_eq!(ok.contact_uri(), Some(&*format!("sip:{}@192.0.2.10:5060;transport=tcp", token())));
}

#[test]
fn a_request_of_ours_takes_the_line_with_tcp_in_its_via() {
    let (mut bench, _) = confirmed();
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.sent[0].1, back());
    assert!(via(heard.message("BYE")).starts_with("SIP/2.0/TCP 192.0.2.10:5060;"));
}

#[test]
fn nothing_but_the_success_is_repeated_and_all_is_given_up_in_time() {
    let tcp = Far::tcp(far().addr);
    let (mut bench, _) = Bench::calling_to(tcp);
    let failed = Event::Failed { status: 408, q850: None };
    assert_eq!(bench.until(31_999).times(), [0; 0], "timer A");
    bench.until(32_000).is(&[], &[failed, Event::Ended]);

    let (mut bench, _) = confirmed();
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    bench.until(31_999).is(&[], &[]);
    bench.until(32_000).is(&[], &[Event::Ended]);

    let mut bench = called();
    bench.told(|leg, now| leg.reject(486, "Busy Here", None, Some(Cause::BUSY), now)).is(&["486 INVITE"], &[]);
    bench.until(31_999).is(&[], &[]);
    bench.until(32_000).is(&[], &[Event::Ended]);

    let mut bench = called();
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).is(&["200 INVITE"], &[]);
    assert_eq!(bench.until(8_000).times(), [500, 1500, 3500, 7500], "RFC 3261 section 13.3.1.4");
}

#[test]
fn a_cancel_is_sent_once() {
    let (mut bench, invite) = Bench::calling_to(Far::tcp(far().addr));
    bench.hear(&answer(&invite, 180, "bob", &[], ""));
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["CANCEL"], &[]);
    assert_eq!(via(heard.message("CANCEL")), via(&invite), "RFC 3261 section 9.1");
    bench.until(31_000).is(&[], &[]);
}

#[test]
fn our_invite_over_tcp_says_so() {
    let (_, invite) = Bench::calling_to(Far::tcp(far().addr));
    assert!(via(&invite).starts_with("SIP/2.0/TCP "));
    assert_eq!(invite.contact_uri(), Some(&*format!("sip:{}@192.0.2.10:5060;transport=tcp", token())));
}

#[test]
fn a_contact_that_names_another_transport_is_followed() {
    let (mut bench, invite) = Bench::calling();
    let contact = "Contact: <sip:bob@198.51.100.7:5070;transport=tcp>";
    bench.hear(&answer(&invite, 200, "bob", &[contact], OFFER));
    let heard = bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    assert_eq!(heard.sent[0].1, Far::tcp(far().addr));
    assert!(via(heard.message("ACK")).starts_with("SIP/2.0/TCP "));

    let large = over_tcp(&invite_text("Contact: <sip:alice@198.51.100.7:5070;transport=udp>"));
    let mut bench = Bench::called_from(&large, caller_line());
    bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    let tag = bench.leg.dialog().local_tag;
    bench.hear_from(&over_tcp(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")), caller_line());
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.sent[0].1, far(), "it took TCP for the size of its INVITE alone (RFC 3261 section 18.1.1)");
}

fn invite_text(contact: &str) -> String {
    invite().replace("Contact: <sip:alice@198.51.100.7:5070>", contact)
}

#[test]
fn a_proxy_that_left_the_dialog_is_not_sent_its_requests() {
    let second = "Via: SIP/2.0/TCP 203.0.113.8:5060;branch=z9hG4bKinner";
    let text = over_tcp(&request("INVITE", 10, "z9hG4bKinvite", "", &[second], OFFER));
    let mut bench = Bench::called_from(&text, caller_line());
    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now));
    assert_eq!(heard.sent[0].1, back(), "an answer goes the way of the request in any case");
    assert_eq!(bench.leg.dialog().far.line, None);
    let routed = over_tcp(&request("INVITE", 10, "z9hG4bKi", "", &[second, "Record-Route: <sip:p.example;lr>"], OFFER));
    assert_eq!(Bench::called_from(&routed, caller_line()).leg.dialog().far, back(), "it wants to hear more");
}

#[test]
fn an_adopter_sends_once_what_the_line_may_have_lost() {
    // The row keeps the line: another node goes on with it.
    let (bench, _) = confirmed();
    let mut adopted = Bench::restored(bench.leg.dialog());
    let heard = adopted.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.sent[0].1, back());
    assert!(adopted.leg.dialog().local_contact.ends_with(";transport=tcp"));

    let (bench, _) = Bench::calling_to(Far::tcp(far().addr));
    let mut adopted = Bench::restored(bench.leg.dialog());
    let heard = adopted.until(31_999).is(&["INVITE"], &[]);
    assert_eq!(heard.times(), [0]);

    let mut bench = called();
    bench.told(|leg, now| leg.reject(486, "Busy Here", None, None, now));
    let mut adopted = Bench::restored(bench.leg.dialog());
    let heard = adopted.until(31_999).is(&["486 INVITE"], &[]);
    assert_eq!((heard.times(), heard.sent[0].1), (vec![0], back()));
}
