//! User parts that their sender should have escaped: a call is not lost for a `#`, which phones, door stations and PBXs
//! write as it is dialled. RFC 3261 section 25.1 has `%23` for it; so it stands wherever it is written on.

use std::ops::Range;

use crate::text::with_lines;

/// Fields that say who somebody is, or where: what is wrong in another's URI keeps no message from being read.
const FIELDS: [&str; 7] = ["From", "f", "To", "t", "Contact", "m", "P-Asserted-Identity"];
/// What the grammar has escaped and senders do not: what a keypad has, and what PBXs make names of.
const RAW: &str = "#[]{}|^`\\";

/// A message whose user parts are escaped, in its first line and in [`FIELDS`]; none if they all are.
pub(crate) fn escaped(message: &[u8]) -> Option<Vec<u8>> {
    // Of most messages none has such a byte: those are not taken to pieces.
    if !message.iter().any(|byte| is_raw(char::from(*byte))) {
        return None;
    }
    with_lines(message, |line| match line.split_once(':') {
        Some((field, value)) if is_field(field) => Some(format!("{field}:{}", in_value(value)?)),
        // The first line of a request: no field has blanks around its URI.
        _ => {
            let (method, rest) = line.split_once(' ').filter(|(method, _)| !method.contains(':'))?;
            let (uri, version) = rest.split_once(' ').filter(|(_, version)| *version == "SIP/2.0")?;
            let user = user(uri)?;
            Some(format!("{method} {} {version}", with_escapes(uri, &[user])?))
        }
    })
}

fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// Not within quotes: a name may look like an address.
fn in_value(value: &str) -> Option<String> {
    let mut users = Vec::new();
    let (mut is_quoted, mut is_escaped, mut begins) = (false, false, true);
    for (at, letter) in value.char_indices() {
        if begins && !is_quoted {
            users.extend(user(&value[at..]).map(|user| at + user.start..at + user.end));
        }
        begins = matches!(letter, '<' | ' ' | ',');
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    with_escapes(value, &users)
}

/// Where the user part stands of a SIP URI with which `text` begins.
fn user(text: &str) -> Option<Range<usize>> {
    let scheme = ["sip:", "sips:"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))?;
    let end = text.find(['@', '>', '<', '"', ' ', '\t']).filter(|end| text[*end..].starts_with('@'))?;
    Some(scheme.len()..end)
}

fn with_escapes(text: &str, users: &[Range<usize>]) -> Option<String> {
    let is_within = |at: usize| users.iter().any(|user| user.contains(&at));
    let mut out = String::with_capacity(text.len() + 8);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_raw(letter) && is_within(at) => out += &format!("%{:02X}", u32::from(letter)),
            _ => out.push(letter),
        }
    }
    (out.len() != text.len()).then_some(out)
}

fn is_raw(letter: char) -> bool {
    RAW.contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::register::{self, Contacts};

    fn invite(to: &str, from: &str, more: &str) -> Message {
        let text = format!(
            "INVITE {to} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKu\r\nMax-Forwards: 70\r\nFrom: {from};tag=1\r\n\
             t: <{to}>\r\nCall-ID: u\r\nCSeq: 2 INVITE\r\n{more}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn a_call_is_not_lost_for_what_its_user_part_has() {
        for (raw, escaped, number) in [
            ("sip:*34#@192.0.2.1", "sip:*34%23@192.0.2.1", "*34#"),
            ("sip:#31#491701234567@192.0.2.1:5060", "sip:%2331%23491701234567@192.0.2.1:5060", "#31#491701234567"),
            ("SIPS:9901#1@acme.example;user=phone", "SIPS:9901%231@acme.example;user=phone", "9901#1"),
            ("sip:PBX[2]@192.0.2.1", "sip:PBX%5B2%5D@192.0.2.1", "PBX[2]"),
            ("sip:a|b^c`d\\e{f}@192.0.2.1", "sip:a%7Cb%5Ec%60d%5Ce%7Bf%7D@192.0.2.1", "a|b^c`d\\e{f}"),
        ] {
            let message = invite(raw, &format!("\"Desk #7 <sip:x#@y>\" <{raw}>"), &format!("m: <{raw}>\r\n"));
            assert_eq!((message.called_number(), message.calling_number()), (number, number), "{raw}");
            let scheme = |uri: &str| uri.split_once(':').map(|(scheme, rest)| (scheme.to_lowercase(), rest.to_owned()));
            assert_eq!(scheme(message.request_uri()), scheme(escaped), "{raw}");
            assert_eq!(message.contact_uri().and_then(scheme), scheme(escaped), "{raw}");
            // A name is shown as it is written.
            assert_eq!(message.header("From"), Some(&*format!("\"Desk #7 <sip:x#@y>\" <{escaped}>;tag=1")));
            assert_eq!(message.header("To"), Some(&*format!("<{escaped}>")));
        }
        let message = invite("sip:1@h", "sip:*21#@h", "P-Asserted-Identity: \"x\" <sip:#9@h>, <tel:+4930123457>\r\n");
        assert_eq!(message.header("P-Asserted-Identity"), Some("\"x\" <sip:%239@h>, <tel:+4930123457>"));
    }

    #[test]
    fn a_phone_registers_under_it() {
        let text = "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKu\r\nMax-Forwards: 70\r\n\
                    From: <sip:9901#1@h>;tag=1\r\nTo: <sip:9901#1@h>\r\nCall-ID: u\r\nCSeq: 2 REGISTER\r\n\
                    Contact: <sip:9901#1@192.0.2.4>;q=0.5, sip:PBX#1@192.0.2.5\r\nContent-Length: 0\r\n\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        let Ok(Contacts::List(list)) = register::contacts(&message) else { panic!("they are refused") };
        let uris: Vec<_> = list.iter().map(|contact| contact.uri.as_str()).collect();
        assert_eq!(uris, ["sip:9901%231@192.0.2.4", "sip:PBX%231@192.0.2.5"]);
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for line in [
            "From: \"sip:#@h\" <sip:a@b>",
            "From: <sip:a%23@b>",
            "From: <sip:192.0.2.1;x=#>",
            "From: <tel:#31>",
            "Subject: <sip:#@b>",
            "Subject: sip:#@b SIP/2.0",
            "Via: SIP/2.0/UDP h;branch=z9hG4bK#@",
            "SIP/2.0 200 OK #@",
            "INVITE sip:a#b SIP/2.0",
            "INVITE sip:# @b SIP/2.0",
        ] {
            let message = format!("{line}\r\nContact: sip:a@b\r\n\r\nFrom: <sip:#@body>");
            assert_eq!(escaped(message.as_bytes()), None, "{line}");
        }
    }
}
