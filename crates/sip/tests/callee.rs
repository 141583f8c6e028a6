//! We call the far end: from our INVITE to the end of the leg.

mod far;

use far::*;
use strowger_model::{Cause, DialogState, Far, Mono, PendingInvite};
use strowger_sip::{Event, Leg, LegState, Reached};

#[test]
fn a_call_rings_is_answered_and_acknowledged_when_the_call_says_so() {
    let (mut bench, invite) = Bench::calling();
    assert_eq!(invite.header("From").unwrap().split(';').next(), Some(r#""The \"Desk\"" <sip:100@strowger.example>"#));
    assert_eq!(invite.header("X-Queue"), Some("sales"));
    assert_eq!(invite.max_forwards(), Some(70));
    assert!(invite.vias()[0].ends_with(";rport"));
    assert_eq!(
        tokens().leg_of(&strowger_sip::Message::parse(answer(&invite, 180, "", &[], "").as_bytes()).unwrap()),
        Some(key())
    );

    bench.hear(&answer(&invite, 100, "", &[], "")).is(&[], &[]);
    bench.hear(&answer(&invite, 180, "bob", &[], "")).is(&[], &[Event::Ringing { status: 180 }]);
    bench.hear(&answer(&invite, 180, "bob", &[], "")).is(&[], &[]);
    bench.hear(&answer(&invite, 183, "bob", &[], "")).is(&[], &[Event::Ringing { status: 183 }]);
    bench.until(100_000).is(&[], &[]);

    let ok = answer(&invite, 200, "bob", &[BOB], OFFER);
    bench.hear(&ok).is(&[], &[Event::Answered { sdp: OFFER.into() }]);
    assert_eq!(bench.leg.state(), LegState::Answered);
    bench.hear(&ok).is(&[], &[]);
    let row = bench.leg.dialog();
    assert_eq!((row.state, row.remote_tag.as_str(), row.remote_sdp.as_str()), (DialogState::Confirmed, "bob", OFFER));
    assert!(matches!(row.pending, Some(PendingInvite::Client { .. })));

    let heard = bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    let ack = heard.message("ACK");
    assert_eq!((ack.cseq(), ack.to_tag()), (1, "bob"));
    assert_ne!(ack.top_branch(), invite.top_branch());
    assert_eq!(bench.leg.state(), LegState::Confirmed);
    assert_eq!(bench.leg.dialog().pending, None);
    let again = bench.hear(&ok).is(&["ACK"], &[]);
    assert_eq!(again.message("ACK").bytes(), ack.bytes());

    let bye = callee_request(&invite, "BYE", 1, "z9hG4bKbye", &[], "");
    bench.hear(&bye).is(&[], &[Event::HungUp { q850: None }]);
    bench.told(|leg, now| leg.answer_bye(now)).is(&["200 BYE"], &[Event::Ended]);
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let (_, one) = Leg::outgoing(key(), outgoing(), &local(), Mono::ZERO);
    let (_, two) = Leg::outgoing(key(), outgoing(), &local(), Mono::from_millis(77));
    assert_eq!(one, two);
}

#[test]
fn an_invite_repeats_until_something_comes_back() {
    let (mut bench, invite) = Bench::calling();
    assert_eq!(bench.until(4000).times(), [500, 1500, 3500]);
    bench.hear(&answer(&invite, 100, "", &[], ""));
    bench.until(60_000).is(&[], &[]);
}

#[test]
fn an_invite_nobody_answers_fails_as_408() {
    let (mut bench, _) = Bench::calling();
    let heard = bench.until(40_000);
    assert_eq!(heard.events, [Event::Failed { status: 408, q850: None }, Event::Ended]);
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn a_refusal_is_acknowledged_at_once_and_each_time() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 180, "bob", &[], ""));
    let busy = answer(&invite, 486, "bob", &["Reason: Q.850;cause=17"], "");
    let failed = Event::Failed { status: 486, q850: Some(Cause::BUSY) };
    let heard = bench.hear(&busy).is(&["ACK"], &[failed, Event::Ended]);
    let ack = heard.message("ACK");
    assert_eq!((ack.top_branch(), ack.cseq(), ack.to_tag()), (invite.top_branch(), 1, "bob"));
    assert_eq!(ack.request_uri(), invite.request_uri());
    bench.hear(&busy).is(&["ACK"], &[]);
    assert_eq!(bench.leg.state(), LegState::Ended);
}

