//! Answers to requests that belong to no leg. They are stateless: the same request gets the same bytes
//! (RFC 3261 section 8.2.7), whichever node answers it.

use strowger_model::Far;

use crate::compose::{Body, Writer};
use crate::message::Message;
use crate::{token, via};

/// An answer to `request`: its Via stack, From, To, Call-ID and CSeq, then `extra`. A final answer's To gets
/// `to_tag`, or one computed from the request when it has none.
pub fn reply(
    request: &Message,
    status: u16,
    reason: &str,
    extra: &[(&str, String)],
    to_tag: Option<&str>,
    body: Option<(&str, &[u8])>,
) -> Vec<u8> {
    let mut out = Writer::response(status, reason);
    out.headers("Via", request.vias());
    out.header("From", request.header("From").unwrap_or_default());
    let to = request.header("To").unwrap_or_default();
    match to_tag {
        _ if !request.to_tag().is_empty() => out.header("To", to),
        Some(tag) => out.header("To", &format!("{to};tag={tag}")),
        None if status == 100 => out.header("To", to),
        None => {
            let tag = token::salt(request.call_id(), request.top_branch());
            out.header("To", &format!("{to};tag=s{tag:016x}"))
        }
    };
    out.header("Call-ID", request.call_id());
    out.header("CSeq", &format!("{} {}", request.cseq(), request.cseq_method()));
    for (name, value) in extra {
        out.header(name, value);
    }
    let body: Option<Body<'_>> = body;
    out.finish(body)
}

/// Where an answer to `request` goes (RFC 3261 section 18.2.2, RFC 3581 section 4).
pub fn reply_destination(request: &Message, source: Far) -> Far {
    request.vias().first().map_or(source, |top| via::destination(top, source))
}
