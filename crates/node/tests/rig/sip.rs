//! Plain-text SIP for scripted far ends: enough to read what the product sends. It shares no code with the product.

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::tcp::Lines;

/// RFC 3261, table 4.
const T1: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct Message {
    /// Request line or status line.
    pub first: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Message {
    pub fn parse(text: &str) -> Message {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Message { first, headers, body: body.to_owned() }
    }

    /// Status of an answer, 0 for a request.
    pub fn status(&self) -> u16 {
        self.first.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
    }

    pub fn is_request(&self, method: &str) -> bool {
        self.first.starts_with(&format!("{method} "))
    }

    /// An answer with this status to a request of this number and method, as `2 INVITE`.
    pub fn answers(&self, status: u16, cseq: &str) -> bool {
        self.status() == status && self.header("cseq") == cseq
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn vias(&self) -> impl Iterator<Item = &str> {
        self.all("via")
    }

    /// Every value of a header.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn to_tag(&self) -> &str {
        self.header("to").split_once(";tag=").map_or("", |(_, tag)| tag)
    }

    /// What stands between the angle brackets of Contact.
    pub fn contact(&self) -> &str {
        let contact = self.header("contact");
        contact.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(contact, |(uri, _)| uri)
    }

    pub fn cseq(&self) -> u32 {
        self.header("cseq").split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Whether the body has this line, as `a=recvonly`.
    pub fn has_line(&self, line: &str) -> bool {
        self.body.lines().any(|own| own == line)
    }
}

/// A socket and what came in on it that nobody has waited for yet.
pub struct Wire {
    socket: Socket,
    /// What is sent again while an answer is due, as UDP wants it (RFC 3261 17.1.1.2 and 13.3.1.4).
    last: RefCell<Option<(SocketAddr, String)>>,
    inbox: Vec<Message>,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(Lines),
}

impl Socket {
    fn send(&self, to: SocketAddr, text: &str) {
        match self {
            Socket::Udp(socket) => drop(socket.send_to(text.as_bytes(), to).expect("sending")),
            Socket::Tcp(lines) => lines.send(to, &text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")),
        }
    }

    fn receive(&self, within: Duration) -> Option<String> {
        match self {
            Socket::Udp(socket) => {
                socket.set_read_timeout(Some(within)).expect("a timeout above zero");
                let mut buffer = [0; 8192];
                let (length, _) = socket.recv_from(&mut buffer).ok()?;
                Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
            }
            Socket::Tcp(lines) => lines.receive(within),
        }
    }
}

impl Wire {
    /// Listens for TCP connections, and opens one to each address it sends to.
    pub fn open_tcp() -> Wire {
        Wire { socket: Socket::Tcp(Lines::open()), last: RefCell::new(None), inbox: Vec::new() }
    }

    /// How many connections others have opened to this far end.
    pub fn connections_accepted(&self) -> usize {
        match &self.socket {
            Socket::Udp(_) => 0,
            Socket::Tcp(lines) => lines.accepted(),
        }
    }

    pub fn open() -> Wire {
        Wire::open_at([127, 0, 0, 1])
    }

    pub fn open_at(ip: [u8; 4]) -> Wire {
        let socket = UdpSocket::bind(SocketAddr::from((ip, 0))).expect("a socket");
        Wire { socket: Socket::Udp(socket), last: RefCell::new(None), inbox: Vec::new() }
    }

    pub fn address(&self) -> SocketAddr {
        match &self.socket {
            Socket::Udp(socket) => socket.local_addr().expect("its address"),
            Socket::Tcp(lines) => lines.address(),
        }
    }

    pub fn send(&self, to: SocketAddr, text: &str) {
        self.socket.send(to, text);
        let is_due = |message: &Message| match message.status() {
            0 => !message.is_request("ACK"),
            status => status >= 200 && message.header("cseq").ends_with(" INVITE"),
        };
        let repeats = matches!(self.socket, Socket::Udp(_)) && is_due(&Message::parse(text));
        *self.last.borrow_mut() = repeats.then(|| (to, text.to_owned()));
    }

    /// The first message that fits, of those that came and those that come within `within`.
    pub fn within(&mut self, within: Duration, mut fits: impl FnMut(&Message) -> bool) -> Option<Message> {
        let deadline = Instant::now() + within;
        let mut looked_at = 0;
        loop {
            if let Some(at) = self.inbox[looked_at..].iter().position(&mut fits) {
                return Some(self.inbox.remove(looked_at + at));
            }
            looked_at = self.inbox.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.inbox.extend(self.socket.receive(left).map(|text| Message::parse(&text)));
        }
    }

    /// As `within`, for what must come. A node may have been passive for a moment: what it did not hear is sent again.
    pub fn expect(&mut self, what: &str, mut fits: impl FnMut(&Message) -> bool) -> Message {
        let deadline = Instant::now() + super::SOON;
        while Instant::now() < deadline {
            if let Some(found) = self.within(T1, &mut fits) {
                return found;
            }
            if let Some((to, text)) = &*self.last.borrow() {
                self.socket.send(*to, text);
            }
        }
        panic!("{what} did not come; there is {:#?}", self.firsts())
    }

    /// As `expect`, without a word of ours: it comes by itself.
    pub fn comes(&mut self, what: &str, fits: impl FnMut(&Message) -> bool) -> Message {
        let found = self.within(super::SOON, fits);
        found.unwrap_or_else(|| panic!("{what} did not come; there is {:#?}", self.firsts()))
    }

    /// Whether nothing that fits comes within `within`.
    pub fn is_quiet(&mut self, within: Duration, fits: impl FnMut(&Message) -> bool) -> bool {
        self.within(within, fits).is_none()
    }

    /// Forgets what has come so far.
    pub fn forget(&mut self) {
        while self.within(Duration::from_millis(1), |_| true).is_some() {}
    }

    fn firsts(&self) -> Vec<String> {
        self.inbox.iter().map(|message| format!("{} ({})", message.first, message.header("cseq"))).collect()
    }
}

/// An offer or answer for one audio stream in A-law.
pub fn sdp(port: u16, version: u32, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

/// Head and body with the lines that belong to the body.
pub fn with_body(head: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}
