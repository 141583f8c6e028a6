//! Whom a URI names, in the one form in which callers and called are compared, barred, routed and written down.
//!
//! Carriers hang parameters on a number (`;npdi`, `;rn=`, `;tgrp=`, `;cpc=`, `;isup-oli=`: RFC 4694, RFC 4904), escape its
//! plus sign, part its digits for the eye, or write it as `tel:`. All of these are the same number (RFC 3261 sections
//! 19.1.4 and 19.1.6, RFC 3966 sections 3 and 5.1.1). What is not told apart here is told apart nowhere.

use sipx_sip::Uri;

/// What parts digits for the eye (RFC 3966 section 5.1.1), and the space that people write.
const SEPARATORS: &str = "-.() ";
/// Whoever withholds a number calls from this host, under whatever name (RFC 3323 section 4.1.1.3).
const WITHHELD_HOST: &[u8] = b"anonymous.invalid";
/// What stands for the number of who withholds it.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// The user part without its escapes (RFC 3261 section 19.1.4), parameters and all; empty if there is none.
pub(crate) fn user(uri: &Uri) -> String {
    unescaped(uri.user().unwrap_or_default())
}

/// The number that is called, or the name where it is none; empty if there is neither. A local number stays as it is:
/// a `phone-context` says where it is valid, not what stands before it (RFC 3966 section 5.1.5).
pub(crate) fn number(uri: &Uri) -> String {
    let subscriber = uri.user().or_else(|| uri.tel_parts().map(|parts| parts.subscriber())).unwrap_or_default();
    let name = unescaped(subscriber.split(|byte| *byte == b';').next().unwrap_or_default());
    if is_number(&name) { name.chars().filter(|digit| !SEPARATORS.contains(*digit)).collect() } else { name }
}

/// The number of who calls by From: `anonymous` if it is withheld.
pub(crate) fn calling_number(uri: &Uri) -> String {
    let is_withheld = uri.host().is_some_and(|host| host.to_bytes().eq_ignore_ascii_case(WITHHELD_HOST));
    if is_withheld { ANONYMOUS.to_owned() } else { number(uri) }
}

/// Whether we take calls to URIs of that scheme. `sips` too, of which a proxy in front of us made plain SIP.
pub(crate) fn is_served(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    ["sip", "sips", "tel"].iter().any(|served| served.eq_ignore_ascii_case(scheme))
}

/// Digits, among them those of a keypad, with an optional plus sign before them and separators anywhere.
pub(crate) fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix('+').unwrap_or(name);
    let is_digit = |letter: char| letter.is_ascii_digit() || matches!(letter, '*' | '#');
    digits.contains(is_digit) && digits.chars().all(|letter| is_digit(letter) || SEPARATORS.contains(letter))
}

/// As written where that hides what cannot be shown: it goes into rows, records and terminals.
fn unescaped(text: &[u8]) -> String {
    let as_written = String::from_utf8_lossy(text);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    match String::from_utf8(out) {
        Ok(text) if !text.contains(char::is_control) => text,
        _ => as_written.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn parsed(uri: &str) -> Uri {
        Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).unwrap()
    }

    #[test]
    fn a_number_is_the_same_however_a_carrier_writes_it() {
        for uri in [
            "sip:+4930123457@192.0.2.1",
            "sip:+4930123457@192.0.2.1:5070;user=phone;transport=udp",
            "SIP:+4930123457@192.0.2.1",
            "sips:+4930123457@192.0.2.1",
            "sip:%2B4930123457@192.0.2.1",
            "sip:+4930%3123457@192.0.2.1",
            "sip:+4930123457:secret@192.0.2.1",
            "sip:+4930123457;npdi@192.0.2.1;user=phone",
            "sip:+4930123457;npdi=yes;rn=+4930000000@192.0.2.1;user=phone",
            "sip:+4930123457;tgrp=tg1;trunk-context=example.com@192.0.2.1;user=phone",
            "sip:+4930123457;cpc=ordinary@192.0.2.1",
            "sip:+4930123457;isup-oli=62@192.0.2.1",
            "sip:+49-30-123457@192.0.2.1",
            "sip:+49(30)123.457@192.0.2.1",
            "sip:+49%2030%20123%20457@192.0.2.1",
            "tel:+4930123457",
            "tel:+49-30-123457;npdi;rn=+4930000000",
            "TEL:+49(30)123457;ext=7",
        ] {
            assert_eq!(number(&parsed(uri)), "+4930123457", "{uri}");
            assert_eq!(calling_number(&parsed(uri)), "+4930123457", "{uri}");
        }
    }

    #[test]
    fn numbers_and_names_that_differ_stay_apart() {
        for (uri, expected) in [
            ("sip:4930123457@192.0.2.1", "4930123457"),
            ("sip:004930123457@192.0.2.1", "004930123457"),
            ("sip:30123457;phone-context=+49@192.0.2.1", "30123457"),
            ("tel:00498912345;phone-context=+49", "00498912345"),
            ("sip:*31%23@192.0.2.1", "*31#"),
            ("sip:+49-30%3Bnpdi@192.0.2.1", "+49-30;npdi"),
            ("sip:alice.b-7@example.com", "alice.b-7"),
            ("sip:a%20b@example.com", "a b"),
            ("sip:+@example.com", "+"),
            ("sip:-.-@example.com", "-.-"),
            ("sip:m%C3%BCller@example.com", "müller"),
            ("sip:192.0.2.1:5060", ""),
            ("http://192.0.2.1/", ""),
        ] {
            assert_eq!(number(&parsed(uri)), expected, "{uri}");
        }
    }

    /// What a far end escapes reaches logs, records and terminals.
    #[test]
    fn what_cannot_be_shown_stays_escaped() {
        for hidden in ["null-%00-null", "a%0D%0AEvil", "a%1B%5B2J", "%FF%FE", "%C2%85"] {
            let uri = parsed(&format!("sip:{hidden}@example.com"));
            assert_eq!((user(&uri), number(&uri)), (hidden.to_owned(), hidden.to_owned()));
        }
    }

    #[test]
    fn a_name_keeps_what_a_number_loses() {
        assert_eq!(user(&parsed("sip:7-1%2Ea;x=y@pbx.example.com")), "7-1.a;x=y");
        assert_eq!(user(&parsed("tel:+4930123457")), "");
    }

    #[test]
    fn who_withholds_a_number_is_anonymous() {
        for uri in [
            "sip:anonymous@192.0.2.1",
            "sip:anonymous;cpc=payphone@192.0.2.1",
            "sip:%61nonymous@192.0.2.1",
            "sip:anonymous.invalid",
            "sip:c8oqz84zk7z@Anonymous.Invalid;user=phone",
        ] {
            assert_eq!(calling_number(&parsed(uri)), "anonymous", "{uri}");
        }
        assert_eq!(calling_number(&parsed("sip:+498912345@anonymous.example")), "+498912345");
    }

    #[test]
    fn other_schemes_are_nobodys() {
        for uri in ["sip:a@b", "SIPS:a@b", "tel:+4930123457", "Tel:1"] {
            assert!(is_served(uri), "{uri}");
        }
        for uri in ["http://192.0.2.1/", "mailto:a@b", "urn:service:sos", "sipp:a@b", ""] {
            assert!(!is_served(uri), "{uri}");
        }
    }
}
