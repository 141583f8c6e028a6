//! SIPp: a far end by other people.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::house::NUMBER;
use super::{Rig, until_within};

/// How long a run of SIPp may take.
const RUN: Duration = Duration::from_secs(60);

/// Whether there is a SIPp; says so if there is none.
pub fn has_sipp() -> bool {
    let there = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("SKIPPED for want of sipp");
    }
    there
}

/// A SIPp process; ended with the test.
pub struct Sipp {
    child: Child,
    stats: PathBuf,
    scenario: &'static str,
}

impl Sipp {
    pub fn start(dir: &Path, scenario: &'static str, port: u16, more: &[&str]) -> Sipp {
        let stats = dir.join(format!("sipp-{scenario}-{port}.csv"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(format!("{scenario}.xml"));
        let errors = std::fs::File::create(stats.with_extension("log")).expect("a log");
        let mut command = Command::new("sipp");
        command.current_dir(dir).arg("-sf").arg(file).args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-nostdin", "-trace_stat", "-fd", "1", "-stf"]).arg(&stats).args(["-trace_err", "-error_file"]);
        command.arg(stats.with_extension("errors")).args(more);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().expect("starting SIPp");
        Sipp { child, stats, scenario }
    }

    /// Callers to one node: `calls` of them, `rate` a second, each for `stay` once answered.
    pub fn callers(rig: &Rig, node: u16, scenario: &'static str, calls: u32, rate: u32, stay: Duration) -> Sipp {
        Sipp::callers_over("u1", rig, rig.own(node), scenario, calls, rate, stay)
    }

    /// As `callers`, over a transport as SIPp names it: `t1` is one TCP connection for all, `tn` one for each.
    pub fn callers_over(
        transport: &str,
        rig: &Rig,
        to: SocketAddr,
        scenario: &'static str,
        calls: u32,
        rate: u32,
        stay: Duration,
    ) -> Sipp {
        let (calls, rate, stay) = (calls.to_string(), rate.to_string(), stay.as_millis().to_string());
        let to = to.to_string();
        let limit = [
            "-t",
            transport,
            "-m",
            &calls,
            "-r",
            &rate,
            "-d",
            &stay,
            "-s",
            NUMBER,
            "-l",
            "200",
            "-max_socket",
            "500",
            &to,
        ];
        Sipp::start(&rig.dir, scenario, free_port().port(), &limit)
    }

    /// Callers over UDP from a socket of their own; every message is kept in a file.
    pub fn callers_traced(
        rig: &Rig,
        to: SocketAddr,
        scenario: &'static str,
        calls: u32,
        rate: u32,
        stay: Duration,
    ) -> Sipp {
        let (calls, rate, stay) = (calls.to_string(), rate.to_string(), stay.as_millis().to_string());
        let (port, to) = (free_port().port(), to.to_string());
        let trace = rig.dir.join(format!("sipp-{scenario}-{port}.trace")).display().to_string();
        let more = ["-m", &calls, "-r", &rate, "-d", &stay, "-s", NUMBER, "-trace_msg", "-message_file", &trace, &to];
        Sipp::start(&rig.dir, scenario, port, &more)
    }

    /// What went over the wire, as SIPp writes it.
    pub fn trace(&self) -> String {
        std::fs::read_to_string(self.stats.with_extension("trace")).expect("SIPp's messages")
    }

    /// Waits for the end, whatever became of the calls.
    pub fn over(&mut self) {
        self.ended();
    }

    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        let scenario = self.scenario;
        until_within(RUN, &format!("SIPp ends {scenario}"), || {
            status = self.child.try_wait().expect("its state");
            status.is_some()
        });
        status.expect("was just there")
    }

    /// Waits for the end; all calls went as the scenario says. Returns how many messages were sent again.
    pub fn is_content(&mut self, calls: u32) -> u32 {
        let status = self.ended();
        let errors = std::fs::read_to_string(self.stats.with_extension("errors")).unwrap_or_default();
        assert!(status.success(), "SIPp {}: {status}\n{errors}", self.scenario);
        let (done, failed) = (self.stat("SuccessfulCall(C)"), self.stat("FailedCall(C)"));
        assert_eq!((done, failed), (calls, 0), "SIPp {}: {errors}", self.scenario);
        self.stat("Retransmissions(C)")
    }

    /// The last value of a column of SIPp's statistics.
    pub fn stat(&self, column: &str) -> u32 {
        let text = std::fs::read_to_string(&self.stats).expect("SIPp's statistics");
        let mut lines = text.lines();
        let at = lines.next().and_then(|head| head.split(';').position(|name| name == column)).expect("the column");
        lines.next_back().and_then(|line| line.split(';').nth(at)?.parse().ok()).expect("a number")
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Of UDP and TCP. Asked of TCP first: Linux gives listeners odd ports and those who connect even ones, so that no
/// connection of another test takes it before SIPp does.
pub fn free_port() -> SocketAddr {
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        let at = listener.local_addr().ok()?;
        UdpSocket::bind(at).is_ok().then_some(at)
    };
    (0..100).find_map(|_| free()).expect("a free port")
}
