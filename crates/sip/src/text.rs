//! Cutting header values where the grammar allows it: never inside quotes or angle brackets.

/// The parts of `value` between separators, trimmed. A separator inside a quoted string or `<>` does not cut
/// (RFC 3261 section 25.1: both may hold commas and semicolons).
pub(crate) fn split(value: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut bracketed) = (0, false, false, false);
    for (at, byte) in value.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' if !bracketed => quoted = true,
                b'<' => bracketed = true,
                b'>' => bracketed = false,
                _ if byte == separator && !bracketed => {
                    parts.push(value[start..at].trim());
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
    parts.push(value[start..].trim());
    parts
}

/// The header parameter `name` of one value: `None` if absent, `Some("")` for a flag. Quotes are taken off.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    split(value, b';').into_iter().skip(1).find_map(|part| {
        let (key, text) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| text.trim().trim_matches('"'))
    })
}

/// The URI of a name-addr or addr-spec (RFC 3261 section 20.10: without `<>`, parameters belong to the header).
pub(crate) fn address_uri(value: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => {
                let rest = &value[at + 1..];
                return rest.split('>').next().unwrap_or(rest).trim();
            }
            _ => {}
        }
    }
    value.split(';').next().unwrap_or(value).trim()
}

/// A message with the lines of its head as `mend` has them; none if it leaves all as they are.
pub(crate) fn with_lines(message: &[u8], mend: impl Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    let (head, rest) = message.split_at(end);
    let head = std::str::from_utf8(head).ok()?;
    let mut is_mended = false;
    let lines: Vec<String> = head
        .split("\r\n")
        .map(|line| {
            let mended = mend(line);
            is_mended |= mended.is_some();
            mended.unwrap_or_else(|| line.to_owned())
        })
        .collect();
    is_mended.then(|| [lines.join("\r\n").as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_quotes_and_brackets_do_not_cut() {
        assert_eq!(split(r#""a,\",b" <sip:x,y@h>;p, <sip:z>"#, b','), [r#""a,\",b" <sip:x,y@h>;p"#, "<sip:z>"]);
        assert_eq!(split("", b','), [""]);
        assert_eq!(split("\"open, never closed", b',').len(), 1);
    }

    #[test]
    fn parameters_are_found_by_name_in_any_case() {
        let via = "SIP/2.0/UDP h:5060 ;rport; Branch = z9hG4bKx ;note=\"a;b\"";
        assert_eq!(parameter(via, "rport"), Some(""));
        assert_eq!(parameter(via, "branch"), Some("z9hG4bKx"));
        assert_eq!(parameter(via, "note"), Some("a;b"));
        assert_eq!(parameter(via, "received"), None);
    }

    #[test]
    fn a_uri_is_cut_out_of_any_address_form() {
        assert_eq!(address_uri(r#""<not> this" <sip:a@b;lr>;tag=1"#), "sip:a@b;lr");
        assert_eq!(address_uri("sip:a@b;tag=1"), "sip:a@b");
        assert_eq!(address_uri("<sip:open"), "sip:open");
    }
}
