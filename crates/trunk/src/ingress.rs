//! What a datagram is: for a leg of a call, a new call, a registration, or nothing of ours.

use std::net::SocketAddr;

use strowger_model::LegKey;
use strowger_sip::{Message, is_keepalive, leg_of, reply, reply_destination, screen};

/// A message worth somebody's attention.
#[derive(Debug)]
pub struct Incoming {
    pub message: Message,
    pub source: SocketAddr,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Carries the token of a leg: its owner takes it.
    Leg(LegKey),
    /// A call that may be new; a repetition is found by its key.
    Invite,
    /// For an INVITE whose answer it has not seen: found by the INVITE's key.
    Cancel,
    Register,
}

/// What becomes of a datagram.
pub(crate) enum Verdict {
    Take(Box<Incoming>),
    /// Answered here, without state.
    Answer {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Drop(&'static str),
}

pub(crate) fn judge(datagram: &[u8], source: SocketAddr) -> Verdict {
    if is_keepalive(datagram) {
        return Verdict::Drop("keepalive");
    }
    let mut message = match Message::parse(datagram) {
        Ok(message) => message,
        Err(fault) => {
            return match fault.reply() {
                Some(bytes) => Verdict::Answer { to: source, bytes },
                None => Verdict::Drop("malformed"),
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
    message.fill_received(source);
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

fn take(message: Message, source: SocketAddr, kind: Kind) -> Verdict {
    Verdict::Take(Box::new(Incoming { message, source, kind }))
}

fn answer(message: &Message, source: SocketAddr, status: u16, reason: &str, extra: &[(&str, String)]) -> Verdict {
    let to = reply_destination(message, source);
    Verdict::Answer { to, bytes: reply(message, status, reason, extra, None, None) }
}
