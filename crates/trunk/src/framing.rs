//! Messages out of a stream of bytes: a head, then as many bytes as its Content-Length says (RFC 3261 section 18.3).

use strowger_sip::MAX_DATAGRAM_BYTES;

/// Largest message taken from a stream, in bytes: no more than a datagram carries, so that a message is one whichever
/// way it comes and goes. It is also the most that an unfinished one holds in memory, but for one read.
pub(crate) const MAX_MESSAGE_BYTES: usize = MAX_DATAGRAM_BYTES;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// What a stream brought.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    Message(Vec<u8>),
    /// A keep-alive that wants one CRLF back (RFC 5626 section 4.4.1).
    Ping,
}

/// Why a stream cannot be read on: where the next message begins is no longer known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Garbage {
    #[error("it does not begin like SIP")]
    NoSip,
    #[error("a message has no Content-Length, which it must have over TCP")]
    NoLength,
    #[error("a Content-Length is no number, or there are two that differ")]
    BadLength,
    #[error("a message is larger than {MAX_MESSAGE_BYTES} bytes")]
    TooLarge,
    #[error("a message cannot be understood, nor be answered")]
    Malformed,
}

/// Bytes that came and are no whole message yet.
#[derive(Default, Debug)]
pub(crate) struct Framer {
    bytes: Vec<u8>,
    /// So far no head ends: what was searched is not searched again for each byte that comes.
    searched: usize,
}

impl Framer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a message has begun that is not whole yet.
    pub(crate) fn is_within(&self) -> bool {
        !HEAD_END.starts_with(&self.bytes)
    }

    /// The next whole thing, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Garbage> {
        while self.bytes.starts_with(b"\r\n") {
            if self.bytes.starts_with(HEAD_END) {
                self.take(HEAD_END.len());
                return Ok(Some(Frame::Ping));
            }
            if HEAD_END.starts_with(&self.bytes) {
                // Half a ping, or the answer to one.
                return Ok(None);
            }
            // A blank line before a message means nothing (RFC 3261 section 7.5).
            self.take(2);
        }
        // Said before the rest has come: a TLS hello would otherwise be waited on for a head that never ends.
        if self.bytes.first().is_some_and(|first| !first.is_ascii_graphic() && *first != b'\r') {
            return Err(Garbage::NoSip);
        }
        let Some(head) = self.head_bytes() else {
            return if self.bytes.len() > MAX_MESSAGE_BYTES { Err(Garbage::TooLarge) } else { Ok(None) };
        };
        let whole = head.saturating_add(content_length(&self.bytes[..head])?);
        if whole > MAX_MESSAGE_BYTES {
            return Err(Garbage::TooLarge);
        }
        Ok((self.bytes.len() >= whole).then(|| Frame::Message(self.take(whole))))
    }

    /// Length of the head, the blank line included.
    fn head_bytes(&mut self) -> Option<usize> {
        let found = self.bytes[self.searched..].windows(HEAD_END.len()).position(|four| four == HEAD_END);
        match found {
            // Found again if the body is not there yet.
            Some(at) => {
                self.searched += at;
                Some(self.searched + HEAD_END.len())
            }
            None => {
                self.searched = self.bytes.len().saturating_sub(HEAD_END.len() - 1);
                None
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.searched = 0;
        let rest = self.bytes.split_off(length);
        std::mem::replace(&mut self.bytes, rest)
    }
}

/// Two lengths that differ are refused, not chosen from: the next hop might choose the other, and take a part of the
/// body for a message of its own.
fn content_length(head: &[u8]) -> Result<usize, Garbage> {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let length = number(line[colon + 1..].trim_ascii()).ok_or(Garbage::BadLength)?;
        if found.replace(length).is_some_and(|other| other != length) {
            return Err(Garbage::BadLength);
        }
    }
    found.ok_or(Garbage::NoLength)
}

