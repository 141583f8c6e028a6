//! Kamailio as the carrier's SBC in front of the nodes; the configuration is tests/kamailio/kamailio.cfg.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Rig, holds_within};

/// How long it may take to end its workers.
const END: Duration = Duration::from_secs(5);

/// Whether there is a Kamailio; says so if there is none.
pub fn is_installed() -> bool {
    let there = Command::new("kamailio").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("SKIPPED for want of kamailio");
    }
    there
}

/// A Kamailio with its workers; ended with the test.
pub struct Kamailio {
    child: Child,
    dir: PathBuf,
    pub address: SocketAddr,
}

impl Kamailio {
    /// In front of these nodes' own addresses.
    pub fn start(rig: &Rig, nodes: impl IntoIterator<Item = u16>) -> Kamailio {
        let dir = rig.dir.join("kamailio");
        std::fs::create_dir_all(&dir).expect("a directory for Kamailio");
        // 1: the one set that the configuration knows.
        let list: String = nodes.into_iter().map(|number| format!("1 sip:{}\n", rig.own(number))).collect();
        std::fs::write(dir.join("nodes"), list).expect("writing");
        let address = rig.sbc();
        let log = File::create(dir.join("log")).expect("a log");
        let mut command = Command::new("kamailio");
        command.arg("-f").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kamailio/kamailio.cfg"));
        // In the foreground, logging to its output, with MiB of memory for shared and own use that suffice for a test.
        command.args(["-DD", "-E", "-m", "64", "-M", "8", "-l", &format!("udp:{address}")]);
        command.arg("-w").arg(&dir).arg("-Y").arg(&dir);
        command.arg("-A").arg(format!("NODES=\"{}\"", dir.join("nodes").display()));
        command.arg("-A").arg(format!("CONTROL=\"unix:{}\"", dir.join("control").display()));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        Kamailio { child: command.spawn().expect("starting Kamailio"), dir, address }
    }

    /// The nodes that answered its last probe.
    pub fn active(&self, rig: &Rig) -> Vec<u16> {
        let socket = format!("unix:{}", self.dir.join("control").display());
        let answer = Command::new("kamcmd").args(["-s", &socket, "dispatcher.list"]).output().expect("kamcmd");
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let fields = |name: &str| -> Vec<String> {
            text.lines().filter_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_owned())).collect()
        };
        let states: Vec<(String, String)> = fields("URI:").into_iter().zip(fields("FLAGS:")).collect();
        // A: active; the second letter says whether it is asked.
        let is_active = |number: &u16| {
            let uri = format!("sip:{}", rig.own(*number));
            states.iter().any(|(of, flags)| *of == uri && flags.starts_with('A'))
        };
        (1..=3).filter(is_active).collect()
    }

    /// What its configuration wrote down, with these words in it. Each line begins with the Call-ID in braces.
    pub fn notes(&self, of_call: &str, words: &str) -> Vec<String> {
        let log = String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).expect("its log")).into_owned();
        let fits = |line: &&str| line.contains(words) && line.contains(&format!("{{{of_call}"));
        log.lines().filter(fits).map(str::to_owned).collect()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // By SIGTERM, because only then it ends its workers, too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        if !holds_within(END, || matches!(self.child.try_wait(), Ok(Some(_)))) {
            let _ = (self.child.kill(), self.child.wait());
        }
    }
}
