//! A message that came in: parsed by `rsip`, then kept as plain text fields, because a telephone has to echo most of
//! them to the letter.

use std::net::{IpAddr, SocketAddr};

use rsip::SipMessage;

const SIP_PORT: u16 = 5060;

#[derive(Clone, Debug)]
pub(crate) enum Start {
    Request { method: String, user: String },
    Response { status: u16 },
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub start: Start,
    /// Names in lower case and in the long form.
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub call_id: String,
    pub cseq: u32,
    pub cseq_method: String,
    /// Of the topmost Via.
    pub branch: String,
}

impl Message {
    /// `None`: not SIP, or without the fields that every message must have (RFC 3261 section 8.1.1).
    pub fn parse(datagram: &[u8]) -> Option<Message> {
        let (parsed, method) = parse_any_method(datagram)?;
        let (start, parsed_headers, body) = match parsed {
            SipMessage::Request(request) => {
                let user = request.uri.user().unwrap_or_default().to_owned();
                let method = method.unwrap_or_else(|| request.method.to_string());
                (Start::Request { method, user }, request.headers, request.body)
            }
            SipMessage::Response(response) => {
                (Start::Response { status: response.status_code.code() }, response.headers, response.body)
            }
        };
        let headers: Vec<(String, String)> = parsed_headers
            .iter()
            .filter_map(|header| {
                let text = header.to_string();
                let (name, value) = text.split_once(':')?;
                Some((long_name(name.trim()), value.trim().to_owned()))
            })
            .collect();
        let mut message = Message {
            start,
            headers,
            body,
            call_id: String::new(),
            cseq: 0,
            cseq_method: String::new(),
            branch: String::new(),
        };
        message.index()?;
        Some(message)
    }

    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every line with this name, as it came.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Every element of a header that may be a list (Via, Route, Record-Route, Contact).
    pub fn list(&self, name: &'static str) -> Vec<&str> {
        self.all(name).flat_map(split_list).collect()
    }

    pub fn tag_in_from(&self) -> Option<&str> {
        tag(self.header("from")?)
    }

    pub fn tag_in_to(&self) -> Option<&str> {
        tag(self.header("to")?)
    }

    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status } => Some(status),
            Start::Request { .. } => None,
        }
    }

    pub fn x_headers(&self) -> Vec<(String, String)> {
        self.headers.iter().filter(|(name, _)| name.starts_with("x-")).cloned().collect()
    }

    /// The Vias of a request as its answer has to carry them (RFC 3581 section 4), and where that answer goes.
    pub fn answer_path(&self, source: SocketAddr) -> (Vec<String>, SocketAddr) {
        let mut vias: Vec<String> = self.list("via").into_iter().map(str::to_owned).collect();
        let Some(top) = vias.first_mut() else { return (vias, source) };
        let wants_rport = parameter(top, "rport").is_some();
        let sent_by_port = sent_by(top).and_then(|text| host_port(text).1).unwrap_or(SIP_PORT);
        let mut kept: Vec<String> = top
            .split(';')
            .filter(|part| {
                let name = part.split('=').next().unwrap_or_default().trim();
                !name.eq_ignore_ascii_case("rport") && !name.eq_ignore_ascii_case("received")
            })
            .map(str::to_owned)
            .collect();
        kept.push(format!("received={}", source.ip()));
        let destination = if wants_rport {
            kept.push(format!("rport={}", source.port()));
            source
        } else {
            SocketAddr::new(source.ip(), sent_by_port)
        };
        *top = kept.join(";");
        (vias, destination)
    }

    fn index(&mut self) -> Option<()> {
        self.call_id = self.header("call-id").filter(|id| !id.is_empty())?.to_owned();
        let mut cseq = self.header("cseq")?.split_whitespace();
        let number = cseq.next()?.parse().ok()?;
        let method = cseq.next()?.to_owned();
        let via = self.list("via").first().copied().map(str::to_owned)?;
        self.branch = parameter(&via, "branch").unwrap_or_default().to_owned();
        (self.cseq, self.cseq_method) = (number, method);
        self.header("from")?;
        self.header("to")?;
        Some(())
    }
}

/// `rsip` refuses methods it does not know, but they have to be answered with 501: it reads them under another name.
fn parse_any_method(datagram: &[u8]) -> Option<(SipMessage, Option<String>)> {
    if let Ok(message) = SipMessage::try_from(datagram) {
        return Some((message, None));
    }
    let space = datagram.iter().position(|byte| *byte == b' ')?;
    let method = std::str::from_utf8(&datagram[..space]).ok()?;
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b)) {
        return None;
    }
    let renamed = [b"OPTIONS", &datagram[space..]].concat();
    let message = SipMessage::try_from(renamed.as_slice()).ok()?;
    Some((message, Some(method.to_owned())))
}

fn long_name(name: &str) -> String {
    let long = match name.to_ascii_lowercase().as_str() {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "m" => "contact",
        "l" => "content-length",
        "c" => "content-type",
        "k" => "supported",
        "s" => "subject",
        "e" => "content-encoding",
        other => return other.to_owned(),
    };
    long.to_owned()
}

/// Splits at commas that stand neither in quotes nor in angle brackets.
pub(crate) fn split_list(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped, mut depth) = (Vec::new(), 0, false, false, 0u32);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => depth += 1,
            '>' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// The URI of a name-addr or addr-spec.
