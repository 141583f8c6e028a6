//! SIPp as the callers and as the agents: scenarios, processes, and what they wrote down.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::stage::NUMBER;

/// Where the scenarios name the port that media go to; SIPp's own is not read fast enough for 1000 calls.
const MEDIA: &str = "MEDIA-PORT";

pub fn is_installed() -> bool {
    Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What callers do once they are answered.
#[derive(Clone, Copy)]
pub enum Then {
    /// Hang up after so many milliseconds.
    Leave(u64),
    /// Wait for the other side's BYE.
    Stay,
}

/// So many calls in all, at so many a second, over as many processes as there are ports: the kernel picks the node by
/// the source port.
pub struct Callers<'a> {
    pub server: u16,
    pub ports: &'a [u16],
    pub rate: u64,
    pub calls: u64,
    pub then: Then,
    pub media_port: u16,
}

/// Processes of SIPp and the files they write.
pub struct Sipp {
    children: Vec<Child>,
    stats: Vec<PathBuf>,
    logs: Vec<PathBuf>,
}

/// The last line of SIPp's statistics, over all processes.
#[derive(Default)]
pub struct Totals {
    pub calls: u64,
    pub successful: u64,
    pub retransmissions: u64,
}

/// Microseconds since the epoch of each Call-ID, by what happened.
pub type Moments = HashMap<String, u64>;

impl Sipp {
    pub fn call(dir: &Path, name: &str, callers: &Callers) -> anyhow::Result<Self> {
        let scenario = dir.join(format!("{name}.xml"));
        std::fs::write(&scenario, caller_xml(callers.then).replace(MEDIA, &callers.media_port.to_string()))?;
        let mut all = Self { children: Vec::new(), stats: Vec::new(), logs: Vec::new() };
        let count = callers.ports.len() as u64;
        for (at, port) in callers.ports.iter().enumerate() {
            // A rate of R over a period of N seconds is R/N calls/s, also where that is no whole number.
            let period = 1000 * count;
            let share = callers.calls / count + u64::from((at as u64) < callers.calls % count);
            let options = format!("-r {} -rp {period} -m {share} -l {share}", callers.rate);
            let mut words: Vec<&str> = options.split(' ').collect();
            let server = format!("127.0.0.1:{}", callers.server);
            words.push(&server);
            all.spawn(dir, &format!("{name}-{at}"), &scenario, *port, &words)?;
        }
        Ok(all)
    }

    pub fn answer(dir: &Path, name: &str, ports: &[u16], media_port: u16) -> anyhow::Result<Self> {
        let scenario = dir.join(format!("{name}.xml"));
        std::fs::write(&scenario, AGENT_XML.replace(MEDIA, &media_port.to_string()))?;
        let mut all = Self { children: Vec::new(), stats: Vec::new(), logs: Vec::new() };
        for (at, port) in ports.iter().enumerate() {
            all.spawn(dir, &format!("{name}-{at}"), &scenario, *port, &[])?;
        }
        Ok(all)
    }

    fn spawn(&mut self, dir: &Path, name: &str, scenario: &Path, port: u16, words: &[&str]) -> anyhow::Result<()> {
        let file = |kind: &str| dir.join(format!("{name}.{kind}"));
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(scenario).args(["-i", "127.0.0.1", "-p", &port.to_string(), "-t", "u1", "-nostdin"]);
        command.args(["-trace_stat", "-fd", "1", "-stf"]).arg(file("csv"));
        command.args(["-trace_logs", "-log_file"]).arg(file("log")).args(words).current_dir(dir);
        let errors = File::create(file("err"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        self.children.push(command.spawn().context("starting sipp")?);
        self.stats.push(file("csv"));
        self.logs.push(file("log"));
        Ok(())
    }

    /// Until all of its calls are over; says whether they were in time.
    pub async fn finish(&mut self, within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        for child in &mut self.children {
            while child.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    return Ok(false);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(true)
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for file in &self.stats {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let mut lines = text.lines();
            let (Some(head), Some(last)) = (lines.next(), lines.next_back()) else { continue };
            let row: HashMap<&str, &str> = head.split(';').zip(last.split(';')).collect();
            let figure = |name: &str| row.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
            totals.calls += figure("TotalCallCreated");
            totals.successful += figure("SuccessfulCall(C)");
            totals.retransmissions += figure("Retransmissions(C)");
        }
        totals
    }

    /// Lines of `WHAT CALL-ID SECONDS MICROSECONDS`.
    pub fn moments(&self, what: &str) -> Moments {
        let mut moments = Moments::new();
        for file in &self.logs {
            for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
                let mut words = line.split_whitespace();
                if words.next() != Some(what) {
                    continue;
                }
                let (Some(id), Some(seconds), Some(micros)) = (words.next(), words.next(), words.next()) else {
                    continue;
                };
                // SIPp keeps its variables as floating point and logs them so.
                let number = |text: &str| text.parse::<f64>().unwrap_or_default() as u64;
                moments.entry(id.to_owned()).or_insert(number(seconds) * 1_000_000 + number(micros));
            }
        }
        moments
    }
}

/// Microseconds from what began to what came then, of those that did.
pub fn late<'a>(begun: &Moments, then: impl Iterator<Item = (&'a str, u64)>) -> Vec<u64> {
    then.filter_map(|(id, at)| begun.get(id).map(|begun| at.saturating_sub(*begun))).collect()
}

