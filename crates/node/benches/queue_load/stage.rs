//! Three nodes and a relay as processes of the real binary, on ports and in a directory of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use strowger_api::Client;
use strowger_config::Files;

use crate::measure::{cpu_of, cpu_of_all};

const NODES: usize = 3;
/// The first admin token of a cluster that lives for minutes on loopback.
const TOKEN: &str = "bench-token-on-loopback";
const READY: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(20);
/// Media ports beside those of a demo that may run on the same machine, and above 6000, where SIPp takes its own: 3000
/// talking calls.
const MEDIA_PORTS: &str = "8000-19999";
pub const NUMBER: &str = "+4930555001";
const PAGE: usize = 5000;

pub struct Stage {
    pub dir: PathBuf,
    pub sip: u16,
    http: Vec<u16>,
    nodes: Vec<Child>,
    relay: Vec<Child>,
}

/// CPU of the product's processes since they began.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    pub nodes: Duration,
    pub relay: Duration,
}

impl Cpu {
    pub fn since(self, earlier: Self) -> Self {
        Self { nodes: self.nodes - earlier.nodes, relay: self.relay - earlier.relay }
    }

    pub fn all(self) -> Duration {
        self.nodes + self.relay
    }
}

/// Who answers: agents in equal shares at these ports.
pub struct Team {
    pub agents: usize,
    pub ports: Vec<u16>,
    pub ready: bool,
}

impl Stage {
    pub async fn open(name: &str) -> anyhow::Result<Self> {
        Self::of(name, NODES).await
    }

    pub async fn of(name: &str, count: usize) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("strowger-queue-load-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let ports = free_ports(3 * count + 3)?;
        let (http, own, link) = (&ports[..count], &ports[count..2 * count], &ports[2 * count..3 * count]);
        let [sip, relay_link, relay_http] = ports[3 * count..] else { bail!("as many ports as asked for") };
        let mut stage = Self { dir, sip, http: http.to_vec(), nodes: Vec::new(), relay: Vec::new() };
        let relay = format!(
            "id = 1\ncontent_dir = \"relay-1\"\n[link]\nlisten = \"127.0.0.1:{relay_link}\"\ntls_dir = \"tls\"\ndevelopment = true\n\
             [media]\naddress = \"127.0.0.1\"\nports = \"{MEDIA_PORTS}\"\ndead_media_ms = 0\n\
             [http]\nlisten = \"127.0.0.1:{relay_http}\"\n"
        );
        let child = stage.spawn("relay", "relay-1", &relay)?;
        stage.relay.push(child);
        let voters: String =
            (0..count).map(|at| format!("{{ id = {}, link = \"127.0.0.1:{}\" }},", at + 1, link[at])).collect();
        for at in 0..count {
            let text = format!(
                "id = {id}\ndata_dir = \"node-{id}\"\n[cluster]\nlisten = \"127.0.0.1:{}\"\nshards = 3\n\
                 voters = [{voters}]\nrelays = [{{ id = 1, link = \"127.0.0.1:{relay_link}\" }}]\ntls_dir = \"tls\"\ndevelopment = true\n\
                 [sip]\nshared = \"127.0.0.1:{sip}\"\nown = \"127.0.0.1:{}\"\nadvertised = \"127.0.0.1:{sip}\"\n\
                 [http]\nlisten = \"127.0.0.1:{}\"\n[limits]\nmax_calls_per_second = 5000\n",
                link[at],
                own[at],
                http[at],
                id = at + 1,
            );
            let child = stage.spawn("node", &format!("node-{}", at + 1), &text)?;
            stage.nodes.push(child);
        }
        for at in 0..count {
            stage.until_ready(at).await?;
        }
        Ok(stage)
    }

