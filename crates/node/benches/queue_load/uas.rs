//! Agents for saturation, all on one socket: they answer at once, hang up after their talk, and note how long it takes
//! until the phone rings again. SIPp cannot tell that of one agent over several calls.

use std::collections::{BinaryHeap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use std::cmp::Reverse;

/// RFC 3261, 17.1.2.2: a request without answer is sent again.
const T1: Duration = Duration::from_millis(500);
const GIVE_UP: u32 = 7;
/// How late a BYE may be sent.
const STEP: Duration = Duration::from_millis(1);

/// What the agents saw while `measuring` was set.
#[derive(Default)]
pub struct Seen {
    /// From an agent's BYE to its next INVITE.
    pub since_bye: Vec<Duration>,
    /// From the 200 to that BYE; zero if the INVITE was there first.
    pub since_ok: Vec<Duration>,
    pub invites: u64,
    pub repeated: u64,
    /// INVITEs for an agent that already had a call.
    pub double: u64,
}

pub struct Agents {
    pub port: u16,
    pub measuring: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Agents {
    pub fn start(server: u16, talk: Duration) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(STEP))?;
        let port = socket.local_addr()?.port();
        let (measuring, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let server = SocketAddr::from(([127, 0, 0, 1], server));
        let board = Board {
            socket,
            server,
            port,
            talk,
            measuring: measuring.clone(),
            calls: HashMap::new(),
            agents: HashMap::new(),
            due: BinaryHeap::new(),
            seen: Seen::default(),
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || board.run(&stopped));
        Ok(Self { port, measuring, stop, thread })
    }

    pub fn finish(self) -> Seen {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

struct Call {
    agent: String,
    /// The INVITE's, for the answer and for our BYE.
    from: String,
    to: String,
    target: String,
    answer: String,
    confirmed: bool,
    byes: u32,
}

#[derive(Default)]
struct Agent {
    call: Option<String>,
    bye: Option<Instant>,
    ok: Option<Instant>,
}

struct Board {
    socket: UdpSocket,
    server: SocketAddr,
    port: u16,
    talk: Duration,
    measuring: Arc<AtomicBool>,
    calls: HashMap<String, Call>,
    agents: HashMap<String, Agent>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
    seen: Seen,
}

impl Board {
    fn run(mut self, stop: &AtomicBool) -> Seen {
        let mut buffer = [0; 8192];
        while !stop.load(Relaxed) {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && let Ok(text) = std::str::from_utf8(&buffer[..length])
            {
                self.take(text, from, Instant::now());
            }
            let now = Instant::now();
            while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                let Some(Reverse((_, id))) = self.due.pop() else { break };
                self.hang_up(id, now);
            }
        }
        self.seen
    }

    fn take(&mut self, text: &str, from: SocketAddr, now: Instant) {
        let id = header(text, "Call-ID").unwrap_or_default().to_owned();
        match text.split(' ').next().unwrap_or_default() {
            "INVITE" => self.invited(text, id, from, now),
            "ACK" => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                if !std::mem::replace(&mut call.confirmed, true) {
                    self.due.push(Reverse((now + self.talk, id)));
                }
            }
            "SIP/2.0" if header(text, "CSeq").is_some_and(|cseq| cseq.ends_with("BYE")) => {
                let Some(call) = self.calls.remove(&id) else { return };
                if let Some(agent) = self.agents.get_mut(&call.agent) {
                    agent.ok = Some(now);
                }
            }
            "BYE" => {
                self.send(&response(text, "200 OK", "", ""), from);
                if let Some(agent) = self.calls.remove(&id).and_then(|call| self.agents.get_mut(&call.agent)) {
                    // The other side ended it: no gap of ours begins.
                    *agent = Agent::default();
                }
            }
            _ => {}
        }
    }

    fn invited(&mut self, text: &str, id: String, from: SocketAddr, now: Instant) {
        if let Some(call) = self.calls.get(&id) {
            self.seen.repeated += 1;
            return self.send(&call.answer, from);
        }
        let uri = text.split(' ').nth(1).unwrap_or_default();
        let name = uri.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned();
        let agent = self.agents.entry(name.clone()).or_default();
        if self.measuring.load(Relaxed) {
            self.seen.invites += 1;
            if let Some(bye) = agent.bye {
                self.seen.since_bye.push(now - bye);
                self.seen.since_ok.push(agent.ok.map_or(Duration::ZERO, |ok| now - ok));
            }
            // With its BYE on the way an agent is free; without one it still talks.
            self.seen.double += u64::from(agent.call.is_some() && agent.bye.is_none());
        }
        *agent = Agent { call: Some(id.clone()), bye: None, ok: None };
        let sdp = "v=0\r\no=agent 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
        let contact = format!("Contact: <sip:{name}@127.0.0.1:{}>\r\n", self.port);
        let answer = response(text, "200 OK", &contact, sdp);
        self.send(&answer, from);
        let field = |name: &str| header(text, name).unwrap_or_default().to_owned();
        let contact = field("Contact");
        let target = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(uri, _)| uri);
        let call = Call {
            agent: name,
            from: field("From"),
            to: format!("{};tag=agent", field("To")),
            target: target.to_owned(),
            answer,
            confirmed: false,
            byes: 0,
        };
        self.calls.insert(id, call);
    }

    fn hang_up(&mut self, id: String, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.byes += 1;
        if call.byes > GIVE_UP {
            self.calls.remove(&id);
            return;
        }
        let Call { target, from, to, .. } = call;
        // A Call-ID may hold characters that a branch may not.
        let branch: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let bye = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK-bye-{branch}\r\nFrom: {to}\r\n\
             To: {from}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.port
        );
        if call.byes == 1
            && let Some(agent) = self.agents.get_mut(&call.agent)
        {
            agent.bye = Some(now);
        }
        let again = now + T1 * 2_u32.pow(call.byes - 1);
        self.send(&bye, self.server);
        self.due.push(Reverse((again, id)));
    }

    fn send(&self, text: &str, to: SocketAddr) {
        // What the socket does not take is lost as any datagram may be.
        let _ = self.socket.send_to(text.as_bytes(), to);
    }
}

/// The first header of that name; the product writes no short forms.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    headers(text, name).next()
}

fn headers<'a, 'b>(text: &'a str, name: &'b str) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
    let lines = text.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .filter_map(move |line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        .map(|(_, v)| v.trim())
}

fn response(request: &str, status: &str, contact: &str, sdp: &str) -> String {
    let field = |name: &str| header(request, name).unwrap_or_default();
    let vias: String = headers(request, "Via").map(|via| format!("Via: {via}\r\n")).collect();
    let to = field("To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=agent" };
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{contact}{kind}\
         Content-Length: {}\r\n\r\n{sdp}",
        field("From"),
        field("Call-ID"),
        field("CSeq"),
        sdp.len()
    )
}
