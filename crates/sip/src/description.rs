//! Reading a session description (RFC 8866): the lines that matter to us, wherever they stand and however they end. Phones
//! leave lines out, put them in another order and write spaces or zeros behind them; what is not read cannot be wrong.

use std::borrow::Cow;

/// Attributes that carry a secret of the media: keys of SRTP (RFC 4568, RFC 4567), also as a capability (RFC 5939), and the
/// password of ICE (RFC 8839).
const SECRET: [&str; 4] = ["crypto", "key-mgmt", "ice-pwd", "acap"];
/// Before a key of SRTP in whatever attribute (RFC 4568 section 9.2); some makers have names of their own for it.
const KEY_FOLLOWS: &str = "inline:";

/// A description, as far as it is read.
#[derive(Default)]
pub(crate) struct Description {
    /// Of the c= line of the session.
    connection: Option<String>,
    attributes: Vec<Attribute>,
    pub(crate) streams: Vec<Stream>,
}

/// An m= line and what belongs to it.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) kind: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    /// Payload types, or what the protocol has instead.
    pub(crate) formats: Vec<String>,
    connection: Option<String>,
    attributes: Vec<Attribute>,
}

/// An a= line: its name, and what stands behind the colon, empty if there is none.
type Attribute = (String, String);

impl Description {
    /// None of what is no description: it does not begin with `v=0`.
    pub(crate) fn read(body: &[u8]) -> Option<Description> {
        let text = String::from_utf8_lossy(body);
        let mut lines = text.split(['\r', '\n']).map(trimmed).filter(|line| !line.is_empty());
        lines.next().filter(|first| *first == "v=0")?;
        let mut description = Description::default();
        // An m= line that cannot be read has what follows it, and no place in an answer.
        let mut unread = Stream::default();
        let mut is_unread = false;
        for (kind, value) in lines.filter_map(|line| line.split_once('=')).map(|(kind, value)| (kind, value.trim())) {
            let last = if is_unread { Some(&mut unread) } else { description.streams.last_mut() };
            let (connection, attributes) = match last {
                Some(stream) => (&mut stream.connection, &mut stream.attributes),
                None => (&mut description.connection, &mut description.attributes),
            };
            match kind {
                "m" => {
                    let stream = Stream::read(value);
                    is_unread = stream.is_none();
                    description.streams.extend(stream);
                }
                "c" => *connection = connection.take().or_else(|| address(value)),
                "a" => {
                    let (name, value) = value.split_once(':').unwrap_or((value, ""));
                    attributes.push((name.trim().to_owned(), value.trim().to_owned()));
                }
                _ => {}
            }
        }
        Some(description)
    }

    /// The address of a stream: its own, or the session's.
    pub(crate) fn address<'a>(&'a self, stream: &'a Stream) -> Option<&'a str> {
        stream.connection.as_ref().or(self.connection.as_ref()).map(String::as_str)
    }

    /// Attributes of a stream, then those of the session.
    pub(crate) fn attributes<'a>(&'a self, stream: &'a Stream) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs(&stream.attributes).chain(pairs(&self.attributes))
    }
}

impl Stream {
    fn read(value: &str) -> Option<Stream> {
        let mut words = value.split_whitespace();
        let kind = words.next()?.to_owned();
        // Behind a slash stands how many ports there are.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?.to_owned();
        let formats = words.map(str::to_owned).collect();
        // It may be repeated in a line of ours.
        let is_text = !value.contains(char::is_control);
        is_text.then_some(Stream { kind, port, protocol, formats, ..Stream::default() })
    }

    /// The stream's own attributes of that name.
    pub(crate) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        pairs(&self.attributes).filter(move |(of, _)| *of == name).map(|(_, value)| value)
    }
}

/// The description without the lines that carry secrets (those above, and `k=`, RFC 8866 section 5.12), which nobody here
/// reads. Who offers them beside plain RTP (RFC 8643) is answered with plain RTP.
pub(crate) fn without_keys(sdp: &[u8]) -> Cow<'_, [u8]> {
    let lines = || sdp.split_inclusive(|byte| matches!(byte, b'\r' | b'\n'));
    if !lines().any(is_secret) {
        return Cow::Borrowed(sdp);
    }
    let mut is_cut = false;
    let kept = lines().filter(|line| {
        // Of a line that ends in CR LF the second comes by itself.
        is_cut = is_secret(line) || is_cut && *line == b"\n";
        !is_cut
    });
    Cow::Owned(kept.flatten().copied().collect())
}

fn is_secret(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let Some((kind, value)) = trimmed(&text).split_once('=') else { return false };
    let name = value.split_once(':').map_or(value, |(name, _)| name).trim();
    match kind.trim() {
        "k" | "K" => true,
        "a" | "A" => {
            let is_named = SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            is_named || value.to_ascii_lowercase().contains(KEY_FOLLOWS)
        }
        _ => false,
    }
}

fn pairs(attributes: &[Attribute]) -> impl Iterator<Item = (&str, &str)> {
    attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Of `IN IP4 192.0.2.1`.
fn address(connection: &str) -> Option<String> {
    connection.split_whitespace().nth(2).map(str::to_owned)
}

fn trimmed(line: &str) -> &str {
    line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sdp: &str) -> String {
        String::from_utf8(without_keys(sdp.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn secrets_are_cut_however_they_are_written() {
        let plain = "v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";
        let secrets = [
            "k=base64:c2VjcmV0",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0",
            " a=Crypto :1 x inline:c2VjcmV0 ",
            "a=key-mgmt:mikey c2VjcmV0",
            "a=ice-pwd:c2VjcmV0",
            "a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:c2VjcmV0",
            "a=cryptoscale:1 client AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0",
            "\0k = clear:c2VjcmV0",
        ];
        for secret in secrets {
            let written = plain.replace("a=sendrecv", &format!("{secret}\r\na=sendrecv"));
            assert_eq!(cut(&written), plain, "{secret}");
            for end in ["\n", "\r"] {
                assert_eq!(cut(&written.replace("\r\n", end)), plain.replace("\r\n", end), "{secret}");
            }
            assert_eq!(cut(&format!("{plain}{secret}")), plain, "{secret} at the end, without a line end");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        let sdp = "v=0\r\nc=IN IP4 192.0.2.1\r\na=cryptography:1\r\na=fingerprint:sha-256 AB\r\n\r\nb=AS:64";
        assert!(matches!(without_keys(sdp.as_bytes()), Cow::Borrowed(_)));
        assert_eq!(without_keys(&[0xff, b'\n', b'k', b'=', b'1', b'\n', 0xfe]).as_ref(), [0xff, b'\n', 0xfe]);
    }
}
