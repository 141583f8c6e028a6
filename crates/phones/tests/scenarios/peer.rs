//! The other end of the tests: a plain UDP socket and text, with no SIP code behind it.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use strowger_phones::{Live, Phones, PhonesOptions, Report};

/// Nothing in these tests takes longer, even on a busy machine; whoever waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Peer {
    pub socket: UdpSocket,
    /// One for audio, which the test sends and receives itself.
    pub media: UdpSocket,
}

#[derive(Clone, Debug)]
pub struct Text {
    pub head: String,
    pub body: String,
    pub from: SocketAddr,
}

impl Peer {
    pub fn new() -> Peer {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        Peer { socket: bind(), media: bind() }
    }

    pub fn phones(&self, media_from: u16) -> Phones {
        let mut options = PhonesOptions::new(self.address(), "127.0.0.1".parse().unwrap(), 0, 0);
        // Each test has ports of its own: they run side by side.
        options.media_ports = media_from..=media_from + 98;
        Phones::start(options).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// The next message that begins with `start`; others (repetitions, registrations) are passed over.
    pub fn expect(&self, start: &str) -> Text {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0u8; 65_536];
        while Instant::now() < until {
            let (length, from) = self.socket.recv_from(&mut buffer).unwrap_or_else(|e| panic!("no {start}: {e}"));
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            if head.starts_with(start) {
                return Text { head: head.to_owned(), body: body.to_owned(), from };
            }
        }
        panic!("no {start}");
    }

    /// `extra` are whole header lines.
    pub fn answer(&self, request: &Text, status: &str, tag: &str, extra: &str, body: &str) {
        let mut head = format!("SIP/2.0 {status}\r\n");
        for line in request.head.lines().skip(1) {
            let name = line.split(':').next().unwrap();
            match name {
                "To" if !line.contains(";tag=") && !tag.is_empty() => head += &format!("{line};tag={tag}\r\n"),
                "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route" => head += &format!("{line}\r\n"),
                _ => {}
            }
        }
        self.send(&format!("{head}{extra}Content-Length: {}\r\n\r\n{body}", body.len()), request.from);
    }

    pub fn contact(&self) -> String {
        format!("Contact: <sip:b2b@{}>\r\n", self.address())
    }

    pub fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    /// A request of one's own; `from` and `to` with their tags.
    #[allow(clippy::too_many_arguments, reason = "the fields of a message, in its order")]
    pub fn request(
        &self,
        method: &str,
        user: &str,
        phone: SocketAddr,
        (branch, cseq): (&str, u32),
        (from, to): (&str, &str),
        call_id: &str,
        body: &str,
    ) {
        let here = self.address();
        let cseq_method = method;
        let text = format!(
            "{method} sip:{user}@{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {cseq_method}\r\n\
             Contact: <sip:b2b@{here}>\r\nX-Queue: sales\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&text, phone);
    }

    /// An SDP that leads the audio to this peer's media socket.
    pub fn sdp(&self) -> String {
        sdp(self.media.local_addr().unwrap(), "0 101")
    }
}

pub fn sdp(media: SocketAddr, formats: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {}\r\nt=0 0\r\nm=audio {} RTP/AVP {formats}\r\n\
         a=rtpmap:101 telephone-event/8000\r\n",
        media.ip(),
        media.port()
    )
}

impl Text {
    pub fn header(&self, name: &str) -> String {
        let prefix = format!("{name}: ");
        let line = self.head.lines().find(|line| line.starts_with(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))[prefix.len()..].to_owned()
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    /// Where the SDP wants the audio.
    pub fn media(&self) -> SocketAddr {
        let port = self.body.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
        let port = port.split(' ').next().unwrap();
        format!("127.0.0.1:{port}").parse().unwrap()
    }
}

pub fn wait_for_reports(phones: &Phones, count: usize) -> Vec<Report> {
    let mut reports = Vec::new();
    wait(phones, |_| {
        reports.extend(phones.take_reports());
        reports.len() >= count
    });
    reports
}

pub fn wait(phones: &Phones, mut done: impl FnMut(&Live) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done(&phones.live()) {
        assert!(Instant::now() < until, "waited in vain: {:?}", phones.live());
        std::thread::sleep(Duration::from_millis(5));
    }
}
