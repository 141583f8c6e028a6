//! What a message is: for a leg of a call, a new call, a registration, or nothing of ours.

use strowger_model::{Far, LegKey};
use strowger_sip::{Message, is_keepalive, leg_of, reply, reply_destination, screen};

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
    /// Not SIP, or so broken that it cannot even be answered.
    Garbage,
}

pub(crate) fn judge(bytes: &[u8], source: Far) -> Verdict {
    if is_keepalive(bytes) {
        return Verdict::Drop("keepalive");
    }
    let mut message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(fault) => {
            return match fault.reply() {
                Some(bytes) => Verdict::Answer { to: source, bytes },
                None => Verdict::Garbage,
            };
        }
    };
    let leg = leg_of(&message);
    if !message.is_request() {
        return match leg {
            Some(leg) => take(message, source, Kind::Leg(leg)),
            None => Verdict::Drop("stray_response"),
        };
    }
    message.fill_received(source.addr);
    if let Some(refusal) = screen(&message) {
        let extra: Vec<(&str, String)> = refusal.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
        return answer(&message, source, refusal.status, strowger_sip::phrase(refusal.status), &extra);
    }
    match (leg, message.method()) {
        (Some(leg), _) => take(message, source, Kind::Leg(leg)),
        (None, "INVITE") if message.to_tag().is_empty() => take(message, source, Kind::Invite),
        (None, "CANCEL") => take(message, source, Kind::Cancel),
        (None, "REGISTER") => take(message, source, Kind::Register),
        (None, "OPTIONS") => answer(&message, source, 200, "OK", &[("Allow", strowger_sip::ALLOW.to_owned())]),
        (None, "ACK") => Verdict::Drop("stray_ack"),
        (None, "INVITE" | "BYE" | "UPDATE" | "INFO") => {
            answer(&message, source, 481, "Call/Transaction Does Not Exist", &[])
        }
        (None, _) => answer(&message, source, 405, "Method Not Allowed", &[("Allow", strowger_sip::ALLOW.to_owned())]),
    }
}

fn take(message: Message, source: Far, kind: Kind) -> Verdict {
    Verdict::Take(Box::new(Incoming { message, source, kind }))
}

fn answer(message: &Message, source: Far, status: u16, reason: &str, extra: &[(&str, String)]) -> Verdict {
    let to = reply_destination(message, source);
    Verdict::Answer { to, bytes: reply(message, status, reason, extra, None, None) }
}

/// The far end's answer to a request that could not be brought to it, as if it had said so itself (RFC 3261 section
/// 8.1.3.1). None for what gets no answer.
pub(crate) fn undelivered(bytes: &[u8], to: Far) -> Option<Incoming> {
    let message = Message::parse(bytes).ok().filter(|message| message.is_request() && message.method() != "ACK")?;
    match judge(&reply(&message, 503, strowger_sip::phrase(503), &[], None, None), to) {
        Verdict::Take(incoming) => Some(*incoming),
        _ => None,
    }
}
