//! What a REGISTER binds, and the answer that says so (RFC 3261 section 10).

use bytes::Bytes;
use sipx_sip::{Scheme, Uri};
use strowger_model::HIGHEST_Q;

use crate::message::Message;
use crate::text::{address_uri, parameter, split};

/// How long a binding lives, in seconds, when the phone names no time (RFC 3261 section 10.2.1.1 leaves it to us;
/// an hour is what section 20.19 suggests).
const DEFAULT_EXPIRES_S: u32 = 3600;
/// Most contacts in one REGISTER: a phone has one, a softswitch a few; every one is kept by the registrar.
const MAX_CONTACTS: usize = 16;
/// Longest URI of a Contact, in bytes. It goes into rows and the log of every node and back into each 200. The longest of
/// phones, with a WebRTC client's transport, line and push parameters (RFC 8599), have some 300.
const MAX_URI_BYTES: usize = 512;

/// One address that a phone asks to be bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Without name and parameters.
    pub uri: String,
    /// The phone's name for itself, the same after a restart or in another network (RFC 5626 section 4.1).
    pub instance: Option<String>,
    /// Its rank among the user's addresses, in thousandths (RFC 3261 section 20.10).
    pub q: u16,
    /// Seconds; 0 removes the binding.
    pub expires: u32,
}

/// One address a user can be reached at, as the answer lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// As the phone gave it.
    pub uri: String,
    /// Seconds that are left.
    pub expires: u32,
}

/// What a REGISTER asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contacts {
    /// `Contact: *` with `Expires: 0`: forget them all.
    Wildcard,
    /// Empty: the phone only asks what is bound.
    List(Vec<Contact>),
}

/// A Contact header no registrar can act on; answered with 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContactsFault {
    /// Its URI cannot be read.
    #[error("a Contact is malformed")]
    Malformed,
    /// RFC 3261 section 10.3, step 6.
    #[error("`*` beside another Contact or without Expires: 0")]
    Wildcard,
    /// Nothing of it is bound.
    #[error("more than {MAX_CONTACTS} Contacts")]
    TooMany,
    /// Its URI is longer than any phone's.
    #[error("the URI of a Contact has more than {MAX_URI_BYTES} bytes")]
    TooLong,
}

/// What a REGISTER asks for, in its order.
pub fn contacts(request: &Message) -> Result<Contacts, ContactsFault> {
    let values: Vec<&str> =
        request.headers("Contact").flat_map(|line| split(line, b',')).filter(|value| !value.is_empty()).collect();
    if values.contains(&"*") {
        // RFC 3261 section 10.3, step 6.
        let alone = values.len() == 1 && request.expires() == Some(0);
        return if alone { Ok(Contacts::Wildcard) } else { Err(ContactsFault::Wildcard) };
    }
    if values.len() > MAX_CONTACTS {
        return Err(ContactsFault::TooMany);
    }
    let general = request.expires().unwrap_or(DEFAULT_EXPIRES_S);
    let binding = |value: &str| {
        let uri = address_uri(value);
        if uri.len() > MAX_URI_BYTES {
            return Err(ContactsFault::TooLong);
        }
        let parsed = Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).map_err(|_| ContactsFault::Malformed)?;
        // It is to be a Request-URI, which has no headers (RFC 3261 section 19.1.1), and is asked for by SIP.
        if !matches!(parsed.scheme(), Scheme::Sip | Scheme::Sips) || parsed.headers().is_some_and(|all| !all.is_empty())
        {
            return Err(ContactsFault::Malformed);
        }
        // A time that is no number counts as an hour (RFC 3261 section 20.10).
        let expires = parameter(value, "expires").map_or(general, |text| text.parse().unwrap_or(DEFAULT_EXPIRES_S));
        let instance = parameter(value, "+sip.instance").filter(|name| !name.is_empty()).map(str::to_owned);
        let q = parameter(value, "q").and_then(thousandths).unwrap_or(HIGHEST_Q);
        Ok(Contact { uri: uri.to_owned(), instance, q, expires })
    };
    values.into_iter().map(binding).collect::<Result<_, _>>().map(Contacts::List)
}

/// A qvalue: 0 or 1 with at most three digits behind the point (RFC 3261 section 25.1).
fn thousandths(q: &str) -> Option<u16> {
    let (whole, part) = q.split_once('.').unwrap_or((q, ""));
    if !matches!(whole, "0" | "1") || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let q = format!("{whole}{part:0<3}").parse().ok()?;
    (q <= HIGHEST_Q).then_some(q)
}

