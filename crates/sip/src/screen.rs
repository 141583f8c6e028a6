//! What every request must pass before anybody looks at what it wants (RFC 3261 sections 8.2.1 to 8.2.3).

use std::borrow::Cow;
use std::fmt::Display;

use crate::message::Message;
use crate::number;
use crate::reason::phrase;
use crate::text::split;

/// The methods we serve, as Allow lists them.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REGISTER";

/// An answer that ends a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Of the answer.
    pub status: u16,
    /// Its phrase.
    pub reason: Cow<'static, str>,
    /// What the answer must say besides, by name.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// In the RFC's words.
    pub fn new(status: u16, headers: Vec<(&'static str, String)>) -> Self {
        Self { status, reason: Cow::Borrowed(phrase(status)), headers }
    }

    /// 400, and what is wrong (RFC 3261 section 21.4.1).
    pub fn bad_request(why: impl Display) -> Self {
        Self { status: 400, reason: Cow::Owned(format!("{}: {why}", phrase(400))), headers: Vec::new() }
    }
}

/// The refusal a request outside any leg earns by its form alone, if any: 405, 415, 416, 483 or 420.
/// An ACK is never answered; a CANCEL is not asked for extensions (RFC 3261 section 8.2.2.3).
pub fn screen(request: &Message) -> Option<Refusal> {
    let method = request.method();
    if !ALLOW.split(", ").any(|known| known == method) {
        return Some(Refusal::new(405, vec![("Allow", ALLOW.to_owned())]));
    }
    if matches!(method, "ACK" | "CANCEL") {
        return None;
    }
    if !number::is_served(request.request_uri()) {
        // RFC 3261 section 8.2.2.1.
        return Some(Refusal::new(416, Vec::new()));
    }
    // A hop count of 0 has only reached its end here if we go no further; an INVITE goes on, as a new one with a
    // full count, and a loop through us would never end if 0 did not stop it (RFC 3261 section 16.3, step 3).
    if method == "INVITE" && request.max_forwards() == Some(0) {
        return Some(Refusal::new(483, Vec::new()));
    }
    unsupported(request)
}

/// 420 for a request that needs an extension; we have none to offer (RFC 3261 section 8.2.2.3). 415 for one whose body
/// nobody here reads (section 8.2.3).
pub(crate) fn unsupported(request: &Message) -> Option<Refusal> {
    let wanted: Vec<&str> =
        request.headers("Require").flat_map(|line| split(line, b',')).filter(|option| !option.is_empty()).collect();
    if !wanted.is_empty() {
        return Some(Refusal::new(420, vec![("Unsupported", wanted.join(", "))]));
    }
    let headers = |accept| vec![("Accept", accept), ("Accept-Encoding", "identity".to_owned())];
    request.unread().map(|accept| Refusal::new(415, headers(accept)))
}
