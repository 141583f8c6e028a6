//! What a body is: a description, alone or as a part beside others, key presses, or what nobody here reads (RFC 5621).

use std::borrow::Cow;

use crate::compose::SDP;
use crate::description::without_keys;
use crate::message::Message;
use crate::text::parameter;

/// Descriptions as we read them, for `Accept`.
const DESCRIPTIONS: &str = "application/sdp, multipart/mixed";
/// Key presses as INFO brings them: one `Signal=` a body, or the key alone. No standard, and what desk phones and gateways
/// send that are set to INFO (RFC 6086 section 4.2.2 leaves such uses as they were).
const KEYS: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];
/// Bodies within bodies that are looked into: `multipart/mixed` with a `multipart/alternative` in it is the deepest seen.
const MAX_DEPTH: usize = 2;
/// Parts of one that are looked at. Real ones have two: SDP beside ISUP, or beside the caller's place.
const MAX_PARTS: usize = 16;

impl Message {
    /// The description in it; empty if there is none. A body that does not say what it is counts as one. Media keys are
    /// cut from it here, where everybody takes it: what nobody sees gets into no row, and so into no log and no snapshot.
    pub fn sdp(&self) -> Cow<'_, [u8]> {
        let sdp = match self.content_type() {
            _ if self.body().is_empty() || !is_plain(self.header("Content-Encoding")) => &[],
            None => self.body(),
            Some(kind) => find(kind, self.body(), &[SDP], MAX_DEPTH).map_or(&[][..], |(_, sdp)| sdp),
        };
        without_keys(sdp)
    }

    /// The key that an INFO says was pressed: 0 to 9, *, #, A to D.
    pub(crate) fn key(&self) -> Option<char> {
        let (kind, body) = find(self.content_type()?, self.body(), &KEYS, MAX_DEPTH)?;
        let text = std::str::from_utf8(body).ok()?;
        let signal = |line: &'_ str| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("Signal").then(|| value.trim().to_owned())
        };
        let key = if kind == KEYS[0] { text.lines().find_map(signal)? } else { text.trim().to_owned() };
        match key.as_str() {
            "10" => Some('*'),
            "11" => Some('#'),
            key => {
                let mut letters = key.chars();
                let key = letters.next()?.to_ascii_uppercase();
                (letters.next().is_none() && matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(key)
            }
        }
    }

    /// What it may carry instead, for `Accept`, of a request whose body nobody here reads and that means it to be read.
    pub(crate) fn unread(&self) -> Option<String> {
        let (is_read, accept) = match self.method() {
            "INVITE" | "UPDATE" => (!self.sdp().is_empty(), DESCRIPTIONS.to_owned()),
            "INFO" => {
                let is_keys = |kind: &str| find(kind, self.body(), &KEYS, MAX_DEPTH).is_some();
                (self.content_type().is_some_and(is_keys), KEYS.join(", "))
            }
            _ => return None,
        };
        let handling = self.header("Content-Disposition").and_then(|how| parameter(how, "handling"));
        let is_optional = handling.is_some_and(|handling| handling.eq_ignore_ascii_case("optional"));
        (!self.body().is_empty() && !is_read && !is_optional).then_some(accept)
    }

    fn content_type(&self) -> Option<&str> {
        self.header("Content-Type").filter(|kind| !kind.is_empty())
    }
}

/// The first content of a wanted type in a body, and which type.
fn find<'a>(kind: &str, body: &'a [u8], wanted: &[&'static str], depth: usize) -> Option<(&'static str, &'a [u8])> {
    let name = kind.split(';').next().unwrap_or_default().trim();
    if let Some(found) = wanted.iter().find(|wanted| wanted.eq_ignore_ascii_case(name)) {
        return Some((*found, body));
    }
    let is_multipart = name.get(..10).is_some_and(|name| name.eq_ignore_ascii_case("multipart/"));
    let boundary = parameter(kind, "boundary").filter(|boundary| is_multipart && !boundary.is_empty())?;
    if depth == 0 {
        return None;
    }
    parts(body, boundary).into_iter().find_map(|part| {
        let (head, body) = split_head(part);
        let head = String::from_utf8_lossy(head).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
        let field = |wanted: &str| {
            head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
            })
        };
        let is_for_the_session = field("Content-Disposition").is_none_or(|how| {
            let how = how.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            matches!(how.as_str(), "session" | "render" | "signal")
        });
        let is_readable = is_for_the_session
            && is_plain(field("Content-Encoding").as_deref())
            && is_plain(field("Content-Transfer-Encoding").as_deref());
        find(&field("Content-Type").filter(|_| is_readable)?, body, wanted, depth - 1)
    })
}

