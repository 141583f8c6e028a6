//! What the cluster says at its door, to those it does not serve and while it cannot serve.

mod rig;

use std::time::{Duration, Instant};

use rig::desk::Desk;
use rig::far::Caller;
use rig::house::{NUMBER, PASSWORD};
use rig::sip::{Message, Wire};
use rig::{House, Plan, Rig, until, until_within};
use serde_json::json;

/// Long enough for an answer and for the repeat of one that was lost.
const WHILE: Duration = Duration::from_millis(1500);

/// One node suffices for what is answered without a call.
fn one_node(house: &House) -> Rig {
    Rig::start(Plan::of(1, 1), house)
}

/// Wrong passwords that are answered.
const TRIES: u16 = 10;

/// A request in a dialog that never was.
fn stray(wire: &Wire, method: &str, to_tag: &str) -> String {
    let at = wire.address();
    format!(
        "{method} sip:{NUMBER}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKstray{method};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+49301@{at}>;tag=stray\r\nTo: <sip:{NUMBER}@127.0.0.1>{to_tag}\r\n\
         Call-ID: stray-{method}@far.example\r\nCSeq: 7 {method}\r\nContact: <sip:x@{at}>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn answer_to(rig: &Rig, text: &str, wire: &mut Wire) -> Message {
    wire.send(rig.own(1), text);
    wire.expect("an answer", |message| message.status() >= 200)
}

/// The same from an address that is no trunk's and no phone's.
fn says_nothing_to_strangers(rig: &Rig, texts: &[String]) {
    let mut stranger = Wire::open_at([127, 0, 0, 66]);
    for text in texts {
        stranger.send(rig.own(1), text);
    }
    let heard = stranger.within(WHILE, |_| true);
    assert!(heard.is_none(), "a scanner was answered: {heard:#?}");
}

/// The tag with another last digit in its MAC.
fn forged(tag: &str) -> String {
    let (token, salt) = tag.split_once('.').expect("a tag of ours");
    let last = u32::from_str_radix(&token[token.len() - 1..], 16).expect("a digit") ^ 1;
    format!("{}{last:x}.{salt}", &token[..token.len() - 1])
}

#[test]
fn what_belongs_to_no_call_is_answered_as_rfc_3261_says_and_strangers_are_not() {
    let rig = one_node(&House::new());
    let mut over = Caller::new(&rig, "over");
    let tag = over.connect(rig.own(1)).to_tag().to_owned();
    let bye = over.bye(rig.own(1));
    over.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    rig.record_of(&over.call_id);
    rig.until_at_rest();
    let (ours, forged) = (format!(";tag={tag}"), format!(";tag={}", forged(&tag)));
    let mut wire = Wire::open();
    let mut texts = Vec::new();
    for (method, to_tag, status) in [
        ("BYE", ";tag=nobodys", 481),
        // A tag of ours whose call is gone: the hang-up is granted, so that the far end comes to rest.
        ("BYE", &ours, 200),
        ("INFO", &ours, 481),
        ("BYE", &forged, 481),
        ("INVITE", ";tag=nobodys", 481),
        ("CANCEL", "", 481),
        ("OPTIONS", "", 200),
        ("SUBSCRIBE", "", 405),
        ("MESSAGE", "", 405),
    ] {
        let text = stray(&wire, method, to_tag);
        let answer = answer_to(&rig, &text, &mut wire);
        assert_eq!(answer.status(), status, "{method}{to_tag}: {}", answer.first);
        assert_eq!(answer.header("cseq"), format!("7 {method}"));
        assert_eq!(answer.header("call-id"), format!("stray-{method}@far.example"));
        assert!(!answer.to_tag().is_empty(), "a final answer has a To tag (RFC 3261 8.2.6.2): {answer:#?}");
        if status == 405 || method == "OPTIONS" {
            let allow = answer.header("allow");
            assert!(allow.contains("INVITE") && !allow.contains(method) | (status == 200), "Allow: {allow}");
        }
        // Who was told a token by us may use it from wherever it is.
        if to_tag != ours {
            texts.push(text);
        }
    }
    says_nothing_to_strangers(&rig, &texts);
    assert!(rig.records().len() == 1 && rig.live_calls().is_empty());
}

/// A stranger knows all of an INVITE to an agent's phone but where it went, or all but the MAC in its branch.
#[test]
fn nobody_but_the_phone_that_rings_answers_for_it() {
    let mut desk = Desk::new();
    let rig = one_node(&House::new().phone_at("1001", desk.wire.address()));
    let mut caller = Caller::new(&rig, "hijacked");
    caller.connect(rig.own(1));
    let invite = desk.rung();
    let branch = invite.vias().next().and_then(|via| via.split("branch=").nth(1)?.split(';').next()).expect("a branch");
    let mut stranger = Wire::open_at([127, 0, 0, 66]);
    for status in [200, 486] {
        let seen = desk.words(&invite, status, "Mine", "");
        stranger.send(rig.own(1), &seen);
        let guessed = seen.replace(branch, &forged(branch));
        assert_ne!(guessed, seen);
        stranger.send(rig.own(1), &guessed);
        // Also where the phone is: somebody who forges its address.
        desk.wire.send(rig.own(1), &guessed);
    }
    assert!(stranger.is_quiet(WHILE, |_| true), "a stranger was acknowledged");
    assert!(desk.wire.is_quiet(WHILE, |message| message.is_request("ACK")), "a guess was acknowledged");
    assert_eq!(rig.agent("1001")["state"], "offered", "it rings on");
    desk.takes_media_of(&rig);
    desk.answer(rig.own(1), 200, "OK");
    desk.wire.expect("the ACK", |message| message.is_request("ACK"));
    let bye = caller.bye(rig.own(1));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    assert_eq!(rig.record_of(&caller.call_id)["outcome"], "answered");
}

/// Who has an agent's password, or guessed it, has the cluster call nobody but his own phone.
#[test]
fn a_phone_is_not_called_at_a_carrier_nor_inside() {
    let mut house = House::new().registers("1001", true);
    house.digest = "sha-256";
    house.sources = "\"127.0.0.1\", \"192.0.2.10\"".to_owned();
    let rig = one_node(&house);
    let mut desk = Desk::new();
    for (contact, why) in [
        ("sip:+88213000001@192.0.2.10:24510;transport=tcp".to_owned(), "a carrier's address"),
        (format!("sip:+88213000001@{};transport=tcp", rig.shared()), "this server"),
        ("sip:1001@127.0.0.200:24777;transport=tcp".to_owned(), "nobody else reaches"),
    ] {
        let refused = desk.refused_to_register(rig.own(1), "1001", &format!("<{contact}>"), 403);
        assert!(refused.header("warning").contains(why), "{refused:#?}");
    }
    assert_eq!(rig.agent("1001")["state"], "logged_out");
    let contact = format!("<sip:1001@{}>", desk.wire.address());
    desk.register(rig.own(1), "1001", &contact, 600);
    until("the phone is known", || rig.agent("1001")["state"] == "idle");
}

/// Ten tries, whichever nodes they come to; whose phone it is hears nothing of it.
#[test]
fn who_guesses_at_a_password_hears_nothing_more_at_any_node() {
    let mut house = House::new().registers("1001", true).registers("1002", true);
    house.digest = "sha-256";
    let rig = Rig::start(Plan::of(3, 1), &house);
    let mut owner = Desk::new();
    let contact = format!("<sip:1001@{}>", owner.wire.address());
    owner.register(rig.own(1), "1001", &contact, 600);
    let mut guesser = Desk::at([127, 0, 0, 66]);
    for no in 0..TRIES {
        let node = rig.own(1 + no % 3);
        assert_eq!(guesser.guess(node, "1001", &format!("guess-{no}"), WHILE), Some(401), "try {no}");
    }
    let all_know = || (1..=3).all(|node| rig.metrics(node).contains(&format!("wrong_passwords_total {TRIES}")));
    until_within(Duration::from_secs(1), "all nodes have heard of each", all_know);
    for node in 1..=3 {
        assert_eq!(guesser.guess(rig.own(node), "1001", PASSWORD, WHILE), None, "the right one, too late");
    }
    assert_eq!(guesser.guess(rig.own(1), "1002", PASSWORD, WHILE), Some(200), "somebody else behind that NAT");
    owner.register(rig.own(2), "1001", &contact, 600);
    let silenced = &rig.get("/api/v1/silenced")["addresses"];
    assert_eq!((&silenced[0]["address"], &silenced[0]["accounts"]), (&"127.0.0.66".into(), &1.into()), "{silenced}");
    rig.post("/api/v1/silenced/lift", &json!({ "address": "127.0.0.66" }));
    let heard = || guesser.guess(rig.own(3), "1001", PASSWORD, WHILE) == Some(200);
    until_within(Duration::from_secs(5), "it is heard again, by each node", heard);
    // A guesser beside the phone itself slows it down and does not lock it out.
    let mut beside = Desk::new();
    for no in 0..TRIES {
        let heard = beside.guess(rig.own(3), "1001", &format!("guess-{no}"), WHILE);
        assert_eq!(heard, Some(401), "try {no}");
    }
    owner.register(rig.own(3), "1001", &contact, 600);
    assert!(rig.metrics(1).contains("strowger_sip_silenced_total"));
}

#[test]
fn a_malformed_request_is_told_so_and_noise_is_not_answered() {
    let rig = one_node(&House::new());
    let mut wire = Wire::open();
    let good = stray(&wire, "INVITE", "");
    let mut texts = Vec::new();
    for (what, text) in [
        ("no address in From", good.replace("From: <sip:", "From: <")),
        ("CSeq of another method", good.replace("CSeq: 7 INVITE", "CSeq: 7 BYE")),
        ("no CSeq number", good.replace("CSeq: 7 INVITE", "CSeq: x INVITE")),
        ("a body shorter than it says", good.replace("Content-Length: 0", "Content-Length: 99")),
    ] {
        assert_eq!(answer_to(&rig, &text, &mut wire).status(), 400, "{what}");
        texts.push(text);
    }
    texts.push(good.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"));
    assert_eq!(answer_to(&rig, texts.last().expect("it was pushed"), &mut wire).status(), 505);
    texts.push(good.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    texts.push(good.replace("Max-Forwards: 70", "Max-Forwards: 70\r\nRequire: x"));
    says_nothing_to_strangers(&rig, &texts);
    // Without a Call-ID there is nothing an answer could be found by.
    wire.send(rig.own(1), &good.replace("Call-ID: stray-INVITE@far.example\r\n", ""));
    for noise in ["\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{0}\u{1}\u{2}", "SIP/2.0 200 OK\r\n\r\n"] {
        wire.send(rig.own(1), noise);
    }
    assert!(wire.is_quiet(WHILE, |_| true), "noise was answered");
    // And the node is none the worse for it.
    let ask = stray(&wire, "OPTIONS", "");
    assert_eq!(answer_to(&rig, &ask, &mut wire).status(), 200);
}

#[test]
fn an_unknown_number_is_404_and_a_stranger_hears_nothing() {
    let rig = one_node(&House::new());
    let mut caller = Caller::new(&rig, "wrong-number").dial("+4930999999");
    caller.invite(rig.own(1));
    let refused = caller.wire.expect("404", |message| message.answers(404, "1 INVITE"));
    caller.ack(rig.own(1), &refused);
    // Loopback has more addresses than the one that the trunk has.
    let mut stranger = Caller::from(&rig, "stranger", [127, 0, 0, 2]);
    stranger.invite(rig.own(1));
    stranger.cancel(rig.own(1));
    let heard = stranger.wire.within(WHILE, |message| message.header("cseq").ends_with("INVITE"));
    assert!(heard.is_none(), "a scanner was answered: {heard:#?}");
    assert!(rig.records().is_empty() && rig.live_calls().is_empty());
}

#[test]
fn beyond_the_trunks_rate_callers_are_told_when_to_come_again() {
    let mut house = House::new();
    house.max_calls_per_second = 2;
    let rig = one_node(&house);
    let mut callers: Vec<Caller> = (0..12).map(|at| Caller::new(&rig, &format!("burst-{at}"))).collect();
    callers.iter().for_each(|caller| caller.invite(rig.own(1)));
    let (mut answered, mut refused) = (0, 0);
    for caller in &mut callers {
        let answer = caller.wire.expect("an answer", |message| message.status() >= 200);
        match answer.status() {
            200 => answered += 1,
            503 => {
                assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|s| s >= 1), "{answer:#?}");
                refused += 1;
            }
            other => panic!("answered {other}"),
        }
    }
    // A second's worth at once, and what the time of this loop adds.
    assert!((2..=5).contains(&answered) && refused >= 7, "{answered} answered, {refused} refused");
    assert!(rig.metrics(1).contains(&format!("strowger_calls_turned_away_total {refused}")));
}

#[test]
fn without_a_majority_a_node_takes_no_call_and_with_one_again_it_does() {
    let mut rig = Rig::start(Plan::of(3, 1), &House::new());
    let mut before = Caller::new(&rig, "before");
    before.connect(rig.own(1));
    rig.kill(2);
    rig.kill(3);
    until_within(Duration::from_secs(3), "the survivor knows that it is alone", || {
        rig.try_get(1, "/api/v1/status").is_ok_and(|status| status["active"] == false)
    });
    let mut caller = Caller::new(&rig, "alone");
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        caller.invite(rig.own(1));
        let answer = caller.wire.within(Duration::from_millis(500), |message| message.status() >= 100);
        assert!(answer.as_ref().is_none_or(|answer| answer.status() == 503), "{answer:#?}");
    }
    rig.restart(2);
    rig.until_ready(1);
    rig.until_ready(2);
    let mut after = Caller::new(&rig, "after");
    after.connect(rig.own(1));
    let mut other = Caller::new(&rig, "after-too");
    other.connect(rig.own(2));
    // The call from before is still there, and still its caller's to end.
    let bye = before.bye(rig.own(2));
    before.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    for caller in [&mut after, &mut other] {
        let bye = caller.bye(rig.own(1));
        caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    }
    for caller in [&before, &after, &other] {
        assert_eq!(rig.record_of(&caller.call_id)["outcome"], "abandoned");
    }
    rig.until_at_rest();
}
