//! What is said to a message that is nobody's.

use strowger_model::Far;
use strowger_sip::{Local, Message, dismiss, phrase, reply, reply_destination};

/// Nobody has this dialog any more. A hang-up is granted, so that the far end comes to rest; a phone that answers an
/// offer nobody remembers gets ACK and BYE (RFC 3261 sections 13.2.2.4 and 15); an INVITE that a proxy tries here
/// after it failed elsewhere fails here as well (section 16.7); anything else gets 481 (section 12.2.2).
pub(crate) fn answers(message: &Message, source: Far, local: &Local) -> Vec<(Far, Vec<u8>)> {
    if !message.is_request() {
        return dismiss(message, source.transport, local).into_iter().map(|bytes| (source, bytes)).collect();
    }
    let status = match message.method() {
        "ACK" => return Vec::new(),
        "BYE" => 200,
        "INVITE" if message.to_tag().is_empty() => 503,
        _ => 481,
    };
    vec![refusal(message, source, status)]
}

/// One final answer. Who is told 503 is told when to try again (RFC 3261 section 21.5.4).
pub(crate) fn refusal(message: &Message, source: Far, status: u16) -> (Far, Vec<u8>) {
    let retry = [("Retry-After", strowger_call::limit::RETRY_AFTER_S.to_string())];
    let extra: &[(&str, String)] = if status == 503 { &retry } else { &[] };
    (reply_destination(message, source), reply(message, status, phrase(status), extra, None, None))
}
