//! Display names that their sender should have quoted: a caller is not lost for a comma in a name. RFC 4475 section 3.1.2.15
//! leaves it to the reader whether such a message is refused.

use crate::text::with_lines;

/// A message whose From and To cannot be read, with the names in them quoted; none if that mends nothing. A quote that is
/// not closed may have swallowed the address: such stays as it is.
pub(crate) fn quoted(message: &[u8]) -> Option<Vec<u8>> {
    with_lines(message, mended)
}

fn mended(line: &str) -> Option<String> {
    let (field, value) = line.split_once(':')?;
    if !["From", "f", "To", "t"].iter().any(|known| known.eq_ignore_ascii_case(field.trim())) {
        return None;
    }
    // No URI has one in it.
    let (name, address) = value.split_at(value.rfind('<')?);
    let name = name.trim();
    let quotes = name.matches('"').count() - name.matches("\\\"").count();
    if name.is_empty() || quotes % 2 != 0 {
        return None;
    }
    let plain = name.replace(['"', '\\'], "");
    Some(format!("{field}: \"{}\" {address}", plain.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn from(name: &str) -> Option<String> {
        let text = format!(
            "INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKd\r\nMax-Forwards: 70\r\n\
             f: {name}<sip:7@192.0.2.4>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: d\r\nCSeq: 2 INVITE\r\n\
             Subject: Best, of <all>\r\nContent-Length: 0\r\n\r\n"
        );
        let message = Message::parse(text.as_bytes()).ok()?;
        assert_eq!((message.calling_number(), message.from_tag()), ("7", "1"), "{name}");
        assert_eq!(message.header("Subject"), Some("Best, of <all>"));
        message.header("From").map(str::to_owned)
    }

    #[test]
    fn a_caller_is_not_lost_for_a_name() {
        for (name, read) in [
            ("Mueller, Hans ", "\"Mueller, Hans\" "),
            ("Fa. Best & Co ", "\"Fa. Best & Co\" "),
            ("Dr. Best (Praxis)", "\"Dr. Best (Praxis)\" "),
            ("Best@Home ", "\"Best@Home\" "),
            ("Müller ", "\"Müller\" "),
            ("\"\"unknown\"\" ", "\"unknown\" "),
            ("a <3 b ", "\"a <3 b\" "),
            ("\"a\" and b\\ ", "\"a and b\" "),
        ] {
            let from = from(name).unwrap_or_else(|| panic!("{name} is refused"));
            assert_eq!(from, format!("{read}<sip:7@192.0.2.4>;tag=1"), "{name}");
        }
    }

    #[test]
    fn what_is_right_or_past_mending_stays() {
        for name in ["", "Hans Mueller ", "\"Mueller, Hans\" ", "\"Fa. \\\"Best\\\" GmbH\" ", "\"a<b>c\" ", "O'Brien "]
        {
            let from = from(name).unwrap_or_else(|| panic!("{name} is refused"));
            assert_eq!(from, format!("{name}<sip:7@192.0.2.4>;tag=1"), "{name}");
        }
        for name in ["\"unclosed ", "a\" ", "\"\"\" "] {
            assert_eq!(from(name), None, "{name}");
        }
    }

    #[test]
    fn only_names_are_mended() {
        assert_eq!(quoted(b"INVITE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>\r\nTo: sip:a@b\r\n\r\nFrom: x, y <z>"), None);
        assert_eq!(quoted(b"\xff"), None);
    }
}