#[test]
fn a_ringing_call_is_cancelled() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 180, "bob", &[], ""));
    let heard = bench.told(|leg, now| leg.hang_up(Some(Cause::NO_ANSWER), now)).is(&["CANCEL"], &[]);
    let cancel = heard.message("CANCEL").clone();
    assert_eq!((cancel.top_branch(), cancel.cseq(), cancel.to_tag()), (invite.top_branch(), 1, ""));
    assert_eq!(cancel.request_uri(), invite.request_uri());
    assert_eq!(cancel.vias(), invite.vias());
    assert_eq!(cancel.header("Reason"), Some("Q.850;cause=19"));
    assert_eq!(bench.until(600).lines(), ["CANCEL"]);
    bench.hear(&answer(&cancel, 200, "bob", &[], "")).is(&[], &[]);
    bench.hear(&answer(&invite, 487, "bob", &[], "")).is(&["ACK"], &[Event::Ended]);
    assert_eq!(bench.leg.deadline(), None);
}

#[test]
fn a_cancel_waits_for_a_sign_of_life() {
    let (mut bench, invite) = Bench::calling();
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[]);
    assert_eq!(bench.until(600).lines(), ["INVITE"]);
    bench.hear(&answer(&invite, 100, "", &[], "")).is(&["CANCEL"], &[]);

    let (mut bench, _) = Bench::calling();
    bench.told(|leg, now| leg.hang_up(None, now)).is(&[], &[]);
    assert_eq!(bench.until(40_000).events, [Event::Ended]);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 180, "bob", &[], ""));
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["CANCEL"], &[]);
    let heard = bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER)).is(&["ACK", "BYE"], &[]);
    let bye = heard.message("BYE").clone();
    assert_eq!((bye.to_tag(), bye.cseq()), ("bob", 2));
    bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER)).is(&["ACK"], &[]);
    bench.hear(&answer(&bye, 200, "", &[], "")).is(&[], &[Event::Ended]);
}

#[test]
fn a_cancelled_invite_without_final_answer_ends_all_the_same() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 180, "bob", &[], ""));
    bench.told(|leg, now| leg.hang_up(None, now));
    assert_eq!(bench.until(40_000).events, [Event::Ended]);
}

#[test]
fn a_hang_up_before_acknowledging_does_both() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER));
    bench.told(|leg, now| leg.hang_up(None, now)).is(&["ACK", "BYE"], &[]);
}

#[test]
fn a_second_fork_is_acknowledged_and_hung_up() {
    for early in [true, false] {
        let (mut bench, invite) = Bench::calling();
        bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER));
        if !early {
            bench.told(|leg, now| leg.acknowledge(now));
        }
        let carol = "Contact: <sip:carol@198.51.100.77:5077>";
        let other =
            answer(&invite, 200, "carol", &[carol, "Record-Route: <sip:b.example;lr>, <sip:a.example;lr>"], OFFER);
        let heard = bench.hear(&other).is(&["ACK", "BYE"], &[]);
        let bye = heard.message("BYE").clone();
        assert_eq!((bye.to_tag(), bye.request_uri()), ("carol", "sip:carol@198.51.100.77:5077"));
        assert_eq!(bye.headers("Route").collect::<Vec<_>>(), ["<sip:a.example;lr>", "<sip:b.example;lr>"]);
        bench.hear(&other).is(&["ACK"], &[]);
        bench.hear(&answer(&bye, 200, "", &[], "")).is(&[], &[]);
        assert_ne!(bench.leg.state(), LegState::Ended);
    }
}

#[test]
fn the_route_set_is_reversed_and_used() {
    let (mut bench, invite) = Bench::calling();
    let routes = ["Record-Route: <sip:p2.example.net;lr>", "Record-Route: <sip:198.51.100.9:5090;lr>", BOB];
    bench.hear(&answer(&invite, 200, "bob", &routes, OFFER));
    let heard = bench.told(|leg, now| leg.acknowledge(now));
    let ack = heard.message("ACK");
    assert_eq!(ack.headers("Route").collect::<Vec<_>>(), ["<sip:198.51.100.9:5090;lr>", "<sip:p2.example.net;lr>"]);
    assert_eq!(heard.sent[0].1, addr("198.51.100.9:5090"));
}

