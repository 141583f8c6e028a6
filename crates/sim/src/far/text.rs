//! SIP as the far ends read and write it: lines of text, nothing of the product's.

use std::net::SocketAddr;

use strowger_model::{CallId, LegKey, LegNo, Transport};

/// One message, cut into what a simple phone looks at.
#[derive(Clone, Debug)]
pub(crate) struct Sip {
    start: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Sip {
    pub fn parse(bytes: &[u8]) -> Option<Sip> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Sip { start, headers, body: body.to_owned() })
    }

    /// 0 for a request.
    pub fn status(&self) -> u16 {
        self.start.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or_default()
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// Opens a dialog, or would.
    pub fn is_first_invite(&self) -> bool {
        self.status() == 0 && self.method() == "INVITE" && self.tag_of_to().is_empty()
    }

    /// Of a response, the method it answers.
    pub fn method(&self) -> &str {
        self.header("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub fn branch(&self) -> &str {
        parameter(self.header("Via"), "branch")
    }

    pub fn tag_of_from(&self) -> &str {
        parameter(self.header("From"), "tag")
    }

    pub fn tag_of_to(&self) -> &str {
        parameter(self.header("To"), "tag")
    }

    pub fn call_id(&self) -> &str {
        self.header("Call-ID")
    }

    pub fn contact(&self) -> &str {
        let value = self.header("Contact");
        value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
    }

    /// Where its SDP wants media.
    pub fn rtp(&self) -> Option<SocketAddr> {
        let line = |start: &str| self.body.lines().find_map(|line| line.strip_prefix(start));
        let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
        let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// The leg it belongs to, if the Call-ID or a tag is one of the cluster's.
    pub fn key(&self) -> Option<LegKey> {
        [self.call_id(), self.tag_of_to(), self.tag_of_from(), self.branch().trim_start_matches("z9hG4bK")]
            .into_iter()
            .find_map(key_of)
    }

    /// The ACK of a 2xx to it, as whoever sent the INVITE would write it.
    pub fn acknowledged(&self) -> Vec<u8> {
        let mut out = format!("ACK {} SIP/2.0\r\n", self.contact());
        for name in ["Via", "From", "To", "Call-ID"] {
            line(&mut out, name, self.header(name));
        }
        line(&mut out, "CSeq", &format!("{} ACK", self.cseq()));
        end(out, "")
    }

    pub fn summary(&self) -> String {
        match self.status() {
            0 => format!("{} {}", self.method(), self.cseq()),
            status => format!("{status} ({} {})", self.method(), self.cseq()),
        }
    }

    /// An answer: what identifies the request, our tag, and what more there is.
    pub fn answer(&self, status: u16, tag: &str, contact: Option<&str>, body: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {status} So It Is\r\n");
        for (name, value) in &self.headers {
            let copied =
                ["Via", "From", "Call-ID", "CSeq", "Record-Route"].iter().any(|known| name.eq_ignore_ascii_case(known));
            if copied {
                line(&mut out, name, value);
            } else if name.eq_ignore_ascii_case("To") {
                let tagged = if self.tag_of_to().is_empty() && status > 100 {
                    format!("{value};tag={tag}")
                } else {
                    value.clone()
                };
                line(&mut out, name, &tagged);
            }
        }
        if let Some(contact) = contact {
            line(&mut out, "Contact", &format!("<{contact}>"));
        }
        end(out, body)
    }
}

/// A request's head lines, in order.
pub(crate) struct Request<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub addr: SocketAddr,
    pub way: Transport,
    pub branch: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: u32,
    pub contact: Option<&'a str>,
    /// Of the Contact.
    pub parameters: &'a str,
    pub body: &'a str,
}

impl Request<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} SIP/2.0\r\n", self.method, self.uri);
        line(
            &mut out,
            "Via",
            &format!("SIP/2.0/{} {};branch=z9hG4bK{};rport", self.way.name(), self.addr, self.branch),
        );
        line(&mut out, "Max-Forwards", "70");
        line(&mut out, "From", self.from);
        line(&mut out, "To", self.to);
        line(&mut out, "Call-ID", self.call_id);
        line(&mut out, "CSeq", &format!("{} {}", self.cseq, self.method));
        if let Some(contact) = self.contact {
            line(&mut out, "Contact", &format!("<{contact}>{}", self.parameters));
        }
        end(out, self.body)
    }
}

fn line(out: &mut String, name: &str, value: &str) {
    out.extend([name, ": ", value, "\r\n"]);
}

fn end(mut out: String, body: &str) -> Vec<u8> {
    if !body.is_empty() {
        line(&mut out, "Content-Type", "application/sdp");
    }
    line(&mut out, "Content-Length", &body.len().to_string());
    out.extend(["\r\n", body]);
    out.into_bytes()
}

fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
    let mut found = value.split(';').skip(1).filter_map(|part| part.split_once('='));
    found.find(|(known, _)| known.trim() == name).map_or("", |(_, value)| value.trim())
}

/// `c<call in hexadecimal>-<leg>` at the start of a Call-ID, tag or branch of the cluster's.
fn key_of(text: &str) -> Option<LegKey> {
    let (call, rest) = text.strip_prefix('c')?.split_once('-')?;
    let leg: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(LegKey { call: CallId(u64::from_str_radix(call, 16).ok()?), leg: LegNo(leg.parse().ok()?) })
}
