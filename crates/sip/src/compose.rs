//! Writing messages. What we write is a small, fixed subset of SIP, so it is written as text directly; what
//! comes from elsewhere (a display name, a number, an echoed header) cannot break out of its line.

/// Our Max-Forwards on every request (RFC 3261 section 8.1.1.6).
pub(crate) const MAX_FORWARDS: u32 = 70;
/// Roughly what a message of ours takes, in bytes, so that most are written without growing the buffer.
const USUAL_BYTES: usize = 1024;

/// A content type and a body.
pub(crate) type Body<'a> = (&'a str, &'a [u8]);

pub(crate) const SDP: &str = "application/sdp";

/// One message being written.
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn request(method: &str, uri: &str) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(USUAL_BYTES) };
        writer.token(method);
        writer.out.push(b' ');
        writer.token(uri);
        writer.out.extend_from_slice(b" SIP/2.0\r\n");
        writer
    }

    pub(crate) fn response(status: u16, phrase: &str) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(USUAL_BYTES) };
        writer.out.extend_from_slice(format!("SIP/2.0 {status} ").as_bytes());
        writer.text(phrase);
        writer.out.extend_from_slice(b"\r\n");
        writer
    }

    pub(crate) fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.token(name);
        self.out.extend_from_slice(b": ");
        self.text(value);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn headers<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) -> &mut Self {
        for value in values {
            self.header(name, value);
        }
        self
    }

    pub(crate) fn finish(mut self, body: Option<Body<'_>>) -> Vec<u8> {
        let (kind, body) = body.unwrap_or_default();
        if !body.is_empty() {
            self.header("Content-Type", kind);
        }
        self.header("Content-Length", &body.len().to_string());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        self.out
    }

    /// A value inside one line: a control character in it would end the line or the message.
    fn text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            self.out.extend(text.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    /// A value that must not hold white space either, or it becomes two.
    fn token(&mut self, text: &str) {
        self.out.extend(text.bytes().filter(|byte| !byte.is_ascii_control() && *byte != b' '));
    }
}

/// `"name" <uri>`, the name quoted (RFC 3261 section 25.1, quoted-string) and left out when empty.
pub(crate) fn name_addr(name: &str, uri: &str) -> String {
    if name.is_empty() {
        return format!("<{uri}>");
    }
    let mut out = String::with_capacity(name.len() + uri.len() + 5);
    out.push('"');
    for letter in name.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push_str("\" <");
    out.push_str(uri);
    out.push('>');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_line() {
        let mut out = Writer::request("INVITE", "sip:a@b SIP/2.0\r\nEvil: yes");
        out.header("Subject", "one\r\nEvil: yes");
        let text = String::from_utf8(out.finish(None)).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(!text.contains("\nEvil"));
    }

    #[test]
    fn a_display_name_is_quoted() {
        assert_eq!(name_addr(r#"A "B" \"#, "sip:a@b"), r#""A \"B\" \\" <sip:a@b>"#);
        assert_eq!(name_addr("", "sip:a@b"), "<sip:a@b>");
    }
}
