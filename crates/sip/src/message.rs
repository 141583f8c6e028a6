//! A SIP message as the rest of the product sees it: parsed, checked, its routing facts at hand.

use std::net::SocketAddr;

use bytes::Bytes;
use sipx_sip::headers::{Address, CSeq};
use sipx_sip::{Finding, Header, HeaderName, Limits, Method, Uri, parse_datagram, validate};

use crate::fault::{ParseFault, Problem};
use crate::text::{address_uri, parameter, split};
use crate::{caller, display, number, user, via};

/// Largest datagram looked at, in bytes: what UDP over IPv4 can carry.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;
/// Most header fields in a message. Real ones have under 40; each costs an allocation before we know its sender.
pub const MAX_HEADERS: usize = 128;
/// Largest header field, in bytes. The longest of RFC 4475 (3.1.1.7) has about 1 000.
const MAX_HEADER_BYTES: usize = 8 * 1024;
/// Most continuation lines of one header field; RFC 4475 folds at most four times.
const MAX_FOLDS: usize = 16;
/// How many kinds of header field are mended in one message: names in From and To, and Via.
const MENDINGS: usize = 2;
/// Bytes of the longest caller that is taken. It goes into the row, the record, From towards the agent's phone and every
/// list: a number has 16 (E.164, with its plus sign), the longest name of RFC 4475 (section 3.1.1.7) 115. One that is cut
/// short would be somebody else.
const MAX_CALLER_BYTES: usize = 128;
/// Bytes of the longest Call-ID, and of the longest tag, that is taken. They are the keys by which calls are told apart, in
/// the memory of every node, and stand in records: the longest of RFC 4475 (section 3.1.1.7) have 141 and 155, those of
/// proxies that hide who is behind them some 200. One that is cut short would be another's.
const MAX_ID_BYTES: usize = 256;

/// One message, checked against RFC 3261 section 8.1.1: what the accessors name is there and well formed.
#[derive(Clone, Debug)]
pub struct Message {
    inner: sipx_sip::Message,
    request_uri: String,
    request_uri_user: String,
    called_number: String,
    calling_number: String,
    from: Party,
    to: Party,
    call_id: String,
    cseq: u32,
    cseq_method: Method,
    vias: Vec<String>,
    branch: String,
    contact: Option<String>,
}

/// Who says the same says it in the same bytes.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

#[derive(Clone, Debug)]
struct Party {
    uri: String,
    user: String,
    tag: String,
}

/// A packet that only keeps a NAT binding or flow open (RFC 5626 section 4.4.1): blank lines, or nothing.
pub fn is_keepalive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// Whether the first line is of SIP, whatever stands behind it.
pub fn is_sip(message: &[u8]) -> bool {
    let line = message.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    line.starts_with(b"SIP/2.0 ") || line.ends_with(b" SIP/2.0")
}

