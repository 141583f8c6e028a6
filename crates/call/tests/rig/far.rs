//! A far end: it speaks SIP text of its own making, hears text, and follows the dialog like any phone.

use strowger_model::Far;
use strowger_sip::Message;

use super::sample;

/// The host that any live node answers.
pub const HOST: &str = "192.0.2.100:5060";

pub struct FarEnd {
    name: &'static str,
    /// Requests that came here, oldest first.
    heard: Vec<Message>,
    /// Our side's tag in the dialog that this far end opened.
    their_tag: String,
    /// The Contact it was last given.
    target: Option<String>,
    cseq: u32,
    /// CSeq, branch and text of its last INVITE; what it said last of each kind.
    invite: (u32, String),
    said: Vec<(String, String)>,
}

/// Words of a step behind the method or status: `sdp=hold`, `key=5`, `tag=fork`, `cseq=9`, `again`.
pub struct Extra<'a>(pub &'a [&'a str]);

impl<'a> Extra<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }
}

impl FarEnd {
    pub fn new(name: &'static str) -> Self {
        let cseq = if name == "caller" { 10 } else { 0 };
        let invite = (cseq, String::new());
        Self { name, heard: Vec::new(), their_tag: String::new(), target: None, cseq, invite, said: Vec::new() }
    }

    pub fn far(&self) -> Far {
        Far::udp(sample::addr(self.name))
    }

    /// What was sent to it.
    pub fn hear(&mut self, message: &Message) {
        if let Some(contact) = message.contact_uri() {
            self.target = Some(contact.to_owned());
        }
        if message.is_request() {
            self.heard.push(message.clone());
        } else if message.status() > 100 && !message.to_tag().is_empty() {
            self.their_tag = message.to_tag().to_owned();
        }
    }

    /// Whether a call came here under this Call-ID, and whether any came.
    pub fn has_heard_call(&self, call_id: &str) -> bool {
        self.heard.iter().any(|heard| heard.call_id() == call_id)
    }

    pub fn has_heard_calls(&self) -> bool {
        !self.heard.is_empty()
    }

    /// The text of `INVITE`, `BYE` or `200 INVITE` as this far end says it now.
    pub fn say(&mut self, what: &str, extra: &Extra<'_>) -> String {
        let kind = what.to_owned();
        if extra.has("again") {
            let said = self.said.iter().rev().find(|(known, _)| *known == kind);
            return said.unwrap_or_else(|| panic!("{} has not said {what} yet", self.name)).1.clone();
        }
        let text = match what.split_once(' ') {
            Some((status, to)) => self.answer(status, to, extra),
            None => self.request(what, extra),
        };
        self.said.push((kind, text.clone()));
        text
    }

