//! A far end written by hand: it says plain text, hears parsed messages, and its clock stands still until told.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::net::SocketAddr;

use strowger_model::{CallId, Dialog, Far, LegKey, LegNo, Mono, ShardId};
use strowger_sip::{Event, Leg, Local, Message, Out, Outgoing, TokenKeys};

pub const OFFER: &str =
    "v=0\r\no=far 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
pub const OURS: &str =
    "v=0\r\no=- 7 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n";

pub fn key() -> LegKey {
    LegKey { call: CallId::new(ShardId(0), 5), leg: LegNo(0) }
}

pub fn local() -> Local {
    let (contact_host, user_agent) = ("192.0.2.10:5060".to_owned(), "Strowger".to_owned());
    Local { contact_host, user_agent, tokens: tokens() }
}

pub fn tokens() -> TokenKeys {
    TokenKeys::new(&[7; 32], &[])
}

/// The user part of our Contact.
pub fn token() -> String {
    tokens().token(key())
}

pub fn far() -> Far {
    addr("198.51.100.7:5070")
}

/// What the leg did, with the millisecond at which it did it.
#[derive(Default, Debug)]
pub struct Heard {
    pub sent: Vec<(u64, Far, Message)>,
    pub events: Vec<Event>,
}

impl Heard {
    fn take(&mut self, now: Mono, out: Vec<Out>) {
        for out in out {
            match out {
                Out::Send { to, bytes } => {
                    let message = Message::parse(&bytes)
                        .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&bytes)));
                    self.sent.push((now.0 / 1000, to, message));
                }
                Out::Event(event) => self.events.push(event),
            }
        }
    }

    /// "200 INVITE" for an answer, "BYE" for a request.
    pub fn lines(&self) -> Vec<String> {
        self.sent.iter().map(|(_, _, message)| line(message)).collect()
    }

    pub fn times(&self) -> Vec<u64> {
        self.sent.iter().map(|(at, ..)| *at).collect()
    }

    pub fn message(&self, line_wanted: &str) -> &Message {
        let found = self.sent.iter().find(|(_, _, message)| line(message) == line_wanted);
        &found.unwrap_or_else(|| panic!("no {line_wanted} in {:?}", self.lines())).2
    }

    /// It sent exactly these and told exactly these.
    #[track_caller]
    pub fn is(self, lines: &[&str], events: &[Event]) -> Self {
        assert_eq!(self.lines(), lines);
        assert_eq!(self.events, events);
        self
    }
}

pub fn line(message: &Message) -> String {
    if message.is_request() {
        message.method().to_owned()
    } else {
        format!("{} {}", message.status(), message.cseq_method())
    }
}

/// A leg on the bench, with the clock beside it.
pub struct Bench {
    pub leg: Leg,
    pub now: Mono,
}

impl Bench {
    /// The far end called us.
    pub fn called(invite: &str) -> Bench {
        Bench::called_from(invite, far())
    }

    pub fn called_from(invite: &str, source: Far) -> Bench {
        let now = Mono::from_millis(0);
        let invite = Message::parse(invite.as_bytes()).unwrap();
        Bench { leg: Leg::incoming(key(), &invite, source, &local()), now }
    }

    /// We call the far end.
    pub fn calling() -> (Bench, Message) {
        Bench::calling_to(outgoing().destination)
    }

    pub fn calling_to(destination: Far) -> (Bench, Message) {
        let now = Mono::from_millis(0);
        let (leg, out) = Leg::outgoing(key(), Outgoing { destination, ..outgoing() }, &local(), now);
        let mut heard = Heard::default();
        heard.take(now, out);
        let heard = heard.is(&["INVITE"], &[]);
        assert_eq!(heard.sent[0].1, destination);
        (Bench { leg, now }, heard.sent[0].2.clone())
    }

    pub fn restored(row: Dialog) -> Bench {
        let now = Mono::from_millis(0);
        Bench { leg: Leg::restore(key(), row, 1, &local(), now), now }
    }

    pub fn hear(&mut self, text: &str) -> Heard {
        self.hear_from(text, far())
    }