/// A carrier that describes itself in its 183 alone: a person who had answered was hung up on.
#[test]
fn a_200_without_a_description_has_that_of_its_183() {
    let other = OFFER.replace("4000", "4444");
    let heard = |tags: &[(&str, &str)], tag: &str, body: &str| {
        let (mut bench, invite) = Bench::calling();
        bench.hear(&answer(&invite, 180, "bob", &[], ""));
        for (tag, sdp) in tags {
            bench.hear(&answer(&invite, 183, tag, &[], sdp));
        }
        let events = bench.hear(&answer(&invite, 200, tag, &[BOB], body)).events;
        let remote = bench.leg.dialog().remote_sdp;
        assert_eq!(events, [Event::Answered { sdp: remote.clone().into() }]);
        remote
    };
    assert_eq!(heard(&[("bob", OFFER)], "bob", ""), OFFER);
    assert_eq!(heard(&[("bob", OFFER), ("bob", &other)], "bob", ""), other, "the newest");
    assert_eq!(heard(&[("bob", OFFER)], "bobby", ""), OFFER, "one whose tag changes on the way");
    assert_eq!(heard(&[("bob", OFFER), ("carol", &other)], "carol", ""), other);
    assert_eq!(heard(&[("bob", OFFER), ("carol", &other)], "dave", ""), "", "whose it is nobody can tell");
    assert_eq!(heard(&[("bob", OFFER)], "bob", &other), other, "what the answer says counts");
    assert_eq!(heard(&[], "bob", ""), "");

    // A re-INVITE that is answered without one changes nothing of the far end's.
    let (mut bench, _) = confirmed_dial();
    let again = bench.told(|leg, now| leg.reinvite(OURS.to_owned(), now)).message("INVITE").clone();
    let done = Event::ReinviteDone { ok: Ok(OFFER.into()) };
    bench.hear(&answer(&again, 200, "bob", &[BOB], "")).is(&["ACK"], &[done]);
}

#[test]
fn a_target_with_a_name_falls_back_on_the_address_we_know() {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 200, "bob", &["Contact: <sip:bob@phone.example.com>"], OFFER));
    let heard = bench.told(|leg, now| leg.acknowledge(now));
    assert_eq!(heard.message("ACK").request_uri(), "sip:bob@phone.example.com");
    assert_eq!(heard.sent[0].1, outgoing().destination);
}

/// A phone behind a NAT got the INVITE, and its ACK and BYE went to the address inside: it repeated its 200 for 32 s.
#[test]
fn the_whole_dialog_with_a_phone_behind_a_nat_goes_the_way_it_was_called_by() {
    let inside = ["Contact: <sip:bob@10.9.8.7:5062>"];
    let (mut bench, invite) = Bench::calling();
    bench.leg = bench.leg.reached(Reached::ByFlow);
    let flow = outgoing().destination;
    let goes_there = |heard: &far::Heard| assert!(heard.sent.iter().all(|(_, to, _)| *to == flow), "{:?}", heard.sent);
    bench.hear(&answer(&invite, 200, "bob", &inside, OFFER));
    let heard = bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    assert_eq!(heard.message("ACK").request_uri(), "sip:bob@10.9.8.7:5062");
    goes_there(&heard);
    // The second of two phones that answer goes the same way.
    goes_there(&bench.hear(&answer(&invite, 200, "carol", &inside, OFFER)).is(&["ACK", "BYE"], &[]));
    let mut adopted = Bench::restored(bench.leg.dialog());
    adopted.leg = adopted.leg.reached(Reached::ByFlow);
    for bench in [&mut bench, &mut adopted] {
        goes_there(&bench.told(|leg, now| leg.probe(now)).is(&["OPTIONS"], &[]));
        let heard = bench.told(|leg, now| leg.reinvite(OURS.to_owned(), now)).is(&["INVITE"], &[]);
        goes_there(&heard);
        let again = heard.message("INVITE").clone();
        goes_there(&bench.hear(&answer(&again, 200, "bob", &inside, OFFER)));
    }
    // Its NAT gives it another port: it is followed.
    let moved = addr("198.51.100.7:6161");
    bench.hear_from(&callee_request(&invite, "OPTIONS", 7, "z9hG4bKoptions", &[], ""), moved);
    let heard = bench.told(|leg, now| leg.hang_up(None, now)).is(&["BYE"], &[]);
    assert_eq!(heard.sent[0].1, moved);
}

