//! An agent's registration (RFC 3261 section 10), kept alive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::leg::LegKey;
use crate::options::AgentSpec;
use crate::sip::client::Owner;
use crate::sip::digest::{Challenge, Login};
use crate::sip::draft::Draft;
use crate::sip::message::{Message, parameter};
use crate::sip::wire::Wire;
use crate::timers::Timer;

/// What a phone asks for, in seconds; it renews after half of what it is granted.
const EXPIRES_S: u64 = 300;
/// Challenges in a row that are answered: the second may replace a nonce that has just grown stale.
const CHALLENGES: u8 = 2;
/// How long to wait after a failure: short, for the agents of a cluster that has just lost a node want to be back,
/// and spread, so that they do not all come at once.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// The longest Retry-After a phone obeys, in seconds.
const RETRY_AFTER_MAX_S: u64 = 60;

pub(crate) struct Agent {
    pub spec: Arc<AgentSpec>,
    pub current: Option<LegKey>,
    index: usize,
    socket: usize,
    call_id: String,
    tag: String,
    cseq: u32,
    expires_s: u64,
    challenges: u8,
    registered_until: Option<Instant>,
}

impl Agent {
    pub fn new(wire: &mut Wire, index: usize, socket: usize, spec: AgentSpec) -> Self {
        Self {
            spec: Arc::new(spec),
            current: None,
            index,
            socket,
            call_id: wire.random.token(),
            tag: wire.random.token(),
            cseq: 0,
            expires_s: EXPIRES_S,
            challenges: 0,
            registered_until: None,
        }
    }

    pub fn is_registered(&self, now: Instant) -> bool {
        self.registered_until.is_some_and(|until| now < until)
    }

    pub fn register(&mut self, wire: &mut Wire, now: Instant) {
        self.challenges = 0;
        self.send(wire, None, now);
    }

    pub fn on_answer(&mut self, wire: &mut Wire, answer: &Message, now: Instant) {
        match answer.status().unwrap_or_default() {
            ..200 => {}
            200..300 => {
                let granted = self.granted_s(wire, answer).max(1);
                self.registered_until = Some(now + Duration::from_secs(granted));
                wire.timers.set(now + Duration::from_millis(granted * 500), Timer::Register(self.index));
            }
            status @ (401 | 407) => {
                let (asks, answers) = match status {
                    401 => ("www-authenticate", "Authorization"),
                    _ => ("proxy-authenticate", "Proxy-Authorization"),
                };
                self.challenges += 1;
                match Challenge::strongest(answer.all(asks)).filter(|_| self.challenges <= CHALLENGES) {
                    Some(challenge) => self.send(wire, Some((answers, challenge)), now),
                    None => {
                        tracing::warn!(user = self.spec.user, status, "the phone's password is not accepted");
                        self.retry(wire, None, now);
                    }
                }
            }
            423 => {
                let least = answer.header("min-expires").and_then(|text| text.parse().ok());
                self.expires_s = least.unwrap_or(EXPIRES_S).max(self.expires_s);
                self.retry(wire, None, now);
            }
            _ => {
                let after = answer.header("retry-after").and_then(|text| {
                    let number = text.split(|c: char| !c.is_ascii_digit()).next()?;
                    number.parse().ok()
                });
                self.retry(wire, after, now);
            }
        }
    }

    pub fn on_unanswered(&mut self, wire: &mut Wire, now: Instant) {
        self.retry(wire, None, now);
    }

    fn retry(&mut self, wire: &mut Wire, after_s: Option<u64>, now: Instant) {
        let wait = wire.random.between(RETRY.0, RETRY.1);
        let asked = Duration::from_secs(after_s.unwrap_or(0).min(RETRY_AFTER_MAX_S));
        wire.timers.set(now + wait.max(asked), Timer::Register(self.index));
    }

    fn send(&mut self, wire: &mut Wire, challenge: Option<(&'static str, Challenge)>, now: Instant) {
        self.cseq += 1;
        let AgentSpec { user, password, domain, .. } = &*self.spec;
        let uri = format!("sip:{domain}");
        let record = format!("<sip:{user}@{domain}>");
        let mut extra = vec![("Expires", self.expires_s.to_string())];
        if let Some((header, challenge)) = challenge {
            let cnonce = wire.random.token();
            let login = Login { user, password, method: "REGISTER", uri: &uri, cnonce: &cnonce };
            extra.push((header, challenge.answer(&login)));
        }
        let draft = Draft {
            method: "REGISTER",
            uri,
            routes: Vec::new(),
            from: format!("{record};tag={}", self.tag),
            to: record,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            contact: Some(self.contact(wire)),
            extra,
            sdp: None,
        };
        wire.request(draft, self.socket, wire.server, Owner::Registration(self.index), now);
    }

    fn contact(&self, wire: &Wire) -> String {
        format!("<sip:{}@{}>", self.spec.user, wire.address(self.socket))
    }

    /// Of the contacts in the answer one is this phone's; its `expires` beats the header.
    fn granted_s(&self, wire: &Wire, answer: &Message) -> u64 {
        let here = wire.address(self.socket).to_string();
        let own = answer.list("contact").into_iter().find(|contact| contact.contains(&here));
        own.and_then(|contact| parameter(contact, "expires"))
            .or_else(|| answer.header("expires"))
            .and_then(|text| text.parse().ok())
            .unwrap_or(self.expires_s)
    }
}
