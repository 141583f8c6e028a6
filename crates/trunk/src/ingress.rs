//! What a message is: for a leg of a call, a new call, a registration, or nothing of ours.

use std::sync::{PoisonError, RwLock};

use strowger_model::{Far, LegKey};
use strowger_sip::{Message, TokenKeys, is_keepalive, is_sip, reply, reply_destination, screen};

use crate::known::Known;

/// A message worth somebody's attention.
#[derive(Debug)]
pub struct Incoming {
    /// With `received` and `rport` filled in.
    pub message: Message,
    /// Where it came from.
    pub source: Far,
    /// Whom it is for.
    pub kind: Kind,
}

/// Whom a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Carries the token of a leg: its owner takes it.
    Leg(LegKey),
    /// A call that may be new; a repetition is found by its key.
    Invite,
    /// For an INVITE whose answer it has not seen: found by the INVITE's key.
    Cancel,
    /// A phone that says where it is.
    Register,
}

/// What becomes of a message.
pub(crate) enum Verdict {
    Take(Box<Incoming>),
    /// Answered here, without state.
    Answer {
        to: Far,
        bytes: Vec<u8>,
    },
    Drop(&'static str),
    /// A call of nobody's: counted, and forgotten.
    Stranger,
    /// Not SIP, or so broken that it cannot even be answered.
    Garbage,
}

/// By what messages are told apart.
pub(crate) struct Judge {
    tokens: RwLock<TokenKeys>,
    pub(crate) known: Known,
}

impl Judge {
    pub(crate) fn new(tokens: TokenKeys) -> Self {
        Self { tokens: RwLock::new(tokens), known: Known::default() }
    }

    /// From now on messages are a leg's by these.
    pub(crate) fn renew(&self, tokens: TokenKeys) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    fn leg_of(&self, message: &Message) -> Option<LegKey> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).leg_of(message)
    }

    /// What carries a token of ours was told it by us; a trunk or a phone is known by where it is. Whatever else a message
    /// is, it is a stranger's: nothing of it is kept, passed on or answered. A REGISTER is the exception, and is answered
    /// if there is such a realm: that is how a phone becomes known. An INVITE is counted, and waits nowhere: strangers
    /// take no place among those who are heard.
    pub(crate) fn judge(&self, bytes: &[u8], source: Far) -> Verdict {
        if is_keepalive(bytes) {
            return Verdict::Drop("keepalive");
        }
        let mut message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(fault) => {
                return match fault.reply() {
                    Some(bytes) if self.known.has(source) => Verdict::Answer { to: source, bytes },
                    Some(_) => Verdict::Drop("strangers"),
                    // An ACK or a response that cannot be read is nobody's, and what goes before and behind it on the
                    // same connection is other calls' (RFC 3261 section 18.3).
                    None if self.known.has(source) && is_sip(bytes) => Verdict::Drop("malformed"),
                    None => Verdict::Garbage,
                };
            }
        };
        let leg = self.leg_of(&message);
        if !message.is_request() {
            return match leg {
                Some(leg) => take(message, source, Kind::Leg(leg)),
                None => Verdict::Drop("stray_response"),
            };
        }
        message.fill_received(source.addr);
        match (leg, message.method()) {
            (Some(leg), _) => screened(&message, source).unwrap_or_else(|| take(message, source, Kind::Leg(leg))),
            (None, "REGISTER") => take(message, source, Kind::Register),
            (None, "ACK") => Verdict::Drop("stray_ack"),
            (None, "INVITE") if message.to_tag().is_empty() && !self.known.may_call(source) => Verdict::Stranger,
            (None, _) if !self.known.has(source) => Verdict::Drop("strangers"),
            (None, _) => screened(&message, source).unwrap_or_else(|| without_a_leg(message, source)),
        }
    }

    /// The far end's answer to a request that could not be brought to it, as if it had said so itself (RFC 3261 section
    /// 8.1.3.1). None for what gets no answer.
    pub(crate) fn undelivered(&self, bytes: &[u8], to: Far) -> Option<Incoming> {
        let message = Message::parse(bytes).ok().filter(|message| message.is_request() && message.method() != "ACK")?;
        match self.judge(&reply(&message, 503, strowger_sip::phrase(503), &[], None, None), to) {
            Verdict::Take(incoming) => Some(*incoming),
            _ => None,
        }
    }
}

