//! What every request must pass before anybody looks at what it wants (RFC 3261 sections 8.2.1 to 8.2.3).

use crate::message::Message;
use crate::number;
use crate::text::split;

/// The methods we serve, as Allow lists them.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REGISTER";

/// Bytes of the longest caller that is taken. It goes into the row, the record, From towards the agent's phone and every
/// list: a number has 16 (E.164, with its plus sign), the longest name of RFC 4475 (section 3.1.1.6) 115. One that is cut
/// short would be somebody else.
const MAX_CALLER_BYTES: usize = 128;

/// An answer that ends a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Of the answer.
    pub status: u16,
    /// What the answer must say besides, by name.
    pub headers: Vec<(&'static str, String)>,
}

/// The refusal a request outside any leg earns by its form alone, if any: 400, 405, 415, 416, 483 or 420.
/// An ACK is never answered; a CANCEL is not asked for extensions (RFC 3261 section 8.2.2.3).
pub fn screen(request: &Message) -> Option<Refusal> {
    let method = request.method();
    if !ALLOW.split(", ").any(|known| known == method) {
        return Some(Refusal { status: 405, headers: vec![("Allow", ALLOW.to_owned())] });
    }
    if matches!(method, "ACK" | "CANCEL") {
        return None;
    }
    if !number::is_served(request.request_uri()) {
        // RFC 3261 section 8.2.2.1.
        return Some(Refusal { status: 416, headers: Vec::new() });
    }
    // A hop count of 0 has only reached its end here if we go no further; an INVITE goes on, as a new one with a
    // full count, and a loop through us would never end if 0 did not stop it (RFC 3261 section 16.3, step 3).
    if method == "INVITE" && request.max_forwards() == Some(0) {
        return Some(Refusal { status: 483, headers: Vec::new() });
    }
    if method == "INVITE" && request.calling_number().len() > MAX_CALLER_BYTES {
        // RFC 3261 section 21.4.1.
        return Some(Refusal { status: 400, headers: Vec::new() });
    }
    unsupported(request)
}

/// 420 for a request that needs an extension; we have none to offer (RFC 3261 section 8.2.2.3). 415 for one whose body
/// nobody here reads (section 8.2.3).
pub(crate) fn unsupported(request: &Message) -> Option<Refusal> {
    let wanted: Vec<&str> =
        request.headers("Require").flat_map(|line| split(line, b',')).filter(|option| !option.is_empty()).collect();
    if !wanted.is_empty() {
        return Some(Refusal { status: 420, headers: vec![("Unsupported", wanted.join(", "))] });
    }
    let headers = |accept| vec![("Accept", accept), ("Accept-Encoding", "identity".to_owned())];
    request.unread().map(|accept| Refusal { status: 415, headers: headers(accept) })
}