/// The 200 to a REGISTER, listing what is bound now (RFC 3261 section 10.3, step 8).
pub fn ok(request: &Message, bound: &[Binding], extra: &[(&str, String)]) -> Vec<u8> {
    let mut headers: Vec<(&str, String)> =
        bound.iter().map(|binding| ("Contact", format!("<{}>;expires={}", binding.uri, binding.expires))).collect();
    headers.extend(extra.iter().cloned());
    crate::reply::reply(request, 200, "OK", &headers, None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(headers: &str) -> Message {
        let text = format!(
            "REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKr\r\n\
             From: <sip:7@pbx.example.com>;tag=1\r\nTo: <sip:7@pbx.example.com>\r\nCall-ID: r\r\nCSeq: 2 REGISTER\r\n\
             Max-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn bindings(headers: &str) -> Vec<(String, u32)> {
        match contacts(&register(headers)) {
            Ok(Contacts::List(list)) => list.into_iter().map(|binding| (binding.uri, binding.expires)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_contact_has_its_time() {
        let two =
            "Contact: <sip:7@192.0.2.4:5062;ob>;expires=60;q=0.5, \"Desk, 2\" <sip:7@192.0.2.5>\r\nExpires: 120\r\n";
        assert_eq!(bindings(two), [("sip:7@192.0.2.4:5062;ob".to_owned(), 60), ("sip:7@192.0.2.5".to_owned(), 120)]);
        assert_eq!(bindings("m: sip:7@192.0.2.4;expires=oops\r\n"), [("sip:7@192.0.2.4".to_owned(), 3600)]);
        assert_eq!(bindings(""), []);
    }

    #[test]
    fn a_phone_names_itself_and_its_rank() {
        let ranks = |headers: &str| match contacts(&register(headers)) {
            Ok(Contacts::List(list)) => {
                list.into_iter().map(|contact| (contact.instance, contact.q)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        let named = "Contact: <sip:7@192.0.2.4>;+sip.instance=\"<urn:uuid:1-2;x>\";q=0.25;reg-id=1\r\n";
        let expected: Vec<(Option<String>, u16)> = vec![(Some("<urn:uuid:1-2;x>".to_owned()), 250)];
        assert_eq!(ranks(named), expected);
        let ranked = |q: &str| ranks(&format!("Contact: <sip:7@192.0.2.4>;q={q}\r\n"));
        let qs = ["0", "0.", "0.5", "1", "1.000", "1.001", "0.1234", "2", "-1", "high", ""];
        let ranked: Vec<u16> = qs.into_iter().flat_map(|q| ranked(q).into_iter().map(|(_, q)| q)).collect();
        assert_eq!(ranked, [0, 0, 500, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]);
    }

    #[test]
    fn the_wildcard_stands_alone() {
        assert_eq!(contacts(&register("Contact: *\r\nExpires: 0\r\n")), Ok(Contacts::Wildcard));
        assert_eq!(contacts(&register("Contact: *\r\n")), Err(ContactsFault::Wildcard));
        assert_eq!(contacts(&register("Contact: *, <sip:a@b>\r\nExpires: 0\r\n")), Err(ContactsFault::Wildcard));
        // The last three could be no Request-URI (RFC 3261 section 19.1.1).
        for uri in ["nonsense", "sip:7@192.0.2.4?Subject=x", "mailto:7@example.com", "tel:+49301234"] {
            let named = format!("Contact: <{uri}>\r\n");
            assert_eq!(contacts(&register(&named)), Err(ContactsFault::Malformed), "{uri}");
        }
        let many = "Contact: <sip:a@b>\r\n".repeat(17);
        assert_eq!(contacts(&register(&many)), Err(ContactsFault::TooMany));
    }

    #[test]
    fn the_answer_lists_what_is_bound() {
        let bound = [Binding { uri: "sip:7@192.0.2.4".to_owned(), expires: 60 }];
        let answer = Message::parse(&ok(&register(""), &bound, &[("Date", "now".to_owned())])).unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("Contact"), Some("<sip:7@192.0.2.4>;expires=60"));
        assert_eq!(answer.cseq_method(), "REGISTER");
        assert!(!answer.to_tag().is_empty());
    }
}