/// Whether bytes are what they are: what is packed nobody unpacks.
fn is_plain(encoding: Option<&str>) -> bool {
    encoding.is_none_or(|encoding| {
        ["identity", "7bit", "8bit", "binary", ""].iter().any(|plain| plain.eq_ignore_ascii_case(encoding.trim()))
    })
}

/// What stands between the boundaries (RFC 2046 section 5.1.1), without the line ends that belong to them.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    while at < body.len() && parts.len() < MAX_PARTS {
        let end = body[at..].iter().position(|byte| *byte == b'\n').map_or(body.len(), |line| at + line + 1);
        let line = body[at..end].trim_ascii_end();
        let rest = line.strip_prefix(delimiter.as_bytes());
        if rest.is_some_and(|rest| rest.is_empty() || rest == b"--") {
            parts.extend(begun.map(|begun| without_line_end(&body[begun..at.max(begun)])));
            begun = (rest == Some(b"".as_slice())).then_some(end);
            if begun.is_none() {
                return parts;
            }
        }
        at = end;
    }
    // One that nobody has closed.
    parts.extend(begun.filter(|_| at >= body.len()).map(|begun| &body[begun..]));
    parts
}

fn without_line_end(part: &[u8]) -> &[u8] {
    part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part)
}

/// The fields of a part and its content.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n")) {
        return (&[], body);
    }
    for blank in [b"\r\n\r\n".as_slice(), b"\n\n"] {
        if let Some(at) = part.windows(blank.len()).position(|window| window == blank) {
            return (&part[..at], &part[at + blank.len()..]);
        }
    }
    (part, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "v=0\r\nm=audio 4000 RTP/AVP 8\r\n";

    fn message(method: &str, fields: &str, body: &str) -> Message {
        let text = format!(
            "{method} sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKb\r\nMax-Forwards: 70\r\n\
             From: <sip:7@192.0.2.4>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: b\r\nCSeq: 2 {method}\r\n{fields}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn sdp(kind: &str, body: &str) -> String {
        let read = message("INVITE", &format!("Content-Type: {kind}\r\n"), body);
        let sdp = String::from_utf8(read.sdp().into_owned()).unwrap();
        assert_eq!(read.unread(), sdp.is_empty().then(|| DESCRIPTIONS.to_owned()), "{kind}");
        sdp
    }

    #[test]
    fn a_description_is_found_alone_and_among_parts() {
        for kind in ["application/sdp", "Application/SDP ; charset=utf-8"] {
            assert_eq!(sdp(kind, PLAIN), PLAIN);
        }
        assert_eq!(message("INVITE", "", PLAIN).sdp(), PLAIN.as_bytes(), "who does not say what it is");
        assert_eq!(message("INVITE", "c: application/sdp\r\n", PLAIN).sdp(), PLAIN.as_bytes());
        let isup = "Content-Type: application/isup; version=itu-t92+\r\nContent-Disposition: signal; handling=optional";
        let ours = "content-type: application/sdp\r\nContent-Disposition: session;handling=required";
        for (kind, body) in [
            (
                "multipart/mixed; boundary=abc",
                format!("--abc\r\n{ours}\r\n\r\n{PLAIN}\r\n--abc\r\n{isup}\r\n\r\n\u{1}\0--\u{2}\r\n--abc--\r\n"),
            ),
            (
                "Multipart/Mixed;boundary=\"a b;c\"",
                format!(
                    "preamble\r\n--a b;c\r\n{isup}\r\n\r\n\u{1}\r\n--a b;c  \r\n{ours}\r\n\r\n{PLAIN}\r\n--a b;c--"
                ),
            ),
            ("multipart/mixed;boundary=abc", format!("--abc\n{}\n\n{PLAIN}\n--abc--\n", ours.replace('\r', ""))),
            ("multipart/mixed;boundary=abc", format!("--abc\r\nContent-Type:\r\n application/sdp\r\n\r\n{PLAIN}")),
            (
                "multipart/mixed;boundary=out",
                format!(
                    "--out\r\nContent-Type: multipart/alternative;boundary=in\r\n\r\n--in\r\n{ours}\r\n\r\n{PLAIN}\r\n--in--\r\n\r\n--out--\r\n"
                ),
            ),
        ] {
            assert_eq!(sdp(kind, &body), PLAIN, "{body}");
        }
    }

    /// Such a call was refused with 488, which says that its media does not do.
    #[test]
    fn what_nobody_reads_is_refused_with_what_would_be_read() {
        let alone = |part: &str| format!("--abc\r\n{part}\r\n\r\n{PLAIN}\r\n--abc--\r\n");
        for (kind, body) in [
            ("text/plain", PLAIN.to_owned()),
            ("application/sdpx", PLAIN.to_owned()),
            ("multipart/mixed", alone("Content-Type: application/sdp")),
            ("multipart/mixed;boundary=ab", alone("Content-Type: application/sdp")),
            ("multipart/mixed;boundary=abc", alone("Content-Type: text/plain")),
            ("multipart/mixed;boundary=abc", alone("X-Nothing: here")),
            (
                "multipart/mixed;boundary=abc",
                alone("Content-Type: application/sdp\r\nContent-Disposition: early-session"),
            ),
            (
                "multipart/mixed;boundary=abc",
                alone("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64"),
            ),
            ("multipart/mixed;boundary=abc", "--abc".to_owned()),
        ] {
            assert_eq!(sdp(kind, &body), "", "{kind} {body}");
        }
        let packed = message("INVITE", "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", PLAIN);
        assert_eq!((&packed.sdp()[..], packed.unread().is_some()), (&b""[..], true));
        let same = message("INVITE", "Content-Type: application/sdp\r\nContent-Encoding: identity\r\n", PLAIN);
        assert_eq!(same.sdp(), PLAIN.as_bytes());
        // What need not be read is as good as not there (RFC 3261 section 20.11).
        let optional = "Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n";
        assert_eq!(message("INVITE", optional, "hello").unread(), None);
        assert_eq!(message("INVITE", "", "").unread(), None);
        assert_eq!(
            message("BYE", "Content-Type: application/isup\r\n", "x").unread(),
            None,
            "it ends the call all the same"
        );
    }

    #[test]
    fn bodies_within_bodies_end_somewhere() {
        let mut body = format!("--0\r\nContent-Type: application/sdp\r\n\r\n{PLAIN}\r\n--0--");
        for depth in 1..4 {
            body = format!(
                "--{depth}\r\nContent-Type: multipart/mixed;boundary={}\r\n\r\n{body}\r\n--{depth}--",
                depth - 1
            );
            let kind = format!("multipart/mixed;boundary={depth}");
            assert_eq!(sdp(&kind, &body).is_empty(), depth >= MAX_DEPTH, "{depth}");
        }
        let many = format!(
            "{}--abc\r\nContent-Type: application/sdp\r\n\r\n{PLAIN}\r\n--abc--",
            "--abc\r\n\r\nx\r\n".repeat(MAX_PARTS)
        );
        assert_eq!(sdp("multipart/mixed;boundary=abc", &many), "");
    }

    #[test]
    fn an_info_says_which_key_was_pressed() {
        let key = |kind: &str, body: &str| message("INFO", &format!("Content-Type: {kind}\r\n"), body).key();
        for (body, pressed) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Signal= 0\r\n", Some('0')),
            ("signal = #\nDuration = 100", Some('#')),
            ("Duration=160\r\nSignal=*\r\n", Some('*')),
            ("Signal=10\r\n", Some('*')),
            ("Signal=11\r\n", Some('#')),
            ("Signal=d\r\n", Some('D')),
            ("Signal=hf\r\n", None),
            ("Signal=16\r\n", None),
            ("Signal=\r\n", None),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(key("application/dtmf-relay", body), pressed, "{body}");
        }
        assert_eq!(key("Application/DTMF; x=y", "7\r\n"), Some('7'));
        assert_eq!(key("application/dtmf", "77"), None);
        assert_eq!(key("text/plain", "Signal=5\r\n"), None);
        let accept = Some("application/dtmf-relay, application/dtmf".to_owned());
        assert_eq!(message("INFO", "Content-Type: application/media_control+xml\r\n", "<x/>").unread(), accept);
        assert_eq!(message("INFO", "Content-Type: application/dtmf\r\n", "7").unread(), None);
        assert_eq!(message("INFO", "", "").unread(), None, "it asks whether we are there");
    }
}