impl Drop for Sipp {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Already gone is as good.
            let _ = (child.kill(), child.wait());
        }
    }
}

fn stamp(what: &str) -> String {
    format!("<action><gettimeofday assign_to=\"s,us\"/><log message=\"{what} [call_id] [$s] [$us]\"/></action>")
}

/// A caller's request after the INVITE.
fn request(method: &str, cseq: u32, attributes: &str) -> String {
    format!(
        "<send {attributes}><![CDATA[\n\
         {method} [next_url] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n\
         From: <sip:+4930[call_number]@127.0.0.1>;tag=[pid]c[call_number]\n\
         To: <sip:{NUMBER}@127.0.0.1>[peer_tag_param]\n\
         [routes]\nCall-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:caller@[local_ip]:[local_port]>\n\
         Max-Forwards: 70\nContent-Length: 0\n\n]]></send>\n"
    )
}

const OK: &str = "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n\
                  [last_CSeq:]\nContent-Length: 0\n\n]]></send>\n";

fn caller_xml(then: Then) -> String {
    let end = match then {
        Then::Leave(ms) => {
            format!(
                "<pause milliseconds=\"{ms}\"/>\n{}<recv response=\"200\"/>\n",
                request("BYE", 2, "retrans=\"500\"")
            )
        }
        Then::Stay => format!("<recv request=\"BYE\"/>\n{OK}"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"caller\">\n<nop>{invited}</nop>\n\
         <send retrans=\"500\"><![CDATA[\n\
         INVITE sip:{NUMBER}@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n\
         From: <sip:+4930[call_number]@127.0.0.1>;tag=[pid]c[call_number]\nTo: <sip:{NUMBER}@127.0.0.1>\n\
         Call-ID: [call_id]\nCSeq: 1 INVITE\nContact: <sip:caller@[local_ip]:[local_port]>\nMax-Forwards: 70\n\
         Content-Type: application/sdp\nContent-Length: [len]\n\n\
         v=0\no=caller 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio MEDIA-PORT RTP/AVP 0\n\
         a=rtpmap:0 PCMU/8000\n]]></send>\n\
         <recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n\
         <recv response=\"183\" optional=\"true\"/>\n<recv response=\"200\" rrs=\"true\">{answered}</recv>\n\
         {ack}{end}</scenario>\n",
        invited = stamp("I"),
        answered = stamp("A"),
        ack = request("ACK", 1, ""),
    )
}

/// Answers at once, stays until the other side ends it.
const AGENT_XML: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"agent\">\n\
    <recv request=\"INVITE\"><action><gettimeofday assign_to=\"s,us\"/>\
    <log message=\"R [call_id] [$s] [$us]\"/></action></recv>\n\
    <send retrans=\"500\"><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]a[call_number]\n\
    [last_Call-ID:]\n[last_CSeq:]\nContact: <sip:agent@[local_ip]:[local_port]>\nContent-Type: application/sdp\n\
    Content-Length: [len]\n\nv=0\no=agent 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
    m=audio MEDIA-PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\n]]></send>\n\
    <recv request=\"ACK\"/>\n<recv request=\"BYE\"/>\n\
    <send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
    Content-Length: 0\n\n]]></send>\n</scenario>\n";
