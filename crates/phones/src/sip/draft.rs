//! A request about to be sent: everything but its topmost Via, which the transaction adds.

use std::fmt::Write;
use std::net::SocketAddr;

pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";
pub(crate) const SDP_TYPE: &str = "application/sdp";

#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub method: &'static str,
    pub uri: String,
    pub routes: Vec<String>,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub contact: Option<String>,
    pub extra: Vec<(&'static str, String)>,
    pub sdp: Option<String>,
}

impl Draft {
    pub fn print(&self, sent_by: SocketAddr, branch: &str) -> Vec<u8> {
        let mut text = String::with_capacity(1024);
        let method = self.method;
        // Writing to a String cannot fail.
        let _ = write!(text, "{method} {} SIP/2.0\r\n", self.uri);
        let _ = write!(text, "Via: SIP/2.0/UDP {sent_by};rport;branch={branch}\r\nMax-Forwards: 70\r\n");
        for route in &self.routes {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let _ = write!(text, "From: {}\r\nTo: {}\r\nCall-ID: {}\r\n", self.from, self.to, self.call_id);
        let _ = write!(text, "CSeq: {} {method}\r\n", self.cseq);
        if let Some(contact) = &self.contact {
            let _ = write!(text, "Contact: {contact}\r\nAllow: {ALLOW}\r\n");
        }
        for (name, value) in &self.extra {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        finish(text, self.sdp.as_deref())
    }

    /// The ACK of a refusal: same branch, same Request-URI, To as the refusal has it (RFC 3261 section 17.1.1.3).
    pub fn ack_of_refusal(&self, to: &str) -> Draft {
        Draft { method: "ACK", to: to.to_owned(), contact: None, extra: Vec::new(), sdp: None, ..self.clone() }
    }

    /// RFC 3261 section 9.1.
    pub fn cancel(&self) -> Draft {
        Draft { method: "CANCEL", contact: None, extra: Vec::new(), sdp: None, ..self.clone() }
    }
}

/// Ends the header part and adds the body.
pub(crate) fn finish(mut text: String, sdp: Option<&str>) -> Vec<u8> {
    if sdp.is_some() {
        let _ = write!(text, "Content-Type: {SDP_TYPE}\r\n");
    }
    let body = sdp.unwrap_or_default();
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text.into_bytes()
}
