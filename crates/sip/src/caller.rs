//! Who calls, as an INVITE says it. Its sender is a trunk, which is believed as to its callers: what it vouches for
//! (P-Asserted-Identity, RFC 3325) counts before From, which callers write themselves, and who wants to stay hidden (Privacy,
//! RFC 3323) has no number here, neither on a phone nor in records and lists.

use bytes::Bytes;
use sipx_sip::headers::Address;
use sipx_sip::{HeaderName, Headers, Uri};

use crate::message::text;
use crate::number;
use crate::text::split;

/// What of Privacy hides who calls (RFC 3323 section 4.2, RFC 3325 section 9.3); `session`, `history` and `critical` do not.
const HIDES: [&str; 3] = ["id", "user", "header"];

/// The number of who calls: `anonymous` if it is withheld, empty if nobody is named.
pub(crate) fn calling_number(headers: &Headers, from: &Uri) -> String {
    let said = number::calling_number(from);
    if said == number::ANONYMOUS || hides(headers) {
        return number::ANONYMOUS.to_owned();
    }
    asserted(headers).unwrap_or(said)
}

fn hides(headers: &Headers) -> bool {
    values(headers, b"Privacy", b';').any(|wish| HIDES.iter().any(|hides| hides.eq_ignore_ascii_case(wish)))
}

/// One that is no number, as gateways have for a whole trunk, says less than From.
fn asserted(headers: &Headers) -> Option<String> {
    let read = |value: &str| Some(number::number(&Address::parse(value.as_bytes(), "P-Asserted-Identity").ok()?.uri));
    values(headers, b"P-Asserted-Identity", b',').filter_map(read).find(|number| number::is_number(number))
}

fn values<'a>(headers: &'a Headers, name: &'static [u8], separator: u8) -> impl Iterator<Item = &'a str> {
    let name = HeaderName::parse(&Bytes::from_static(name));
    let lines = headers.iter().filter(move |header| *header.name() == name).map(text);
    lines.flat_map(move |line| split(line, separator))
}

#[cfg(test)]
mod tests {
    use crate::message::Message;

    fn caller(from: &str, lines: &[&str]) -> String {
        let extra: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!(
            "INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKd\r\nMax-Forwards: 70\r\n\
             From: {from};tag=1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: d\r\nCSeq: 2 INVITE\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap().calling_number().to_owned()
    }

    const FROM: &str = "<sip:+498911111@192.0.2.4>";
    const HIDDEN: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    const ASSERTED: &str = "P-Asserted-Identity: \"Best, Co\" <sip:+49-30-22222@carrier.example;user=phone>";

    #[test]
    fn what_a_carrier_vouches_for_counts_before_what_a_caller_writes() {
        assert_eq!(caller(FROM, &[]), "+498911111");
        assert_eq!(caller(FROM, &[ASSERTED]), "+493022222");
        assert_eq!(
            caller(FROM, &["P-Asserted-Identity: <sip:trunk7@carrier.example>, <tel:+493033333>"]),
            "+493033333"
        );
        assert_eq!(caller(FROM, &["P-Asserted-Identity: <sip:trunk7@carrier.example>", ASSERTED]), "+493022222");
        for useless in ["<sip:trunk7@carrier.example>", "<sip:anonymous@anonymous.invalid>", "no address", ""] {
            assert_eq!(caller(FROM, &[&format!("P-Asserted-Identity: {useless}")]), "+498911111", "{useless}");
        }
        // P-Preferred-Identity is a wish of whoever calls (RFC 3325 section 9.2).
        assert_eq!(caller(FROM, &["P-Preferred-Identity: <tel:+493033333>"]), "+498911111");
    }

    /// A number that was to be hidden stood on agents' phones, for it was left in From.
    #[test]
    fn who_asks_for_privacy_has_no_number() {
        for privacy in ["id", "ID", "user", "header", "user;id;critical", "session; id", "critical;header"] {
            let wish = format!("Privacy: {privacy}");
            assert_eq!(caller(FROM, &[&wish]), "anonymous", "{privacy}");
            assert_eq!(caller(FROM, &[ASSERTED, &wish]), "anonymous", "{privacy}");
            assert_eq!(caller(HIDDEN, &[ASSERTED, &wish]), "anonymous", "{privacy}");
        }
        for privacy in ["none", "session", "history", "critical", "identity", ""] {
            let wish = format!("Privacy: {privacy}");
            assert_eq!(caller(FROM, &[ASSERTED, &wish]), "+493022222", "{privacy}");
        }
        assert_eq!(caller(HIDDEN, &[ASSERTED]), "anonymous", "From is enough");
    }
}
