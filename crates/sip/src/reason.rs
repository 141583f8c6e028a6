//! Reason phrases, and the Reason header that carries a Q.850 cause (RFC 3326, RFC 6432).

use strowger_model::Cause;

use crate::message::Message;
use crate::text::{parameter, split};

/// The phrase RFC 3261 section 21 (and the RFCs after it) give a status we send.
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        183 => "Session Progress",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        200..=299 => "OK",
        _ => "Declined",
    }
}

/// The Q.850 cause of a message's Reason header, if it has one.
pub fn q850(message: &Message) -> Option<Cause> {
    message
        .headers("Reason")
        .flat_map(|value| split(value, b','))
        .filter(|reason| reason.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("Q.850")))
        .find_map(|reason| parameter(reason, "cause")?.parse().ok().map(Cause))
}

/// Another phone took the call (Q.850: non-selected user clearing).
pub const ELSEWHERE: Cause = Cause(26);

pub(crate) fn header(cause: Cause) -> String {
    let q850 = format!("Q.850;cause={}", cause.0);
    // By this a phone knows that the call was not missed (RFC 3326 section 1).
    if cause == ELSEWHERE { format!("SIP;cause=200;text=\"Call completed elsewhere\", {q850}") } else { q850 }
}