    fn spawn(&self, kind: &str, name: &str, config: &str) -> anyhow::Result<Child> {
        let file = self.dir.join(format!("{name}.toml"));
        std::fs::write(&file, config)?;
        let log = File::create(self.dir.join(format!("{name}.log")))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_strowger"));
        command.arg(kind).arg("--config").arg(&file).env("STROWGER_BOOTSTRAP_TOKEN", TOKEN);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| format!("starting {name}"))
    }

    async fn until_ready(&self, at: usize) -> anyhow::Result<()> {
        let client = self.client(at);
        let deadline = Instant::now() + READY;
        loop {
            let fault = match client.get("/api/v1/status").await {
                Ok(_) => match client.get_text("/health/ready").await {
                    Ok(_) => return Ok(()),
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            ensure!(Instant::now() < deadline, "node {} is not ready: {fault}", at + 1);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn client(&self, at: usize) -> Client {
        Client::new(format!("127.0.0.1:{}", self.http[at]), Some(TOKEN.to_owned()))
    }

    /// One tenant, one queue without wrap-up, these agents; returns once the table has them.
    pub async fn apply(&self, team: &Team) -> anyhow::Result<()> {
        let music = include_bytes!("../../../../config/example/music/hold.wav").to_vec();
        let trunks = "[[trunk]]\nname = \"carrier\"\nsources = [\"127.0.0.1\"]\nmax_calls_per_second = 5000\n\
                      max_calls = 20000\n";
        let files: BTreeMap<String, Vec<u8>> = [
            ("trunks.toml".to_owned(), trunks.into()),
            ("hold.wav".to_owned(), music),
            ("tenants/acme.toml".to_owned(), tenant(team).into_bytes()),
        ]
        .into();
        self.client(0).post("/api/v1/config", &strowger_api::archive(&Files(files), false)).await?;
        let deadline = Instant::now() + REST;
        while self.agents().await? != team.agents {
            ensure!(Instant::now() < deadline, "the table did not take over {} agents", team.agents);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn agents(&self) -> anyhow::Result<usize> {
        Ok(sum(&self.status().await?["agents"]))
    }

    pub async fn status(&self) -> anyhow::Result<Value> {
        Ok(self.client(0).get("/api/v1/status").await?)
    }

    /// Entries applied, over all shards.
    pub async fn applied(&self) -> anyhow::Result<u64> {
        let status = self.status().await?;
        let groups = status["groups"].as_array().into_iter().flatten();
        Ok(groups.filter(|group| group["name"] != "control").filter_map(|group| group["applied"].as_u64()).sum())
    }

    /// The calls that wait, up to the first thousand, with their places.
    pub async fn queued(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.client(0).get("/api/v1/calls/live?stage=queued&limit=1000").await?;
        Ok(answer["calls"].as_array().cloned().unwrap_or_default())
    }

    pub async fn waiting(&self) -> anyhow::Result<u64> {
        Ok(self.status().await?["queues"][0]["waiting"].as_u64().unwrap_or_default())
    }

    /// Until no agent rings or talks; says whether they came to rest.
    pub async fn rest(&self) -> anyhow::Result<bool> {
        let deadline = Instant::now() + REST;
        loop {
            let agents = self.status().await?["agents"].clone();
            let busy = |state: &str| agents[state].as_u64().unwrap_or_default();
            if busy("offered") + busy("talking") == 0 {
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn make_ready(&self, name: &str) -> anyhow::Result<()> {
        self.client(0).post(&format!("/api/v1/agents/acme/{name}/ready"), &json!({})).await?;
        Ok(())
    }

    /// All records of this cluster, newest first.
    pub async fn records(&self) -> anyhow::Result<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        let mut query = format!("/api/v1/calls?limit={PAGE}");
        loop {
            let answer = self.client(0).get(&query).await?;
            all.extend(answer["calls"].as_array().cloned().unwrap_or_default());
            match answer["next"].as_str() {
                // A place is digits and marks; only its colon or comma could mean something else in a query.
                Some(after) => {
                    query = format!(
                        "/api/v1/calls?limit={PAGE}&after={}",
                        after.replace(':', "%3A").replace(',', "%2C").replace('+', "%2B")
                    );
                }
                None => return Ok(all),
            }
        }
    }

    pub async fn make_not_ready(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/agents/acme/{name}/not-ready");
        self.client(0).post(&path, &json!({ "reason": "bench" })).await?;
        Ok(())
    }

    pub fn cpu(&self) -> Cpu {
        let nodes: Vec<u32> = self.nodes.iter().map(Child::id).collect();
        Cpu { nodes: cpu_of_all(&nodes), relay: self.relay.iter().map(|child| cpu_of(child.id())).sum() }
    }

    /// Resident KiB of all nodes, and of the relay.
    pub fn resident_kib(&self) -> (u64, u64) {
        let sum = |children: &[Child]| children.iter().map(|child| resident_kib(child.id())).sum();
        (sum(&self.nodes), sum(&self.relay))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().chain(&mut self.relay) {
            // Already gone is as good.
            let _ = (child.kill(), child.wait());
        }
        if !std::thread::panicking() {
            let _left_behind = std::fs::remove_dir_all(&self.dir);
        }
    }
}

pub fn sum(counts: &Value) -> usize {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum::<u64>() as usize
}

fn resident_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// The names of a team's agents, first those at the first port: ten thousand numbers a port.
pub fn names(team: &Team) -> impl Iterator<Item = String> + '_ {
    let share = team.agents / team.ports.len();
    (0..team.ports.len()).flat_map(move |at| (0..share).map(move |n| (10_000 * (at + 1) + n).to_string()))
}

fn tenant(team: &Team) -> String {
    let mut text = format!(
        "name = \"acme\"\nrealm = \"acme.example\"\n[[number]]\nnumber = \"{NUMBER}\"\nflow = \"main\"\n\
         [[flow]]\nname = \"main\"\n[[flow.step]]\nname = \"sales\"\nqueue = \"sales\"\n\
         [[queue]]\nname = \"sales\"\nmusic = \"hold.wav\"\nwrap_up_ms = 0\nmax_waiting = 10000\n"
    );
    let share = team.agents / team.ports.len();
    for (at, port) in team.ports.iter().enumerate() {
        let first = 10_000 * (at + 1);
        text += &format!(
            "[[agents]]\nnames = \"{first}-{}\"\ncontact = \"sip:{{name}}@127.0.0.1:{port}\"\nqueues = [\"sales\"]\n\
             ready_at_login = {}\n",
            first + share - 1,
            team.ready
        );
    }
    text
}

/// Free for UDP and TCP; all are held until the last is found, so that none is given twice.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut held = Vec::new();
    for _ in 0..10 * count {
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let port = udp.local_addr()?.port();
        if let Ok(tcp) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, udp, tcp));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, ..)| port).collect());
        }
    }
    bail!("no {count} ports of 127.0.0.1 are free for both UDP and TCP")
}
