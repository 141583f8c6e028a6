//! The demo's processes: three nodes and two relays on loopback, in a directory of their own, ended with the demo.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use strowger_api::Client;
use strowger_phones::PhonesOptions;

const NODES: u16 = 3;
/// Relays, each at a site of its own, with the ports of its media.
pub const RELAYS: [RelayPlace; 2] =
    [RelayPlace { site: "east", ports: 20_000..=24_999 }, RelayPlace { site: "west", ports: 25_000..=29_999 }];
/// Ports from which the demo's callers and agents speak. Several, because the kernel picks the node by source port.
const TRUNK_SOCKETS: u16 = 12;
const AGENT_SOCKETS: u16 = 12;
/// Where the carrier of outbound calls listens.
const CARRIER_SOCKETS: u16 = 1;
/// Where ports are looked for: below the range from which the kernel gives ports to clients, which would now and then
/// take one between the look and the bind, and apart from those of media.
const FREE_PORTS: u16 = 12_500;
const FREE_STARTS: u16 = 1_400;
/// The first admin token of a cluster that lives for minutes on loopback.
const TOKEN: &str = "demo-token-on-loopback";

pub struct Stage {
    dir: PathBuf,
    ports: Ports,
    nodes: Vec<Option<Child>>,
    relays: Vec<Child>,
    keep: bool,
}

pub struct RelayPlace {
    pub site: &'static str,
    pub ports: RangeInclusive<u16>,
}

/// Ports that were free a moment ago.
struct Ports {
    sip: u16,
    own: Vec<u16>,
    link: Vec<u16>,
    http: Vec<u16>,
    relay_link: Vec<u16>,
    relay_http: Vec<u16>,
    trunk: u16,
    agents: u16,
    carrier: u16,
}

impl Ports {
    fn find() -> anyhow::Result<Self> {
        let some = |count: u16| -> anyhow::Result<Vec<u16>> { (0..count).map(|_| free_port()).collect() };
        Ok(Self {
            sip: free_port()?,
            own: some(NODES)?,
            link: some(NODES)?,
            http: some(NODES)?,
            relay_link: some(RELAYS.len() as u16)?,
            relay_http: some(RELAYS.len() as u16)?,
            trunk: free_run(TRUNK_SOCKETS)?,
            agents: free_run(AGENT_SOCKETS)?,
            carrier: free_run(CARRIER_SOCKETS)?,
        })
    }
}

impl Stage {
    pub fn open(fault: Option<&str>) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("strowger-demo-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let ports = Ports::find()?;
        let mut stage = Self { dir, ports, nodes: Vec::new(), relays: Vec::new(), keep: false };
        for at in 0..RELAYS.len() {
            let name = format!("relay-{}", at + 1);
            let file = stage.dir.join(format!("{name}.toml"));
            std::fs::write(&file, relay_toml(&stage.ports, at))?;
            stage.relays.push(spawn("relay", &name, &file, &stage.dir, None)?);
        }
        for number in 1..=NODES {
            let file = stage.dir.join(format!("node-{number}.toml"));
            std::fs::write(&file, node_toml(&stage.ports, number))?;
            let child = spawn("node", &format!("node-{number}"), &file, &stage.dir, fault)?;
            stage.nodes.push(Some(child));
        }
        Ok(stage)
    }

    /// The client of a node that is alive.
    pub fn client(&self) -> Client {
        let at = self.nodes.iter().rposition(Option::is_some).unwrap_or_default();
        self.client_of(at)
    }

    /// Of a node that lives to the end. What stands behind `#` stays in the browser.
    pub fn wallboard(&self) -> String {
        format!("http://{}/#token={TOKEN}", self.client().address())
    }

    fn client_of(&self, at: usize) -> Client {
        Client::new(format!("127.0.0.1:{}", self.ports.http[at]), Some(TOKEN.to_owned()))
    }

