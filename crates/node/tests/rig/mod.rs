//! A small cluster of real processes for tests: node processes and a relay from the built binary, in a directory and on
//! ports of their own, ended with the test. Every file of tests includes this module; none uses all of it.
#![allow(dead_code, reason = "each file of tests uses its part of the rig")]

pub mod baresip;
pub mod books;
pub mod desk;
pub mod far;
pub mod house;
pub mod kamailio;
mod ports;
pub mod sip;
pub mod sipp;
mod tcp;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use strowger_api::Client;
use strowger_phones::PhonesOptions;
use tokio::runtime::Runtime;

pub use house::House;
use ports::Block;

pub const TOKEN: &str = "token-of-a-test-cluster";
/// How long a cluster may take to form, on a machine that builds and tests at the same time.
const READY: Duration = Duration::from_secs(60);
/// How long anything else may take before a test calls it missing.
pub const SOON: Duration = Duration::from_secs(15);
/// Ports from which callers and agents speak: several, because the kernel picks the node by the source port.
const PHONE_SOCKETS: u16 = 12;

/// Into the block of RTP ports: behind those of 60 agents.
const PHONES_BEYOND_MEDIA: u16 = 120;

/// What kind of cluster.
#[derive(Clone, Copy)]
pub struct Plan {
    pub nodes: u16,
    pub shards: u16,
    /// 0: legs without RTP are left alone.
    pub dead_media_ms: u32,
    /// Entries after which a log is made a snapshot; 0: as many as in the product.
    pub snapshot_entries: u32,
    /// What is logged; empty: as in the product.
    pub log: &'static str,
}

impl Plan {
    pub fn of(nodes: u16, shards: u16) -> Self {
        Self { nodes, shards, dead_media_ms: 0, snapshot_entries: 0, log: "" }
    }
}

pub struct Rig {
    pub dir: PathBuf,
    plan: Plan,
    block: Block,
    nodes: Vec<Option<Child>>,
    relay: Child,
    runtime: Arc<Runtime>,
}

