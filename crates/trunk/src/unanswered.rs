//! Requests of ours that went out on one connection and have had no answer: if it ends, whoever sent them is told.

use std::collections::VecDeque;
use std::time::Duration;

use strowger_sip::Message;
use tokio::time::Instant;

/// As long as a transaction waits for its answer (64*T1: timers B and F, RFC 3261 section 17.1): who sent an older one
/// has given it up.
const WAITS: Duration = Duration::from_secs(32);
/// Most that are kept of one connection, the newest: a busy trunk has its requests of a second, and as many bytes as
/// may wait for it (1 MiB).
const MOST_KEPT: usize = 1024;

#[derive(Default)]
pub(crate) struct Unanswered {
    kept: VecDeque<Request>,
}

struct Request {
    sent: Instant,
    method: String,
    branch: String,
    bytes: Vec<u8>,
}

impl Unanswered {
    /// It goes out now. An ACK has no answer, and an answer none either.
    pub(crate) fn sent(&mut self, bytes: &[u8], now: Instant) {
        while self.kept.len() >= MOST_KEPT || self.kept.front().is_some_and(|oldest| oldest.sent + WAITS <= now) {
            self.kept.pop_front();
        }
        if bytes.starts_with(b"SIP/2.0 ") || bytes.starts_with(b"ACK ") {
            return;
        }
        let Ok(message) = Message::parse(bytes) else { return };
        let (method, branch) = (message.method().to_owned(), message.top_branch().to_owned());
        self.kept.push_back(Request { sent: now, method, branch, bytes: bytes.to_vec() });
    }

    /// Any answer shows that the far end has the request: if it says more, it finds a way (RFC 3261 section 18.2.2).
    pub(crate) fn heard(&mut self, message: &Message) {
        if !message.is_request() {
            let (method, branch) = (message.cseq_method(), message.top_branch());
            self.kept.retain(|request| request.method != method || request.branch != branch);
        }
    }

    /// Oldest first.
    pub(crate) fn rest(self, now: Instant) -> impl Iterator<Item = Vec<u8>> {
        self.kept.into_iter().filter(move |request| now < request.sent + WAITS).map(|request| request.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, no: usize) -> Vec<u8> {
        format!(
            "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK{no}\r\nMax-Forwards: 70\r\nFrom: <sip:2@h>;tag=a\r\n\
             To: <sip:1@h>\r\nCall-ID: {no}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn answer(method: &str, no: usize, status: u16) -> Message {
        let request = Message::parse(&request(method, no)).unwrap();
        Message::parse(&strowger_sip::reply(&request, status, "Fine", &[], None, None)).unwrap()
    }

    #[test]
    fn what_has_any_answer_is_nobodys_loss() {
        let (mut line, now) = (Unanswered::default(), Instant::now());
        for (method, no) in [("INVITE", 1), ("BYE", 2), ("ACK", 3), ("INVITE", 4), ("CANCEL", 4)] {
            line.sent(&request(method, no), now);
        }
        line.sent(&answer("OPTIONS", 5, 200).bytes(), now);
        line.sent(b"no SIP", now);
        line.heard(&answer("INVITE", 4, 100));
        line.heard(&answer("INVITE", 2, 200));
        line.heard(&Message::parse(&request("INVITE", 1)).unwrap());
        let rest: Vec<Vec<u8>> = line.rest(now).collect();
        assert_eq!(rest, [request("INVITE", 1), request("BYE", 2), request("CANCEL", 4)]);
    }

    #[test]
    fn a_far_end_that_never_answers_fills_no_memory() {
        let (mut line, begun) = (Unanswered::default(), Instant::now());
        (0..2 * MOST_KEPT).for_each(|no| line.sent(&request("OPTIONS", no), begun));
        assert_eq!(line.kept.len(), MOST_KEPT);
        line.sent(&request("BYE", 1), begun + WAITS);
        assert_eq!(line.kept.len(), 1, "of what is given up nobody is told");
        assert_eq!(line.rest(begun + 2 * WAITS).count(), 0);
    }
}