impl Message {
    /// Reads one whole message. What is wrong with it comes back with the answer its sender may get.
    pub fn parse(datagram: &[u8]) -> Result<Message, ParseFault> {
        let fault = |problem| ParseFault::new(problem, datagram);
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(fault(Problem::TooLarge));
        }
        // Gateways begin datagrams with blank lines, which RFC 3261 section 7.5 has streams alone skip.
        let blank = datagram.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let datagram = &datagram[blank..];
        let limits = Limits {
            max_message_bytes: MAX_DATAGRAM_BYTES,
            max_body_bytes: MAX_DATAGRAM_BYTES,
            max_headers: MAX_HEADERS,
            max_header_bytes: MAX_HEADER_BYTES,
            max_folding_lines: MAX_FOLDS,
        };
        let read = |bytes: Bytes| {
            let inner = parse_datagram(bytes, &limits).map_err(|error| Problem::of_parse(&error))?;
            Self::check(inner)
        };
        let mut text = unfolded(datagram);
        if let Some(escaped) = user::escaped(&text) {
            text = Bytes::from(escaped);
        }
        for _ in 0..MENDINGS {
            let problem = match read(text.clone()) {
                Ok(message) => return Ok(message),
                Err(problem) => problem,
            };
            let mended = match problem {
                Problem::Header("From" | "To") => display::quoted(&text),
                Problem::Header("Via") => via::tight(&text),
                _ => None,
            };
            let Some(mended) = mended else { return Err(fault(problem)) };
            text = Bytes::from(mended);
        }
        read(text).map_err(fault)
    }

    fn check(inner: sipx_sip::Message) -> Result<Message, Problem> {
        // A request without Max-Forwards may be repaired by a proxy (RFC 3261 16.6); old trunks do send it.
        if let Some(finding) = validate(&inner).into_iter().find(|finding| !finding.is_repairable()) {
            return Err(match finding {
                Finding::UnsupportedVersion => Problem::Version,
                Finding::CSeqMethodMismatch => Problem::MethodMismatch,
                Finding::RequestUriHasHeaders => Problem::StartLine,
                Finding::MissingRequiredHeader(name)
                | Finding::MalformedRequiredHeader(name)
                | Finding::RepeatedSingleValueHeader(name) => Problem::Header(name),
                _ => Problem::Header("header"),
            });
        }
        let headers = inner.headers();
        let Some(Ok(cseq)) = headers.typed::<CSeq>() else { return Err(Problem::Header("CSeq")) };
        let (from, caller) = Party::of(headers.get(&HeaderName::From)).ok_or(Problem::Header("From"))?;
        let (to, _) = Party::of(headers.get(&HeaderName::To)).ok_or(Problem::Header("To"))?;
        if from.tag.is_empty() {
            // RFC 2543 knew From without tag; without it no dialog of RFC 3261 can be told from another.
            return Err(Problem::Header("From"));
        }
        let vias: Vec<String> = headers
            .get_all(&HeaderName::Via)
            .flat_map(|line| split(text(line), b','))
            .filter(|via| !via.is_empty())
            .map(str::to_owned)
            .collect();
        let top = vias.first().ok_or(Problem::Header("Via"))?;
        let branch = parameter(top, "branch").unwrap_or_default().to_owned();
        let contact = headers
            .get(&HeaderName::Contact)
            .and_then(|line| split(text(line), b',').first().map(|value| address_uri(value).to_owned()))
            .filter(|uri| Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).is_ok());
        let (request_uri, request_uri_user, called_number) = match inner.as_request() {
            Some(request) => (lossy(&request.uri.to_bytes()), number::user(&request.uri), number::number(&request.uri)),
            None => Default::default(),
        };
        let call_id = headers.get(&HeaderName::CallId).map(|line| text(line).to_owned()).unwrap_or_default();
        let calling_number = caller::calling_number(headers, &caller);
        for (what, said, most) in [
            ("Call-ID", &call_id, MAX_ID_BYTES),
            ("the tag of From", &from.tag, MAX_ID_BYTES),
            ("the tag of To", &to.tag, MAX_ID_BYTES),
            ("the caller's number", &calling_number, MAX_CALLER_BYTES),
        ] {
            if said.len() > most {
                return Err(Problem::TooLong { what, most });
            }
        }
        Ok(Message {
            request_uri,
            request_uri_user,
            called_number,
            calling_number,
            from,
            to,
            call_id,
            cseq: cseq.sequence,
            cseq_method: cseq.method,
            vias,
            branch,
            contact,
            inner,
        })
    }

    /// Set `received` and `rport` of the top Via from where the packet came (RFC 3261 18.2.1, RFC 3581). To be
    /// done once, where the packet is received; `bytes` then carries it to whichever node owns the call.
    pub fn fill_received(&mut self, source: SocketAddr) {
        let Some(top) = self.vias.first_mut() else { return };
        *top = via::filled(top, source);
        let Ok(line) = Header::build(HeaderName::Via, self.vias.join(", ").into_bytes()) else { return };
        let headers = self.inner.headers_mut();
        let place = headers.iter().position(|header| *header.name() == HeaderName::Via).unwrap_or(0);
        headers.remove_all(&HeaderName::Via);
        headers.insert(place, line);
    }

    /// As it goes on the wire, with what [`Message::fill_received`] set.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.inner.write_to(&mut out);
        out
    }

    /// Else it is a response.
    pub fn is_request(&self) -> bool {
        self.inner.as_request().is_some()
    }

    /// The request's method; of a response, the method it answers.
    pub fn method(&self) -> &str {
        self.cseq_method()
    }

    /// The method in CSeq, which a response has too.
    pub fn cseq_method(&self) -> &str {
        utf8(self.cseq_method.as_bytes())
    }

    /// A response's status; 0 for a request.
    pub fn status(&self) -> u16 {
        self.inner.as_response().map_or(0, |response| response.status.code())
    }

    /// A response's reason phrase; empty for a request.
    pub fn reason(&self) -> &str {
        self.inner.as_response().map_or("", |response| utf8(&response.reason))
    }

    /// Call-ID, as it stands.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Never empty: without one a message is refused.
    pub fn from_tag(&self) -> &str {
        &self.from.tag
    }

    /// Empty if there is none.
    pub fn to_tag(&self) -> &str {
        &self.to.tag
    }

    /// The number in CSeq.
    pub fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Branch of the top Via; empty if the sender is older than RFC 3261.
    pub fn top_branch(&self) -> &str {
        &self.branch
    }

    /// Empty for a response.
    pub fn request_uri(&self) -> &str {
        &self.request_uri
    }

    /// The user part, unescaped; empty for a response.
    pub fn request_uri_user(&self) -> &str {
        &self.request_uri_user
    }

    /// Who is called, in the one form in which numbers are compared; empty for a response.
    pub fn called_number(&self) -> &str {
        &self.called_number
    }

    /// Who calls, in the same form: `anonymous` if that is withheld, empty if nobody is named.
    pub fn calling_number(&self) -> &str {
        &self.calling_number
    }

    /// The URI in From, without parameters of the header.
    pub fn from_uri(&self) -> &str {
        &self.from.uri
    }

    /// The user part of From, unescaped; empty if it has none.
    pub fn from_user(&self) -> &str {
        &self.from.user
    }

    /// The URI in To.
    pub fn to_uri(&self) -> &str {
        &self.to.uri
    }

    /// The user part of To, unescaped; empty if it has none.
    pub fn to_user(&self) -> &str {
        &self.to.user
    }

    /// URI of the first Contact, if it has a well-formed one.
    pub fn contact_uri(&self) -> Option<&str> {
        self.contact.as_deref()
    }

    /// Seconds; none if it is missing or no number.
    pub fn expires(&self) -> Option<u32> {
        self.header("Expires")?.parse().ok()
    }

    /// Hops that are left; none if it is missing or no number.
    pub fn max_forwards(&self) -> Option<u32> {
        self.header("Max-Forwards")?.parse().ok()
    }

    /// The first header of that name (any case, long or compact form).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// Every header line of that name, in order, not cut at commas.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = HeaderName::parse(&Bytes::copy_from_slice(name.as_bytes()));
        self.inner.headers().iter().filter(move |header| *header.name() == name).map(text)
    }

    /// What follows the headers.
    pub fn body(&self) -> &[u8] {
        self.inner.body()
    }

    /// The whole Via stack, topmost first, one hop an entry.
    pub fn vias(&self) -> &[String] {
        &self.vias
    }

    /// Record-Route as it stands in the message, one hop an entry.
    pub fn record_routes(&self) -> Vec<String> {
        self.headers("Record-Route")
            .flat_map(|line| split(line, b','))
            .filter(|hop| !hop.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Party {
    fn of(header: Option<&Header>) -> Option<(Party, Uri)> {
        let value = text(header?);
        let address = Address::parse(value.as_bytes(), "From or To").ok()?;
        let party = Party {
            uri: lossy(&address.uri.to_bytes()),
            user: number::user(&address.uri),
            tag: address.tag().map(lossy).unwrap_or_default(),
        };
        Some((party, address.uri))
    }
}

/// The datagram with folded header lines joined and its head made UTF-8, so that every header value is one `&str`.
/// Joining is what RFC 3261 section 7.3.1 says folding means; text that is not UTF-8 is not SIP (section 25.1),
/// but old phones put Latin-1 into display names and are not refused for it.
fn unfolded(datagram: &[u8]) -> Bytes {
    let end = datagram.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(datagram.len());
    let (head, rest) = datagram.split_at(end);
    let folded = head.windows(3).any(|three| matches!(three, [b'\r', b'\n', b' ' | b'\t']));
    if !folded && std::str::from_utf8(head).is_ok() {
        return Bytes::copy_from_slice(datagram);
    }
    let mut out = Vec::with_capacity(datagram.len());
    let text = String::from_utf8_lossy(head);
    // A continuation of the start line is a fault the parser must see.
    let first_line = text.find("\r\n").unwrap_or(text.len());
    let (start_line, lines) = text.split_at(first_line);
    out.extend_from_slice(start_line.as_bytes());
    let leading_fold = lines.starts_with("\r\n ") || lines.starts_with("\r\n\t");
    if leading_fold {
        out.extend_from_slice(lines.as_bytes());
    } else {
        out.extend_from_slice(lines.replace("\r\n ", " ").replace("\r\n\t", " ").as_bytes());
    }
    out.extend_from_slice(rest);
    Bytes::from(out)
}

pub(crate) fn text(header: &Header) -> &str {
    utf8(header.raw_value()).trim()
}

/// Heads are made UTF-8 before they are parsed, so the default never shows.
fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
