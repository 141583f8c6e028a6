//! A datagram that is no message, and the answer its sender may still get.

use sipx_sip::error::ParseError;

use crate::compose::Writer;
use crate::screen::Refusal;
use crate::text::parameter;

/// What was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Answered with 513.
    #[error("larger than a datagram can be")]
    TooLarge,
    /// Neither a request line nor a status line, or a Request-URI with headers in it.
    #[error("malformed start line")]
    StartLine,
    /// A line that is no header.
    #[error("malformed header lines")]
    HeaderLines,
    /// More headers, or longer ones, than are looked at; answered with 513.
    #[error("a limit on headers is exceeded")]
    Limit,
    /// Cut short, or more than it says.
    #[error("the body does not end where Content-Length says")]
    Framing,
    /// The header, by name.
    #[error("{0} is missing, malformed or repeated")]
    Header(&'static str),
    /// What stands there goes into rows, records and lists.
    #[error("{what} has more than {most} bytes")]
    TooLong {
        /// Which part of which header.
        what: &'static str,
        /// What it may have.
        most: usize,
    },
    /// RFC 3261 section 8.1.1.5.
    #[error("the CSeq names another method than the request line")]
    MethodMismatch,
    /// Answered with 505.
    #[error("not SIP/2.0")]
    Version,
}

impl Problem {
    pub(crate) fn of_parse(error: &ParseError) -> Problem {
        match error {
            ParseError::StartLine(_) => Problem::StartLine,
            ParseError::Framing(_) | ParseError::Incomplete => Problem::Framing,
            ParseError::Limit { .. } => Problem::Limit,
            _ => Problem::HeaderLines,
        }
    }

    fn status(self) -> u16 {
        match self {
            Problem::Version => 505,
            Problem::TooLarge | Problem::Limit => 513,
            _ => 400,
        }
    }

    /// The others' phrases say what is wrong.
    fn refusal(self) -> Refusal {
        match self.status() {
            400 => Refusal::bad_request(self),
            status => Refusal::new(status, Vec::new()),
        }
    }
}

/// Why a datagram was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not a SIP message: {problem}")]
pub struct ParseFault {
    /// The first one found.
    pub problem: Problem,
    reply: Option<Vec<u8>>,
}

impl ParseFault {
    pub(crate) fn new(problem: Problem, datagram: &[u8]) -> ParseFault {
        ParseFault { problem, reply: reply(problem, datagram) }
    }

    /// The stateless 400, 505 or 513 to send back to where the packet came from, if it was a request that says
    /// enough to be answered at all.
    pub fn reply(&self) -> Option<Vec<u8>> {
        self.reply.clone()
    }
}

/// The five headers every response repeats (RFC 3261 section 8.2.6.2), by long and compact name.
const REPEATED: [(&str, &str); 5] = [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "cseq")];

/// Reads the head line by line with no opinion on what else is in it: the parser has already given up.
fn reply(problem: Problem, datagram: &[u8]) -> Option<Vec<u8>> {
    let end = datagram.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(datagram.len());
    let head = String::from_utf8_lossy(&datagram[..end]);
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut lines = head.split("\r\n");
    let start = lines.next()?;
    // Never answer an answer, nor an ACK (RFC 3261 section 17.1.1.3): that is how loops begin.
    let method = start.split(' ').next()?;
    if start.starts_with("SIP/") || method == "ACK" || !start.contains(' ') {
        return None;
    }
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(name, value)| {
            let name = name.trim();
            let known =
                |(long, short): &&(&str, &str)| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
            REPEATED.iter().find(known).map(|(long, _)| (*long, value.trim()))
        })
        .collect();
    let all = REPEATED.iter().all(|(name, _)| headers.iter().any(|(known, value)| known == name && !value.is_empty()));
    let branch = headers.iter().find(|(name, _)| *name == "Via").and_then(|(_, via)| parameter(via, "branch"));
    if !all || branch.is_none_or(str::is_empty) {
        return None;
    }
    let refusal = problem.refusal();
    let mut out = Writer::response(refusal.status, &refusal.reason);
    for (name, value) in headers {
        out.header(name, value);
    }
    Some(out.finish(None))
}