fn number(digits: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: &str, body: &str) -> String {
        format!("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\n{length}\r\n{body}")
    }

    fn whole(text: &str) -> Result<Option<Frame>, Garbage> {
        Ok(Some(Frame::Message(text.as_bytes().to_vec())))
    }

    fn framer(bytes: &[u8]) -> Framer {
        let mut framer = Framer::default();
        framer.push(bytes);
        framer
    }

    #[test]
    fn a_message_in_single_bytes_is_whole_with_its_last() {
        let text = message("Content-Length: 5\r\n", "hello");
        let mut framer = Framer::default();
        for byte in text.bytes() {
            assert_eq!(framer.next(), Ok(None));
            framer.push(&[byte]);
        }
        assert_eq!(framer.next(), whole(&text));
        assert_eq!((framer.next(), framer.is_within()), (Ok(None), false));
    }

    #[test]
    fn several_messages_in_one_read_come_one_by_one() {
        let (first, second) = (message("l: 3\r\n", "one"), message("CONTENT-LENGTH : 0\r\n", ""));
        let mut framer = framer(format!("{first}\r\n{second}{}", &second[..20]).as_bytes());
        assert_eq!(framer.next(), whole(&first));
        assert_eq!(framer.next(), whole(&second));
        assert_eq!((framer.next(), framer.is_within()), (Ok(None), true));
        framer.push(&second.as_bytes()[20..]);
        assert_eq!(framer.next(), whole(&second));
    }

    #[test]
    fn a_double_blank_line_is_a_ping_and_a_single_one_nothing() {
        let mut framer = framer(b"\r\n\r\n\r\n\r\n\r\n");
        assert_eq!((framer.next(), framer.next()), (Ok(Some(Frame::Ping)), Ok(Some(Frame::Ping))));
        assert_eq!((framer.next(), framer.is_within()), (Ok(None), false));
        framer.push(message("l: 0\r\n", "").as_bytes());
        assert_eq!(framer.next(), whole(&message("l: 0\r\n", "")));
    }

    #[test]
    fn without_a_length_nobody_knows_where_the_next_begins() {
        assert_eq!(framer(message("", "hello").as_bytes()).next(), Err(Garbage::NoLength));
        let hidden = message("Subject: x\r\n l: 0\r\n", "");
        assert_eq!(framer(hidden.as_bytes()).next(), Err(Garbage::NoLength), "a folded line is no header");
    }

    #[test]
    fn a_length_must_be_one_number() {
        for bad in ["l: -1", "l: +1", "l:", "l: 1 2", "l: 99999999999999999999999", "l: 3\r\nContent-Length: 4"] {
            assert_eq!(
                framer(message(&format!("{bad}\r\n"), "hello").as_bytes()).next(),
                Err(Garbage::BadLength),
                "{bad}"
            );
        }
        let twice = message("l: 0\r\nContent-Length: 0\r\n", "");
        assert_eq!(framer(twice.as_bytes()).next(), whole(&twice), "what is wrong with it, the parser says");
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_there() {
        let announced = message(&format!("l: {MAX_MESSAGE_BYTES}\r\n"), "");
        assert_eq!(framer(announced.as_bytes()).next(), Err(Garbage::TooLarge));
        let mut endless = Framer::default();
        endless.push(b"OPTIONS sip:a@b SIP/2.0\r\n");
        let mut pushed = 0;
        while endless.next() == Ok(None) {
            endless.push(&[b'a'; 1000]);
            pushed += 1000;
        }
        assert_eq!(endless.next(), Err(Garbage::TooLarge));
        assert!(pushed <= MAX_MESSAGE_BYTES + 1000);
    }

    #[test]
    fn other_protocols_are_recognised_by_their_first_byte() {
        assert_eq!(framer(&[0x16, 3, 1]).next(), Err(Garbage::NoSip), "TLS");
        assert_eq!(framer(&[0, 0]).next(), Err(Garbage::NoSip));
        assert_eq!(framer("\u{e4}".as_bytes()).next(), Err(Garbage::NoSip));
    }
}