pub(crate) fn uri_of(address: &str) -> &str {
    match (address.find('<'), address.rfind('>')) {
        (Some(open), Some(close)) if open < close => &address[open + 1..close],
        _ => address.split(';').next().unwrap_or_default().trim(),
    }
}

pub(crate) fn user_of(address: &str) -> String {
    rsip::Uri::try_from(uri_of(address)).ok().and_then(|uri| uri.user().map(str::to_owned)).unwrap_or_default()
}

/// Where a URI points, if its host is an IP address: these phones ask no DNS.
pub(crate) fn address_of(uri: &str) -> Option<SocketAddr> {
    let rest = uri.split_once(':')?.1;
    let host = rest.rsplit('@').next()?.split([';', '?']).next()?;
    let (ip, port) = host_port(host);
    Some(SocketAddr::new(ip?, port.unwrap_or(SIP_PORT)))
}

/// A parameter behind the closing angle bracket; without brackets all of them. A flag has an empty value.
pub(crate) fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let behind = text.rfind('>').map_or(text, |at| &text[at..]);
    behind.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn tag(address: &str) -> Option<&str> {
    parameter(address, "tag").filter(|tag| !tag.is_empty())
}

/// `SIP/2.0/UDP host:port;…` → `host:port`.
fn sent_by(via: &str) -> Option<&str> {
    via.split(';').next()?.split_whitespace().nth(1)
}

fn host_port(text: &str) -> (Option<IpAddr>, Option<u16>) {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (Some(address.ip()), Some(address.port()));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
        return (Some(ip), None);
    }
    (None, text.rsplit_once(':').and_then(|(_, port)| port.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const INVITE: &str = "INVITE sip:a7@127.0.0.1:5070 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK0\r\n\
        v: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKx\r\n\
        Max-Forwards: 70\r\n\
        From: \"Doe, \\\"J\" <sip:+4912@x;tag=no>;tag=yes\r\n\
        To: <sip:a7@x>\r\n\
        i: 9@x\r\n\
        CSeq: 17 INVITE\r\n\
        Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2:5080;lr>\r\n\
        X-Queue: sales\r\n\
        Content-Length: 3\r\n\r\nv=0";

    #[test]
    fn reads_what_a_phone_needs() {
        let message = Message::parse(INVITE.as_bytes()).unwrap();
        assert!(matches!(&message.start, Start::Request { method, user } if method == "INVITE" && user == "a7"));
        assert_eq!((message.call_id.as_str(), message.cseq, message.cseq_method.as_str()), ("9@x", 17, "INVITE"));
        assert_eq!(message.branch, "z9hG4bK1");
        assert_eq!((message.tag_in_from(), message.tag_in_to()), (Some("yes"), None));
        assert_eq!(user_of(message.header("from").unwrap()), "+4912");
        assert_eq!(message.list("record-route"), ["<sip:10.0.0.1;lr>", "<sip:10.0.0.2:5080;lr>"]);
        assert_eq!(message.x_headers(), [("x-queue".to_owned(), "sales".to_owned())]);
        assert_eq!(message.body, b"v=0");
    }

    #[test]
    fn answers_go_back_the_way_rfc_3581_says() {
        let message = Message::parse(INVITE.as_bytes()).unwrap();
        let source = "192.0.2.9:1111".parse().unwrap();
        let (vias, destination) = message.answer_path(source);
        assert_eq!(vias.len(), 3);
        assert_eq!(vias[0], "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=192.0.2.9;rport=1111");
        assert_eq!(destination, source);
        let plain = Message::parse(INVITE.replace(";rport", "").as_bytes()).unwrap();
        assert_eq!(plain.answer_path(source).1, "192.0.2.9:5060".parse().unwrap());
    }

    #[test]
    fn unknown_methods_are_read_too() {
        let message = Message::parse(INVITE.replace("INVITE", "FROBNICATE").as_bytes()).unwrap();
        assert!(matches!(&message.start, Start::Request { method, .. } if method == "FROBNICATE"));
    }

    #[test]
    fn addresses_are_found() {
        assert_eq!(address_of("sip:x@127.0.0.1:5080;lr"), Some("127.0.0.1:5080".parse().unwrap()));
        assert_eq!(address_of("sip:[::1];transport=udp"), Some("[::1]:5060".parse().unwrap()));
        assert_eq!(address_of("sip:127.0.0.1"), Some("127.0.0.1:5060".parse().unwrap()));
        assert_eq!(address_of("sip:example.org"), None);
        assert_eq!(uri_of("\"x\" <sip:a@b;lr>;q=1"), "sip:a@b;lr");
        assert_eq!(uri_of("sip:a@b;tag=1"), "sip:a@b");
    }

    #[test]
    fn spoilt_messages_do_no_harm() {
        let mut random = Random::new(3);
        for _ in 0..20_000 {
            let mut bytes = INVITE.as_bytes().to_vec();
            for _ in 0..=random.next() % 4 {
                let at = random.next() as usize % bytes.len();
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(bytes.len() - (random.next() as usize % 40));
            if let Some(message) = Message::parse(&bytes) {
                message.answer_path("192.0.2.9:1111".parse().unwrap());
                message.list("record-route").iter().for_each(|route| {
                    address_of(uri_of(route));
                });
            }
        }
    }
}
