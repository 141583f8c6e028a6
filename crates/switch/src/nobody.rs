//! Answers to messages that belong to no call here.

use strowger_model::Far;
use strowger_sip::{Local, Message, dismiss, phrase, reply, reply_destination};

/// To a message whose call has no row any more. A BYE gets 200; a 2xx to an INVITE of ours ACK and BYE (RFC 3261 sections
/// 13.2.2.4 and 15), so that its phone does not stay in a call; an INVITE that a proxy tries here after it failed elsewhere
/// 503, as it was told there (section 16.7); an ACK and other responses nothing; any other request 481 (section 12.2.2).
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