/// The answer that a request has earned by its form alone, if any.
fn screened(message: &Message, source: Far) -> Option<Verdict> {
    let refusal = screen(message)?;
    let extra: Vec<(&str, String)> = refusal.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    Some(answer(message, source, refusal.status, &refusal.reason, &extra))
}

/// A request of somebody known that carries no token.
fn without_a_leg(message: Message, source: Far) -> Verdict {
    let allow = [("Allow", strowger_sip::ALLOW.to_owned())];
    match message.method() {
        "INVITE" if message.to_tag().is_empty() => take(message, source, Kind::Invite),
        "CANCEL" => take(message, source, Kind::Cancel),
        "OPTIONS" => answer(&message, source, 200, "OK", &allow),
        "INVITE" | "BYE" | "UPDATE" | "INFO" => answer(&message, source, 481, "Call/Transaction Does Not Exist", &[]),
        _ => answer(&message, source, 405, "Method Not Allowed", &allow),
    }
}

fn take(message: Message, source: Far, kind: Kind) -> Verdict {
    Verdict::Take(Box::new(Incoming { message, source, kind }))
}

fn answer(message: &Message, source: Far, status: u16, reason: &str, extra: &[(&str, String)]) -> Verdict {
    let to = reply_destination(message, source);
    Verdict::Answer { to, bytes: reply(message, status, reason, extra, None, None) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strowger_model::config::{Source, Trunk};
    use strowger_model::{AgentId, CallId, LegNo, ShardId, TrunkId};

    use super::*;

    fn at(last: u8) -> Far {
        Far::udp(([192, 0, 2, last], 5060))
    }

    const STRANGER: u8 = 66;
    const PHONE: u8 = 21;
    const CARRIER: u8 = 10;

    const OLD: [u8; 32] = [7; 32];
    const NEW: [u8; 32] = [8; 32];

    fn judge() -> Judge {
        let judge = Judge::new(TokenKeys::new(&OLD, &[]));
        let known = &judge.known;
        known.set_phones(ShardId(0), AgentId(1), [at(PHONE).addr.ip()]);
        let carrier = Trunk {
            id: TrunkId(1),
            name: "carrier".to_owned(),
            sources: vec![Source { ip: at(CARRIER).addr.ip(), port: None }],
            max_calls_per_second: 1,
            max_calls: 1,
            destination: None,
            max_dials_per_second: 1,
            site: String::new(),
        };
        known.set_trunks(Arc::new(vec![carrier]));
        judge
    }

    fn leg() -> LegKey {
        LegKey { call: CallId(9), leg: LegNo(1) }
    }

    fn request(method: &str, to_tag: &str, extra: &str) -> String {
        format!(
            "{method} sip:100@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n\
             From: <sip:1@h>;tag=a\r\nTo: <sip:100@h>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{extra}\
             Content-Length: 0\r\n\r\n"
        )
    }

    fn response(branch: &str) -> String {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:1@h>;tag=a\r\nTo: <sip:2@h>;tag=b\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// What becomes of it: whom it is for, the status of its answer, or nothing.
    fn becomes(text: &str, from: u8) -> String {
        match judge().judge(text.as_bytes(), at(from)) {
            Verdict::Take(incoming) => format!("{:?}", incoming.kind),
            Verdict::Answer { bytes, .. } => String::from_utf8_lossy(&bytes).split(' ').nth(1).unwrap().to_owned(),
            Verdict::Stranger => "counted".to_owned(),
            Verdict::Drop(_) | Verdict::Garbage => String::new(),
        }
    }

    fn wrong(token: &str) -> String {
        let (named, mac) = token.split_once(".").map_or((token, ""), |parts| parts);
        let last = named.chars().last().unwrap().to_digit(16).unwrap() ^ 1;
        format!("{}{last:x}.{mac}", &named[..named.len() - 1])
    }

    /// Each row with its right value beside it: from a stranger, from a phone, from a trunk.
    #[test]
    fn a_stranger_hears_nothing_and_who_is_known_what_the_rfc_says() {
        let broken = request("OPTIONS", "", "").replace("CSeq: 1", "CSeq: x");
        let later = request("OPTIONS", "", "").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia");
        let looping = request("INVITE", "", "").replace("Max-Forwards: 70", "Max-Forwards: 0");
        let unsupported = request("INVITE", "", "Require: x\r\n");
        for (text, [stranger, phone, trunk]) in [
            (request("OPTIONS", "", ""), ["", "200", "200"]),
            (request("SUBSCRIBE", "", ""), ["", "405", "405"]),
            (request("REFER", "", ""), ["", "405", "405"]),
            (request("FOO", "", ""), ["", "405", "405"]),
            (request("BYE", ";tag=nobodys", ""), ["", "481", "481"]),
            (request("INVITE", ";tag=nobodys", ""), ["", "481", "481"]),
            (request("INFO", ";tag=c9-1.0123456789abcdef", ""), ["", "481", "481"]),
            (request("ACK", "", ""), ["", "", ""]),
            (request("CANCEL", "", ""), ["", "Cancel", "Cancel"]),
            (request("INVITE", "", ""), ["counted", "counted", "Invite"]),
            (unsupported, ["counted", "counted", "420"]),
            (looping, ["counted", "counted", "483"]),
            (request("REGISTER", "", ""), ["Register", "Register", "Register"]),
            (request("REGISTER", "", "Require: x\r\n"), ["Register", "Register", "Register"]),
            (broken, ["", "400", "400"]),
            (later, ["", "505", "505"]),
        ] {
            let found = [STRANGER, PHONE, CARRIER].map(|from| becomes(&text, from));
            assert_eq!(found, [stranger, phone, trunk], "{text}");
        }
    }

    /// A leg's own token lets anybody in, for a far end may move; one with a wrong digit nobody.
    #[test]
    fn what_carries_our_token_is_its_legs_and_what_resembles_it_nobodys() {
        let tokens = TokenKeys::new(&OLD, &[]);
        let (tag, branch) = (tokens.tag(leg(), 5), tokens.branch(leg(), 1, "INVITE"));
        let its = format!("{:?}", Kind::Leg(leg()));
        for from in [STRANGER, PHONE, CARRIER] {
            for method in ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "ACK"] {
                assert_eq!(becomes(&request(method, &format!(";tag={tag}"), ""), from), its, "{method}");
            }
            assert_eq!(becomes(&response(&branch), from), its);
            assert_eq!(becomes(&response(&wrong(&branch)), from), "");
            assert_eq!(becomes(&request("ACK", &format!(";tag={}", wrong(&tag)), ""), from), "");
        }
        assert_eq!(becomes(&request("BYE", &format!(";tag={}", wrong(&tag)), ""), STRANGER), "");
        assert_eq!(becomes(&request("SUBSCRIBE", &format!(";tag={tag}"), ""), STRANGER), "405");
    }

    #[test]
    fn tokens_count_by_the_keys_of_now() {
        let (judge, tokens) = (judge(), [OLD, NEW].map(|key| TokenKeys::new(&key, &[])));
        let knows = || {
            tokens.each_ref().map(|tokens| {
                match judge.judge(response(&tokens.branch(leg(), 1, "BYE")).as_bytes(), at(CARRIER)) {
                    Verdict::Take(incoming) => incoming.kind == Kind::Leg(leg()),
                    _ => false,
                }
            })
        };
        assert_eq!(knows(), [true, false]);
        judge.renew(TokenKeys::new(&NEW, &[OLD]));
        assert_eq!(knows(), [true, true], "calls of before go on");
        judge.renew(TokenKeys::new(&NEW, &[]));
        assert_eq!(knows(), [false, true]);
    }

    #[test]
    fn noise_ends_its_connection() {
        let judge = judge();
        let is_garbage = |text: &str| matches!(judge.judge(text.as_bytes(), at(CARRIER)), Verdict::Garbage);
        assert!(is_garbage("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(!is_garbage("\r\n\r\n"), "a keep-alive");
    }

    /// The ACK to a refusal has the fault that was refused: it ended the connection with all that waited on it.
    #[test]
    fn sip_that_cannot_be_read_or_answered_ends_no_known_connection() {
        let judge = judge();
        let ack = "ACK sip:100@h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKx\r\nFrom: <sip:1@h>\r\n\
                   To: <sip:100@h>;tag=2\r\nCall-ID: x\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n";
        let response = ack.replacen("ACK sip:100@h SIP/2.0", "SIP/2.0 200 OK", 1);
        for text in [ack, &response] {
            assert!(Message::parse(text.as_bytes()).is_err(), "{text}");
            let (known, stranger) =
                (judge.judge(text.as_bytes(), at(CARRIER)), judge.judge(text.as_bytes(), at(STRANGER)));
            assert!(matches!(known, Verdict::Drop("malformed")), "{text}");
            assert!(matches!(stranger, Verdict::Garbage), "{text}");
        }
    }
}