impl Rig {
    /// Starts the processes, waits until all are ready and applies the configuration.
    pub fn start(plan: Plan, house: &House) -> Rig {
        let block = Block::claim();
        let dir = std::env::temp_dir().join(format!("strowger-rig-{}-{}", std::process::id(), block.first()));
        let _none_yet = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory for the cluster");
        std::fs::write(dir.join("relay-1.toml"), relay_toml(&block, plan)).expect("writing");
        for number in 1..=plan.nodes {
            std::fs::write(dir.join(format!("node-{number}.toml")), node_toml(&block, plan, number)).expect("writing");
        }
        let program = Path::new(STROWGER);
        let relay = spawn(program, &dir, "relay", 1, plan);
        let nodes = (1..=plan.nodes).map(|number| Some(spawn(program, &dir, "node", number, plan))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let rig = Rig { dir, plan, block, nodes, relay, runtime: Arc::new(runtime) };
        (1..=plan.nodes).for_each(|number| rig.until_ready(number));
        rig.apply(house);
        rig
    }

    /// Where only this node listens.
    pub fn own(&self, number: u16) -> SocketAddr {
        self.block.own(number)
    }

    /// Where all nodes listen.
    pub fn shared(&self) -> SocketAddr {
        self.block.shared()
    }

    /// Where a test may put a proxy before the nodes.
    pub fn sbc(&self) -> SocketAddr {
        self.block.sbc()
    }

    pub fn http(&self, number: u16) -> String {
        self.block.http(number).to_string()
    }

    pub fn phones(&self, seed: u64) -> PhonesOptions {
        let (trunk, agents) = self.block.phones(PHONE_SOCKETS);
        let mut options = PhonesOptions::new(self.shared(), [127, 0, 0, 1].into(), trunk, agents);
        (options.trunk_sockets, options.agent_sockets) = (PHONE_SOCKETS, PHONE_SOCKETS);
        (options.carrier_port, options.carrier_sockets) = (self.carrier().port(), 1);
        options.media_ports = self.block.phone_media();
        options.seed = seed;
        options
    }

    /// Where outbound calls go.
    pub fn carrier(&self) -> SocketAddr {
        self.block.carrier()
    }

    /// Callers beyond a proxy; agents, who come to the nodes directly, get the phones of `phones`.
    pub fn phones_beyond(&self, proxy: SocketAddr, seed: u64) -> PhonesOptions {
        let mut options = self.phones(seed);
        (options.server, options.trunk_port, options.agent_port, options.carrier_port) = (proxy, 0, 0, 0);
        let media = self.block.phone_media();
        options.media_ports = media.start() + PHONES_BEYOND_MEDIA..=*media.end();
        options
    }

    /// RTP ports that nobody else takes while this rig lives.
    pub fn media_port(&self) -> u16 {
        *self.block.phone_media().start()
    }

    #[allow(clippy::result_large_err, reason = "a test asks now and then; boxing would only hide the fault's text")]
    pub fn try_get(&self, number: u16, path: &str) -> Result<Value, String> {
        let client = Client::new(self.http(number), Some(TOKEN.to_owned()));
        self.runtime.block_on(client.get(path)).map_err(|fault| fault.to_string())
    }

    /// From any node that lives.
    pub fn get(&self, path: &str) -> Value {
        let number = self.living().next().expect("a node that lives");
        self.try_get(number, path).expect("an answer")
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let number = self.living().next().expect("a node that lives");
        let client = Client::new(self.http(number), Some(TOKEN.to_owned()));
        self.runtime.block_on(client.post(path, body)).expect("an answer")
    }

    /// Lines of a list of leads, with their header.
    pub fn import(&self, lines: String) -> Value {
        let number = self.living().next().expect("a node that lives");
        let client = Client::new(self.http(number), Some(TOKEN.to_owned()));
        let path = "/api/v1/campaigns/house/spring/leads";
        self.runtime.block_on(client.post_csv(path, lines)).expect("an answer")
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn campaign(&self) -> Value {
        self.get("/api/v1/campaigns")["campaigns"][0].clone()
    }

    pub fn metrics(&self, number: u16) -> String {
        let client = Client::new(self.http(number), None);
        self.runtime.block_on(client.get_text("/metrics")).expect("metrics")
    }

    pub fn living(&self) -> impl Iterator<Item = u16> + '_ {
        (1..).zip(&self.nodes).filter_map(|(number, node)| node.is_some().then_some(number))
    }

    pub fn apply(&self, house: &House) {
        let files = house.files();
        let answer = self.post("/api/v1/config", &strowger_api::archive(&files, false));
        let wanted = answer["version"].as_u64();
        for number in self.living() {
            until("all nodes have the configuration", || {
                self.try_get(number, "/api/v1/status").is_ok_and(|status| status["config_version"].as_u64() == wanted)
            });
            self.until_ready(number);
        }
    }

    /// Ready to take calls, and the relay is at hand.
    pub fn until_ready(&self, number: u16) {
        let client = Client::new(self.http(number), None);
        until_within(READY, &format!("node {number} is ready; its log is in {}", self.dir.display()), || {
            let ready = self.runtime.block_on(client.get_text("/health/ready")).is_ok();
            ready && self.try_get(number, "/api/v1/status").is_ok_and(|status| is_whole(&status))
        });
    }

    /// SIGKILL.
    pub fn kill(&mut self, number: u16) {
        if let Some(mut node) = self.nodes[usize::from(number - 1)].take() {
            node.kill().expect("killing a node");
            node.wait().expect("its end");
        }
    }

    /// For signals to a node that runs.
    pub fn pid(&self, number: u16) -> u32 {
        self.nodes[usize::from(number - 1)].as_ref().expect("a node that runs").id()
    }

    /// `name` as `kill` takes it.
    pub fn signal(&self, number: u16, name: &str) {
        signal(self.pid(number), name);
    }

    /// Starts a node that was killed, on its old data.
    pub fn restart(&mut self, number: u16) {
        self.restart_as(number, Path::new(STROWGER));
    }

    /// The same with another build of the program.
    pub fn restart_as(&mut self, number: u16, build: &Path) {
        self.nodes[usize::from(number - 1)] = Some(spawn(build, &self.dir, "node", number, self.plan));
    }

    /// The same with what this changes of how it is started.
    pub fn restart_with(&mut self, number: u16, change: impl FnOnce(&mut Command)) {
        let mut command = prepared(Path::new(STROWGER), &self.dir, "node", number, self.plan);
        change(&mut command);
        self.nodes[usize::from(number - 1)] = Some(command.spawn().expect("starting a process"));
    }

    /// How a node ended that could not go on, and what its log says; none while it runs.
    pub fn ended(&mut self, number: u16) -> Option<(ExitStatus, String)> {
        let node = self.nodes[usize::from(number - 1)].as_mut()?;
        let status = node.try_wait().expect("a child of ours")?;
        self.nodes[usize::from(number - 1)] = None;
        let log = std::fs::read_to_string(self.dir.join(format!("node-{number}.log"))).expect("a log");
        Some((status, log))
    }

    /// Stops the relay's clock: what is asked of it waits.
    pub fn freeze_relay(&self, frozen: bool) {
        self.signal_relay(if frozen { "-STOP" } else { "-CONT" });
    }

    /// `name` as `kill` takes it.
    pub fn signal_relay(&self, name: &str) {
        signal(self.relay.id(), name);
    }

    /// The records of all calls so far, oldest first.
    pub fn records(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/calls?limit=1000");
        answer["calls"].as_array().cloned().unwrap_or_default().into_iter().rev().collect()
    }

    /// Waits for the record of a call and returns it.
    pub fn record_of(&self, sip_call_id: &str) -> Value {
        let mut found = None;
        until("the call has its record", || {
            found = self.records().into_iter().find(|record| record["sip_call_id"] == sip_call_id);
            found.is_some()
        });
        found.expect("was just found")
    }

    /// All records once there are `count`: they follow the end of a call after a moment.
    pub fn all_records(&self, count: usize) -> Vec<Value> {
        until("every call has its record", || self.records().len() >= count);
        let records = self.records();
        assert_eq!(records.len(), count, "more records than calls");
        records
    }

    pub fn live_calls(&self) -> Vec<Value> {
        self.get("/api/v1/calls/live")["calls"].as_array().cloned().unwrap_or_default()
    }

    pub fn agent(&self, name: &str) -> Value {
        let agents = self.get("/api/v1/agents");
        let mut agents = agents["agents"].as_array().cloned().unwrap_or_default().into_iter();
        agents.find(|agent| agent["name"] == name).expect("an agent of that name")
    }

    /// No live call, no busy agent, no lease past its deadline, the same state on all nodes.
    pub fn until_at_rest(&self) {
        let mut last = Value::Null;
        let rests = || {
            last = self.get("/api/v1/status");
            let count = |of: &str, names: &[&str]| names.iter().filter_map(|name| last[of][name].as_u64()).sum::<u64>();
            count("calls", &["admitted", "flow", "dialling", "queued", "offered", "talking"]) == 0
                && count("agents", &["reserved", "offered", "talking", "wrap_up", "releasing"]) == 0
                && last["stuck"] == 0
        };
        assert!(holds_within(READY, rests), "the cluster does not come to rest: {last:#}");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten().chain([&mut self.relay]) {
            // Already gone is as good.
            let _ = (child.kill(), child.wait());
        }
        if std::thread::panicking() {
            eprintln!("the logs of this cluster are in {}", self.dir.display());
        } else {
            // What cannot be removed is in the system's temporary directory.
            let _left = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn is_whole(status: &Value) -> bool {
    let all =
        |list: &str, flag: &str| status[list].as_array().is_some_and(|rows| rows.iter().all(|row| row[flag] == true));
    status["active"] == true && all("relays", "connected")
}

/// Waits for something that must come soon.
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(SOON, what, holds);
}

pub fn until_within(within: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(within, holds), "not within {} s: {what}", within.as_secs());
}

pub fn holds_within(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    true
}

/// The program under test.
const STROWGER: &str = env!("CARGO_BIN_EXE_strowger");

fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill");
    assert!(done.success());
}

pub fn strowger() -> Command {
    build(Path::new(STROWGER))
}

fn build(program: &Path) -> Command {
    let mut command = Command::new(program);
    // What the person at the keyboard has set is none of the test's business.
    for name in ["STROWGER_NODE", "STROWGER_TOKEN", "STROWGER_LOG", "STROWGER_LOG_FORMAT", "STROWGER_TEST_BREAK"] {
        command.env_remove(name);
    }
    command.env("STROWGER_BOOTSTRAP_TOKEN", TOKEN).stdin(Stdio::null());
    command
}

fn spawn(program: &Path, dir: &Path, kind: &str, number: u16, plan: Plan) -> Child {
    prepared(program, dir, kind, number, plan).spawn().expect("starting a process")
}

fn prepared(program: &Path, dir: &Path, kind: &str, number: u16, plan: Plan) -> Command {
    let name = format!("{kind}-{number}");
    let log = File::options().create(true).append(true).open(dir.join(format!("{name}.log"))).expect("a log");
    let mut command = build(program);
    command.arg(kind).arg("--config").arg(dir.join(format!("{name}.toml")));
    if !plan.log.is_empty() {
        command.env("STROWGER_LOG", plan.log);
    }
    if plan.snapshot_entries > 0 {
        command.env("STROWGER_TEST_SNAPSHOT_ENTRIES", plan.snapshot_entries.to_string());
    }
    command.stdout(log.try_clone().expect("a log")).stderr(log);
    command
}

fn node_toml(block: &Block, plan: Plan, number: u16) -> String {
    let voters: String =
        (1..=plan.nodes).map(|id| format!("{{ id = {id}, link = \"{}\" }},", block.link(id))).collect();
    format!(
        "id = {number}\ndata_dir = \"node-{number}\"\n[cluster]\nlisten = \"{link}\"\nshards = {shards}\n\
         voters = [{voters}]\nrelays = [{{ id = 1, link = \"{relay}\" }}]\ntls_dir = \"tls\"\ndevelopment = true\n\
         [sip]\nshared = \"{shared}\"\nown = \"{own}\"\n[http]\nlisten = \"{http}\"\n",
        link = block.link(number),
        shards = plan.shards,
        relay = block.relay_link(),
        shared = block.shared(),
        own = block.own(number),
        http = block.http(number),
    )
}

fn relay_toml(block: &Block, plan: Plan) -> String {
    let media = block.relay_media();
    format!(
        "id = 1\ncontent_dir = \"relay-1\"\n[link]\nlisten = \"{}\"\ntls_dir = \"tls\"\ndevelopment = true\n\
         [media]\naddress = \"127.0.0.1\"\nports = \"{}-{}\"\ndead_media_ms = {}\n[http]\nlisten = \"{}\"\n",
        block.relay_link(),
        media.start(),
        media.end(),
        plan.dead_media_ms,
        block.relay_http(),
    )
}