    pub fn hear_from(&mut self, text: &str, source: Far) -> Heard {
        let mut message = Message::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}: {text}"));
        message.fill_received(source.addr);
        let now = self.now;
        self.told(|leg, _| leg.on_message(&message, source, now))
    }

    pub fn told(&mut self, command: impl FnOnce(&mut Leg, Mono) -> Vec<Out>) -> Heard {
        let mut heard = Heard::default();
        let out = command(&mut self.leg, self.now);
        heard.take(self.now, out);
        heard
    }

    /// Let time pass to `ms`, ticking at each deadline.
    pub fn until(&mut self, ms: u64) -> Heard {
        let end = Mono::from_millis(ms);
        let mut heard = Heard::default();
        while let Some(at) = self.leg.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let out = self.leg.tick(self.now);
            heard.take(self.now, out);
        }
        self.now = end;
        heard
    }
}

pub fn outgoing() -> Outgoing {
    Outgoing {
        request_uri: "sip:bob@198.51.100.7:5070".to_owned(),
        to_uri: "sip:bob@example.com".to_owned(),
        from_uri: "sip:100@strowger.example".to_owned(),
        from_display: "The \"Desk\"".to_owned(),
        call_id: "out-5-0".to_owned(),
        destination: addr("198.51.100.7:5070"),
        route_set: Vec::new(),
        sdp: OURS.to_owned(),
        headers: vec![("X-Queue".to_owned(), "sales".to_owned())],
    }
}

/// The far end's call to us: Call-ID `in-1`, tag `far`.
pub fn invite() -> String {
    request("INVITE", 10, "z9hG4bKinvite", "", &[], OFFER)
}

/// A request of the caller.
pub fn request(method: &str, cseq: u32, branch: &str, to_tag: &str, extra: &[&str], body: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    text(
        &format!("{method} sip:100@192.0.2.10 SIP/2.0"),
        branch,
        ("<sip:alice@example.net>;tag=far", &format!("\"Hotline\" <sip:100@192.0.2.10>{tag}")),
        "in-1",
        &format!("{cseq} {method}"),
        extra,
        body,
    )
}

/// A request of the callee in the dialog we opened with `invite`.
pub fn callee_request(invite: &Message, method: &str, cseq: u32, branch: &str, extra: &[&str], body: &str) -> String {
    text(
        &format!("{method} {} SIP/2.0", invite.contact_uri().unwrap()),
        branch,
        ("<sip:bob@example.com>;tag=bob", &format!("<{}>;tag={}", invite.from_uri(), invite.from_tag())),
        invite.call_id(),
        &format!("{cseq} {method}"),
        extra,
        body,
    )
}

fn text(
    start: &str,
    branch: &str,
    sides: (&str, &str),
    call_id: &str,
    cseq: &str,
    extra: &[&str],
    body: &str,
) -> String {
    let extra: String = extra.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 198.51.100.7:5070;branch={branch};rport\r\nMax-Forwards: 70\r\nFrom: {}\r\n\
         To: {}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\nContact: <sip:alice@198.51.100.7:5070>\r\n{extra}\
         Content-Length: {}\r\n\r\n{body}",
        sides.0,
        sides.1,
        body.len()
    )
}

/// The far end's answer to a request of ours.
pub fn answer(request: &Message, status: u16, to_tag: &str, extra: &[&str], body: &str) -> String {
    let to = request.header("To").unwrap();
    let tag = if to_tag.is_empty() || to.contains(";tag=") { String::new() } else { format!(";tag={to_tag}") };
    let extra: String = extra.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n{extra}\
         Content-Length: {}\r\n\r\n{body}",
        request.header("Via").unwrap(),
        request.header("From").unwrap(),
        request.call_id(),
        request.cseq(),
        request.cseq_method(),
        body.len()
    )
}

pub const BOB: &str = "Contact: <sip:bob@198.51.100.7:5070>";

/// A call from the far end, answered and acknowledged; with our tag.
pub fn confirmed_call() -> (Bench, String) {
    let mut bench = Bench::called(&invite());
    let heard = bench.told(|leg, now| leg.accept(OURS.to_owned(), now)).is(&["200 INVITE"], &[]);
    let tag = heard.message("200 INVITE").to_tag().to_owned();
    bench.hear(&request("ACK", 10, "z9hG4bKack", &tag, &[], "")).is(&[], &[Event::Acked]);
    (bench, tag)
}

/// A call of ours, answered and acknowledged; with our INVITE.
pub fn confirmed_dial() -> (Bench, Message) {
    let (mut bench, invite) = Bench::calling();
    bench.hear(&answer(&invite, 200, "bob", &[BOB], OFFER));
    bench.told(|leg, now| leg.acknowledge(now)).is(&["ACK"], &[]);
    (bench, invite)
}

pub fn addr(text: &str) -> Far {
    Far::udp(text.parse::<SocketAddr>().unwrap())
}
