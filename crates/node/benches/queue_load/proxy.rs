//! Kamailio as the least stateful proxy, to compare with: proxy.cfg.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::measure::{cpu_of, cpu_of_all};
use crate::stage::free_ports;

/// How long it may take to fork its workers, or to end them.
const MOMENT: Duration = Duration::from_secs(5);
/// Shared memory in MiB: a transaction is kept for 5 s after its end, and 2500 calls/s have two each.
const SHARED_MIB: &str = "512";

/// A process and its workers; ended with the measurement.
pub struct Proxy {
    main: Child,
    pub port: u16,
    pub dir: PathBuf,
}

impl Proxy {
    pub fn is_installed() -> bool {
        Command::new("kamailio").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }

    /// In front of these two agents' sockets.
    pub async fn start(agents: &[u16]) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("strowger-queue-load-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let port = free_ports(1)?[0];
        let mut command = Command::new("kamailio");
        command.arg("-f").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/queue_load/proxy.cfg"));
        command.args(["-DD", "-E", "-m", SHARED_MIB, "-l", &format!("udp:127.0.0.1:{port}")]);
        command.arg("-w").arg(&dir).arg("-Y").arg(&dir);
        for (name, agent) in ["ODD", "EVEN"].into_iter().zip(agents) {
            command.arg("-A").arg(format!("{name}=\"sip:127.0.0.1:{agent}\""));
        }
        let log = File::create(dir.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let proxy = Self { main: command.spawn().context("starting kamailio")?, port, dir };
        let begun = Instant::now();
        while proxy.workers().is_empty() && begun.elapsed() < MOMENT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // The last of them is there a moment after the first.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(proxy)
    }

    /// Of the main process, which only waits, and of all its workers.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.main.id()) + cpu_of_all(&self.workers())
    }

    fn workers(&self) -> Vec<u32> {
        let main = self.main.id();
        let list = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // By SIGTERM, because only then it ends its workers, too.
        let _ = Command::new("kill").arg(self.main.id().to_string()).status();
        let begun = Instant::now();
        while matches!(self.main.try_wait(), Ok(None)) && begun.elapsed() < MOMENT {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = (self.main.kill(), self.main.wait());
        let _left_behind = std::fs::remove_dir_all(&self.dir);
    }
}
