//! rtpengine as a process, asked by its `ng` protocol: a cookie and a bencoded dictionary in a datagram.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::far::{Far, LEGS_A_SOCKET, LOOPBACK, sockets};
use crate::process::Process;
use crate::{Outcome, PORTS};

const PROGRAM: &str = "rtpengine";
const READY: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_millis(500);
const ANSWER_BYTES: usize = 8192;

pub fn is_installed() -> bool {
    let found = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

pub fn start(streams: usize) -> Outcome<(Process, Far)> {
    let control = UdpSocket::bind((LOOPBACK, 0))?.local_addr()?;
    let mut command = Command::new(PROGRAM);
    // The table is the kernel module's: -1 is user space.
    command.args([
        "--config-file=none",
        "--foreground",
        "--log-stderr",
        "--log-level=1",
        "--table=-1",
        "--num-threads=1",
    ]);
    command.arg(format!("--interface={LOOPBACK}")).arg(format!("--listen-ng={control}"));
    command.arg(format!("--port-min={}", PORTS.start)).arg(format!("--port-max={}", PORTS.end - 1));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut process = Process::new(child);
    let mut control = Control::connect(control)?;
    control.until_ready()?;
    process.note_idle();
    let sockets = sockets(streams);
    let mut far = Vec::new();
    for call in 0..streams / 2 {
        let legs = [2 * call, 2 * call + 1].map(|leg| sockets[leg / LEGS_A_SOCKET].clone());
        let [caller, called] = [legs[0].local_addr()?.port(), legs[1].local_addr()?.port()];
        // What comes back with the offer is where the called one sends to, and the other way round.
        let for_called = control.describe("offer", call, caller)?;
        let for_caller = control.describe("answer", call, called)?;
        let [caller, called] = legs;
        far.extend([(caller, for_caller), (called, for_called)]);
    }
    Ok((process, far))
}

struct Control {
    socket: UdpSocket,
    asked: u64,
}

impl Control {
    fn connect(to: SocketAddr) -> Outcome<Self> {
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(Self { socket, asked: 0 })
    }

    fn until_ready(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + READY;
        while !self.ask(&[("command", "ping")]).is_ok_and(|answer| answer.contains("pong")) {
            if Instant::now() > deadline {
                return Err("rtpengine does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Gives one side's session description, and returns where the other side is to send.
    fn describe(&mut self, command: &str, call: usize, port: u16) -> Outcome<SocketAddr> {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        );
        let call = format!("call-{call}");
        let mut ask =
            vec![("ICE", "remove"), ("call-id", &call), ("command", command), ("from-tag", "a"), ("sdp", &sdp)];
        if command == "answer" {
            ask.push(("to-tag", "b"));
        }
        let answer = self.ask(&ask)?;
        let media = answer.split_once("m=audio ").and_then(|(_, rest)| rest.split(' ').next());
        let port = media.and_then(|port| port.parse().ok()).ok_or_else(|| format!("rtpengine said: {answer}"))?;
        Ok(SocketAddr::new(LOOPBACK, port))
    }

    fn ask(&mut self, pairs: &[(&str, &str)]) -> Outcome<String> {
        self.asked += 1;
        let cookie = self.asked.to_string();
        let texts = pairs.iter().flat_map(|(key, value)| [key, value]);
        let body: String = texts.map(|text| format!("{}:{text}", text.len())).collect();
        self.socket.send(format!("{cookie} d{body}e").as_bytes())?;
        let mut bytes = [0; ANSWER_BYTES];
        loop {
            let length = self.socket.recv(&mut bytes)?;
            let answer = String::from_utf8_lossy(&bytes[..length]).into_owned();
            // An older question's answer may come late.
            if answer.split(' ').next() == Some(&cookie) {
                return Ok(answer);
            }
        }
    }
}