/// A phone's Contact in its 200, or a Record-Route, was a way to have us send to a carrier, and to connect to what only we
/// can reach. A carrier is sent to as RFC 3261 section 12.2.1.1 has it.
#[test]
fn a_phone_says_at_which_port_of_its_host_it_is_and_nothing_of_other_hosts() {
    let flow = outgoing().destination;
    let (host, elsewhere) = (flow.addr.ip(), ([198, 51, 100, 99], 5090));
    let (udp_port, tcp_port) = (Far::udp((host, 5090)), Far::tcp((host, 5090)));
    let contact = |host: &str| format!("Contact: <sip:bob@{host}>");
    let route = |host: &str| format!("Record-Route: <sip:{host};lr>");
    let (there, beside) = ("198.51.100.99:5090", format!("{host}:5090"));
    use Reached::{AsItSays, ByFlow, OnItsHost};
    for (reached, lines, to) in [
        (AsItSays, [contact(there), String::new()], Far::udp(elsewhere)),
        (AsItSays, [contact("10.9.8.7"), route(there)], Far::udp(elsewhere)),
        (AsItSays, [contact(&format!("{there};transport=tcp")), String::new()], Far::tcp(elsewhere)),
        (OnItsHost, [contact(there), String::new()], flow),
        (OnItsHost, [contact(&format!("{there};transport=tcp")), String::new()], flow),
        (OnItsHost, [contact(&beside), route(there)], flow),
        (OnItsHost, [contact(&beside), String::new()], udp_port),
        (OnItsHost, [contact(&format!("{beside};transport=tcp")), String::new()], tcp_port),
        (OnItsHost, [contact("10.9.8.7"), route(&beside)], udp_port),
        (ByFlow, [contact(there), route(there)], flow),
        (ByFlow, [contact(there), route(&format!("{there};transport=tcp"))], flow),
        (ByFlow, [contact("10.9.8.7"), route(&beside)], udp_port),
    ] {
        let (mut bench, invite) = Bench::calling();
        bench.leg = bench.leg.reached(reached);
        let extra: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        bench.hear(&answer(&invite, 200, "bob", &extra, OFFER));
        for method in ["ACK", "BYE"] {
            let heard =
                bench.told(|leg, now| if method == "ACK" { leg.acknowledge(now) } else { leg.hang_up(None, now) });
            let (_, sent_to, _) = heard.is(&[method], &[]).sent[0].clone();
            assert_eq!(sent_to, to, "{reached:?} {extra:?}");
        }
    }
}

#[test]
fn answers_of_another_dialog_are_ignored() {
    let (mut bench, invite) = Bench::calling();
    let ok = answer(&invite, 200, "bob", &[BOB], OFFER);
    bench.hear(&ok.replace("Call-ID: out-5-0", "Call-ID: other")).is(&[], &[]);
    bench.hear(&ok.replace(invite.from_tag(), "forged")).is(&[], &[]);
    bench.hear(&ok.replace(invite.top_branch(), "z9hG4bKother")).is(&[], &[]);
    assert_eq!(bench.leg.state(), LegState::Early);
    bench.hear(&callee_request(&invite, "BYE", 1, "z9hG4bKbye", &[], "")).is(&["481 BYE"], &[]);
}

/// Who has seen our INVITE on its way, or knows its branch by any means, says nothing in the far end's name.
#[test]
fn an_answer_counts_only_from_where_its_request_went() {
    let elsewhere = addr("203.0.113.66:5070");
    let (mut bench, invite) = Bench::calling();
    for status in [180, 200, 486] {
        bench.hear_from(&answer(&invite, status, "eve", &[BOB], OFFER), elsewhere).is(&[], &[]);
    }
    assert_eq!(bench.until(500).lines(), ["INVITE"], "it is as if nothing had come");
    let another_port = addr("198.51.100.7:40000");
    bench.hear_from(&answer(&invite, 180, "bob", &[], ""), another_port).is(&[], &[Event::Ringing { status: 180 }]);
    bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER)).is(&[], &[Event::Answered { sdp: OFFER.into() }]);
    bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    // Nor does it reflect ACKs and BYEs to whom a stranger names as another fork.
    let fork = answer(&invite, 200, "fork", &["Contact: <sip:v@203.0.113.99:5070>"], OFFER);
    bench.hear_from(&fork, elsewhere).is(&[], &[]);
    bench.hear(&fork).is(&["ACK", "BYE"], &[]);

    let (mut bench, _) = confirmed_dial();
    let bye = bench.told(|leg, now| leg.hang_up(None, now)).message("BYE").clone();
    bench.hear_from(&answer(&bye, 200, "", &[], ""), elsewhere).is(&[], &[]);
    bench.hear(&answer(&bye, 200, "", &[], "")).is(&[], &[Event::Ended]);
}