    fn request(&mut self, method: &str, extra: &Extra<'_>) -> String {
        let cseq = match (extra.get("cseq"), method) {
            (Some(cseq), _) => cseq.parse().expect("a CSeq"),
            (None, "ACK" | "CANCEL") => self.invite.0,
            (None, _) => self.cseq + 1,
        };
        let branch = match (extra.get("branch"), method) {
            (Some(branch), _) => format!("z9hG4bK-{branch}"),
            (None, "CANCEL") => self.invite.1.clone(),
            (None, _) => format!("z9hG4bK-{}-{method}-{cseq}", self.name),
        };
        if method != "ACK" {
            self.cseq = self.cseq.max(cseq);
        }
        if method == "INVITE" {
            self.invite = (cseq, branch.clone());
        }
        let opening = method == "INVITE" && self.target.is_none();
        let number = extra.get("to").unwrap_or("+49800100");
        let uri = match &self.target {
            Some(target) if method != "CANCEL" => target.clone(),
            _ => format!("sip:{number}@{HOST}"),
        };
        let (from, to, call_id) = self.sides(number, opening || method == "CANCEL");
        let key = extra.get("key").map(|key| format!("Signal={key}\r\nDuration=160\r\n"));
        let usual = if matches!(method, "INVITE" | "UPDATE") { "plain" } else { "none" };
        let body = sdp(extra.get("sdp").unwrap_or(usual));
        let host = sample::contact(self.name);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{}@{host}>\r\n{}",
            self.name,
            key.map_or_else(|| with_body(&body), |key| with_type("application/dtmf-relay", &key))
        )
    }

    /// From, To and Call-ID of a request: of the dialog it opened, or of the newest that was opened to it.
    fn sides(&self, number: &str, without_tag: bool) -> (String, String, String) {
        let invite = self.heard.iter().rev().find(|heard| heard.method() == "INVITE" && heard.to_tag().is_empty());
        if let Some(invite) = invite {
            let from = format!("<{}>;tag={}", invite.to_uri(), self.name);
            return (from, header(invite, "From"), invite.call_id().to_owned());
        }
        let tag = if without_tag || self.their_tag.is_empty() { "".into() } else { format!(";tag={}", self.their_tag) };
        let to = format!("<sip:{number}@{HOST}>{tag}");
        (format!("<sip:+493012@carrier.example>;tag={}", self.name), to, format!("from-{}", self.name))
    }

    /// `to` is a method, or `INVITE#2` for the second one that came.
    fn answer(&self, status: &str, to: &str, extra: &Extra<'_>) -> String {
        let (method, nth) = to.split_once('#').map_or((to, None), |(method, nth)| (method, nth.parse::<usize>().ok()));
        let known: Vec<&Message> = self.heard.iter().filter(|heard| heard.method() == method).collect();
        let found = nth.map_or(known.last(), |nth| known.get(nth - 1));
        let request = found.unwrap_or_else(|| panic!("{} has heard no {to}", self.name));
        let tag = extra.get("tag").unwrap_or(self.name);
        let tag = if status == "100" || !request.to_tag().is_empty() { "".into() } else { format!(";tag={tag}") };
        let reason = extra.get("reason").map(|cause| format!("Reason: Q.850;cause={cause}\r\n")).unwrap_or_default();
        let body = match (extra.get("sdp"), status.starts_with('2') && method == "INVITE") {
            (Some(kind), _) => sdp(kind),
            (None, true) => sdp("plain"),
            (None, false) => String::new(),
        };
        format!(
            "SIP/2.0 {status} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n\
             Contact: <sip:{}@{}>\r\n{reason}{}",
            header(request, "Via"),
            header(request, "From"),
            header(request, "To"),
            request.call_id(),
            request.cseq(),
            self.name,
            sample::contact(self.name),
            with_body(&body)
        )
    }
}

fn header(message: &Message, name: &str) -> String {
    message.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn with_body(body: &str) -> String {
    if body.is_empty() { "Content-Length: 0\r\n\r\n".into() } else { with_type("application/sdp", body) }
}

fn with_type(kind: &str, body: &str) -> String {
    format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn sdp(kind: &str) -> String {
    let (port, tail) = match kind {
        "none" => return String::new(),
        "bad" => return "v=0\r\nm=video 4000 RTP/AVP 96\r\n".into(),
        "plain" => (4000, "RTP/AVP 8"),
        "moved" => (4444, "RTP/AVP 8"),
        "hold" => (4000, "RTP/AVP 8\r\na=sendonly"),
        "listens" => (4000, "RTP/AVP 8\r\na=recvonly"),
        "deaf" => (4000, "RTP/AVP 8\r\na=inactive"),
        "zero" | "v6" | "refused" | "forbidden" => (4000, "RTP/AVP 8\r\na=sendrecv"),
        _ => panic!("no such SDP: {kind}"),
    };
    let host = match kind {
        "zero" => "0.0.0.0",
        "v6" => "2001:db8::99",
        "refused" => sample::REFUSED,
        "forbidden" => sample::FORBIDDEN,
        _ => "198.51.100.99",
    };
    let version = if host.contains(':') { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=far 1 1 IN {version} {host}\r\ns=-\r\nc=IN {version} {host}\r\nt=0 0\r\nm=audio {port} {tail}\r\n"
    )
}