    pub async fn until_ready(&mut self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        for at in 0..self.nodes.len() {
            let client = self.client_of(at);
            // The token is there once the first node has founded the cluster.
            while let Err(fault) = client.get("/api/v1/status").await {
                self.check_alive()?;
                if Instant::now() > deadline {
                    bail!("node {} is not ready: {fault}; see its log in {}", at + 1, self.dir());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            while let Err(fault) = client.get_text("/health/ready").await {
                if Instant::now() > deadline {
                    bail!("node {} is not ready: {fault}; see its log in {}", at + 1, self.dir());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    fn check_alive(&mut self) -> anyhow::Result<()> {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if let Some(status) = node.as_mut().map(Child::try_wait).transpose()?.flatten() {
                let log = std::fs::read_to_string(self.dir.join(format!("node-{}.log", at + 1))).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                bail!("node {} ended with {status}: {}", at + 1, last.join(" | "));
            }
        }
        Ok(())
    }

    /// SIGKILL to the first node: it owns calls and leads a shard.
    pub fn kill_a_node(&mut self) -> anyhow::Result<()> {
        if let Some(mut node) = self.nodes[0].take() {
            node.kill().context("killing a node")?;
            node.wait()?;
        }
        Ok(())
    }

    pub fn phones(&self, seed: u64) -> PhonesOptions {
        let server = SocketAddr::from(([127, 0, 0, 1], self.ports.sip));
        let mut options = PhonesOptions::new(server, [127, 0, 0, 1].into(), self.ports.trunk, self.ports.agents);
        options.trunk_sockets = TRUNK_SOCKETS;
        options.agent_sockets = AGENT_SOCKETS;
        options.carrier_port = self.ports.carrier;
        options.carrier_sockets = CARRIER_SOCKETS;
        options.seed = seed;
        options
    }

    /// Where outbound calls go.
    pub fn carrier(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.carrier))
    }

    pub fn trunk_ports(&self) -> impl Iterator<Item = u16> + use<> {
        let first = self.ports.trunk;
        (0..TRUNK_SOCKETS).map(move |at| first + at)
    }

    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().flatten().chain(&self.relays).map(Child::id).collect()
    }

    pub fn dir(&self) -> String {
        self.dir.display().to_string()
    }

    /// Leaves the directory behind, for whoever looks into a failure.
    pub fn keep(&mut self) -> String {
        self.keep = true;
        self.dir()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten().chain(&mut self.relays) {
            // Already gone is as good.
            let _ = (child.kill(), child.wait());
        }
        if !self.keep && !std::thread::panicking() {
            // What cannot be removed is in the system's temporary directory.
            let _left = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn spawn(kind: &str, name: &str, file: &Path, dir: &Path, fault: Option<&str>) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("finding this program")?;
    let log = File::create(dir.join(format!("{name}.log")))?;
    let mut command = Command::new(program);
    command
        .arg(kind)
        .arg("--config")
        .arg(file)
        .env("STROWGER_BOOTSTRAP_TOKEN", TOKEN)
        .env("STROWGER_ENDS_WITH_STDIN", "1");
    if let Some(fault) = fault {
        command.env("STROWGER_TEST_BREAK", fault);
    }
    // Held by the child's handle: it closes when this process ends, however it ends.
    command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("starting {name}"))
}

fn node_toml(ports: &Ports, number: u16) -> String {
    let at = usize::from(number - 1);
    let voters: String = (1..=NODES)
        .map(|id| format!("{{ id = {id}, link = \"127.0.0.1:{}\" }},", ports.link[usize::from(id - 1)]))
        .collect();
    let relays: String = (0..RELAYS.len())
        .map(|at| {
            let (id, link, site) = (at + 1, ports.relay_link[at], RELAYS[at].site);
            format!("{{ id = {id}, link = \"127.0.0.1:{link}\", site = \"{site}\" }},")
        })
        .collect();
    format!(
        "id = {number}\ndata_dir = \"node-{number}\"\n[cluster]\nlisten = \"127.0.0.1:{link}\"\nshards = 3\n\
         voters = [{voters}]\nrelays = [{relays}]\ntls_dir = \"tls\"\ndevelopment = true\n\
         [sip]\nshared = \"127.0.0.1:{sip}\"\nown = \"127.0.0.1:{own}\"\nadvertised = \"127.0.0.1:{sip}\"\n\
         [http]\nlisten = \"127.0.0.1:{http}\"\n",
        link = ports.link[at],
        sip = ports.sip,
        own = ports.own[at],
        http = ports.http[at],
    )
}

fn relay_toml(ports: &Ports, at: usize) -> String {
    let id = at + 1;
    let others: String = (0..RELAYS.len())
        .filter(|other| *other != at)
        .map(|other| format!("{{ id = {}, link = \"127.0.0.1:{}\" }},", other + 1, ports.relay_link[other]))
        .collect();
    let media = &RELAYS[at].ports;
    format!(
        "id = {id}\ncontent_dir = \"relay-{id}\"\n\
         [link]\nlisten = \"127.0.0.1:{}\"\ntls_dir = \"tls\"\ndevelopment = true\nrelays = [{others}]\n\
         [media]\naddress = \"127.0.0.1\"\nadvertise = \"127.0.0.1\"\nports = \"{}-{}\"\n\
         [http]\nlisten = \"127.0.0.1:{}\"\n",
        ports.relay_link[at],
        media.start(),
        media.end(),
        ports.relay_http[at]
    )
}

fn free_port() -> anyhow::Result<u16> {
    free_run(1)
}

/// The first of neighbouring ports that are free for UDP and TCP. Never the same twice, and a demo that starts at the
/// same time looks elsewhere.
fn free_run(count: u16) -> anyhow::Result<u16> {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    for _ in 0..FREE_STARTS {
        let turn = TURN.fetch_add(u32::from(count), Ordering::Relaxed);
        let at = std::process::id().wrapping_mul(64).wrapping_add(turn) % u32::from(FREE_STARTS);
        let first = FREE_PORTS + at as u16;
        if (first..first + count).all(is_free) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring ports of 127.0.0.1 from {FREE_PORTS} on are free")
}
