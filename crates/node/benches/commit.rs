//! Commits a second of one shard over three processes: durable logs, the real table, the commands of real calls.
//! This program starts itself three more times; the copies are the nodes, each with a link and the groups.
//!
//! `cargo bench -p strowger-node --bench commit [-- WRITERS...]`
#![allow(clippy::print_stdout, reason = "a bench prints, and its nodes answer on their output")]

mod measure;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use strowger_link::{Class, Handler, Identity, Link, Reply};
use strowger_model::config::{Flow, Number, Queue, Step, Strategy, Tenant};
use strowger_model::{
    Cause, Dialog, DialogState, Digest, Far, FlowId, GroupId, LegKey, LegNo, LogTime, NodeId, PeerId, QueueId, RelayId,
    Role, ShardId, TenantId, TrunkId,
};
use strowger_raft::{AppliedEntry, Groups, Observer, Options, Retention, Tuning, View};
use strowger_table::{Admit, AdmitKey, Body, Command, Outcome, Source, Target, Then, ToldBy};

use measure::{cpu_of_all, fdatasync_ms, load_average, ms, percentile};

// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TARGET_A_SECOND: f64 = 15_000.0;
const TARGET_CPU_US: f64 = 40.0;
const WRITERS: [usize; 4] = [1, 16, 64, 256];
const ROUNDS: usize = 3;
const SECONDS: u64 = 2;
const SHARD: ShardId = ShardId(0);
const GROUP: GroupId = GroupId(1);
const VOTERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const PATIENCE: Duration = Duration::from_secs(10);
const READY: Duration = Duration::from_secs(20);
const PINGS: usize = 500;
const PING_BYTES: usize = 256;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match arguments.iter().position(|argument| argument == "--as-node") {
        Some(at) => runtime.block_on(serve(&arguments[at + 1..])),
        None => drive(&arguments[1..]),
    }
}

// ---- the driver

struct Node {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn ask(&mut self, order: &str) -> anyhow::Result<Value> {
        writeln!(self.orders, "{order}")?;
        let line = self.answers.next().context("a node ended")??;
        serde_json::from_str(&line).with_context(|| format!("a node said `{line}`"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = (self.child.kill(), self.child.wait());
    }
}

struct Root(PathBuf);

impl Drop for Root {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn drive(arguments: &[String]) -> anyhow::Result<()> {
    let wanted: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let ladder = if wanted.is_empty() { WRITERS.to_vec() } else { wanted };
    let root = Root(std::env::temp_dir().join(format!("strowger-commit-{}", std::process::id())));
    std::fs::create_dir_all(&root.0)?;
    let load = load_average();
    let mut nodes = start(&root.0)?;
    let leader = leader(&mut nodes)?;
    let (sync_p50, sync_p99) = fdatasync_ms(&root.0)?;
    let ping = nodes[leader].ask("ping")?;
    ensure!(nodes[leader].ask("configure")?["done"] == true, "the tenant was not configured");
    println!("one shard, three processes, durable; a call is Admit, Answer, Enqueue, End; medians of {ROUNDS} rounds");
    println!(
        "{:>8} {:>11} {:>9} {:>9} {:>13} {:>13}",
        "writers", "commits/s", "p50 ms", "p99 ms", "CPU us/entry", "entries/fsync"
    );
    let mut rows = Vec::new();
    for writers in ladder {
        let rounds: Vec<Value> =
            (0..ROUNDS).map(|_| measure_one(&mut nodes, leader, writers)).collect::<anyhow::Result<_>>()?;
        let middle = |key: &str| {
            let mut all: Vec<f64> = rounds.iter().filter_map(|round| round[key].as_f64()).collect();
            all.sort_unstable_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let [rate, p50, p99, cpu, batch] = ["rate", "p50_ms", "p99_ms", "cpu_us", "batch"].map(middle);
        println!("{writers:8} {rate:11.0} {p50:9.2} {p99:9.2} {cpu:13.1} {batch:13.1}");
        rows.push(json!({ "writers": writers, "commits_a_second": rate, "p50_ms": p50, "p99_ms": p99,
            "cpu_us_an_entry": cpu, "entries_an_fsync": batch }));
    }
    let best = |key: &'static str| rows.iter().filter_map(move |row| row[key].as_f64());
    let rate = best("commits_a_second").fold(0.0, f64::max);
    let cpu = best("cpu_us_an_entry").fold(f64::MAX, f64::min);
    let word = |good: bool| if good { "reached" } else { "SHORT" };
    println!("to reach: >= {TARGET_A_SECOND:.0} commits/s: {rate:.0}, {}", word(rate >= TARGET_A_SECOND));
    println!("          <= {TARGET_CPU_US:.0} us CPU an entry, all nodes: {cpu:.1}, {}", word(cpu <= TARGET_CPU_US));
    println!("beside:   fdatasync of 256 B appended p50 {sync_p50:.2} ms, p99 {sync_p99:.2} ms");
    println!("          question and answer over the link p50 {} us, p99 {} us", ping["p50_us"], ping["p99_us"]);
    println!("          load average of the box before {load:.2}");
    let all = json!({ "bench": "commit", "target_commits_a_second": TARGET_A_SECOND, "target_cpu_us": TARGET_CPU_US,
        "rows": rows, "fdatasync_p50_ms": sync_p50, "fdatasync_p99_ms": sync_p99, "ping": ping, "load": load });
    println!("{all}");
    Ok(())
}

fn start(root: &Path) -> anyhow::Result<Vec<Node>> {
    // Certificates are made once, before three processes could make them at the same time.
    for node in VOTERS {
        Identity::development(&root.join("tls"), PeerId::Node(node))?;
    }
    // All at once, so that no port is given twice.
    let sockets: Vec<UdpSocket> =
        VOTERS.iter().map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let ports: Vec<String> = sockets
        .iter()
        .map(|socket| socket.local_addr().map(|address| address.port().to_string()))
        .collect::<Result<_, _>>()?;
    drop(sockets);
    VOTERS.iter().map(|node| spawn(root, *node, &ports.join(","))).collect()
}

fn spawn(root: &Path, node: NodeId, ports: &str) -> anyhow::Result<Node> {
    let mut process = Process::new(std::env::current_exe()?);
    process.arg("--as-node").arg(node.0.to_string()).arg(root).arg(ports);
    let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let orders = child.stdin.take().context("a pipe was asked for")?;
    let answers = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
    Ok(Node { child, orders, answers })
}

fn leader(nodes: &mut [Node]) -> anyhow::Result<usize> {
    let deadline = Instant::now() + READY;
    loop {
        for (at, node) in nodes.iter_mut().enumerate() {
            if node.ask("lead")?["leads"] == true {
                return Ok(at);
            }
        }
        ensure!(Instant::now() < deadline, "no leader within {} s", READY.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn measure_one(nodes: &mut [Node], leader: usize, writers: usize) -> anyhow::Result<Value> {
    let pids: Vec<u32> = nodes.iter().map(|node| node.child.id()).collect();
    let before = cpu_of_all(&pids);
    let mut figures = nodes[leader].ask(&format!("write {writers}"))?;
    let cpu = cpu_of_all(&pids) - before;
    let entries = figures["entries"].as_f64().filter(|entries| *entries > 0.0).context("nothing was committed")?;
    figures["cpu_us"] = json!(ms(cpu) * 1000.0 / entries);
    Ok(figures)
}

// ---- a node

struct Deaf;

impl Observer for Deaf {
    fn stopped(&self, _: GroupId, _: bool) {}

    fn applied(&self, _: GroupId, _: &Arc<View>, _: &[AppliedEntry]) {}
    fn installed(&self, _: GroupId, _: &Arc<View>) {}
    fn leader_changed(&self, _: GroupId, _: Option<NodeId>, _: u64) {}
}

/// Gives consensus to the groups and sends everything else straight back.
#[derive(Default)]
struct Entrance(OnceLock<Groups>);

impl Handler for Entrance {
    fn on_cast(&self, _: PeerId, _: Class, _: Bytes) {}

    fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply) {
        match (class, self.0.get()) {
            (Class::Raft | Class::Command, Some(groups)) => groups.on_ask(from, class, body, reply),
            (Class::Raft | Class::Command, None) => {}
            _ => reply.send(body),
        }
    }
}

async fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let [node, root, ports] = arguments else { anyhow::bail!("--as-node NODE DIR PORTS") };
    let (node, root) = (NodeId(node.parse()?), Path::new(root));
    let ports: Vec<u16> = ports.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let peers: Vec<(PeerId, SocketAddr)> =
        VOTERS.iter().zip(&ports).map(|(node, port)| (PeerId::Node(*node), address(*port))).collect();
    let me = PeerId::Node(node);
    let listen = peers.iter().find(|(peer, _)| *peer == me).map(|(_, at)| *at).context("an own port")?;
    let identity = Identity::development(&root.join("tls"), me)?;
    let entrance = Arc::new(Entrance::default());
    let link = Link::start(
        strowger_link::Options { me, listen, identity, layout: strowger_table::layout::LATEST, peers },
        entrance.clone(),
    )
    .await?;
    let dir = root.join(node.to_string());
    let options = Options {
        me: node,
        voters: BTreeSet::from(VOTERS),
        shards: 1,
        dir,
        retention: Retention::default(),
        tuning: Tuning::default(),
    };
    let groups = Groups::start(options, link.clone(), Arc::new(Deaf)).await?;
    assert!(entrance.0.set(groups.clone()).is_ok(), "set once");
    let (heard, mut orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
    // Without a driver there is nothing to do: its end closes the input.
    while let Some(order) = orders.recv().await {
        let answer = match order.split_once(' ') {
            Some(("write", writers)) => write_calls(&groups, writers.parse()?).await?,
            _ if order == "lead" => json!({ "leads": groups.leads(GROUP).is_some() }),
            _ if order == "ping" => ping(&link, node).await?,
            _ => configure(&groups).await?,
        };
        println!("{answer}");
    }
    std::process::exit(0)
}

async fn ping(link: &Link, me: NodeId) -> anyhow::Result<Value> {
    let to = VOTERS.into_iter().find(|node| *node != me).map(PeerId::Node).context("another voter")?;
    let mut took = Vec::new();
    for _ in 0..PINGS {
        let begun = Instant::now();
        link.ask(to, Class::Relay, vec![7; PING_BYTES], PATIENCE).await?;
        took.push(begun.elapsed().as_micros() as u64);
    }
    Ok(json!({ "p50_us": percentile(&mut took, 50), "p99_us": percentile(&mut took, 99) }))
}

async fn configure(groups: &Groups) -> anyhow::Result<Value> {
    let mut done = true;
    for command in Command::configuring(1, &tenant()) {
        done &= groups.propose(GROUP, Body::Shard(command), PATIENCE).await? == Outcome::Done;
    }
    Ok(json!({ "done": done }))
}

async fn write_calls(groups: &Groups, writers: usize) -> anyhow::Result<Value> {
    let before = groups.stats();
    let begun = Instant::now();
    let until = begun + Duration::from_secs(SECONDS);
    let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(groups.clone(), writer, until))).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    let spent = begun.elapsed().as_secs_f64();
    let after = groups.stats();
    let batches = (after.batches_written - before.batches_written).max(1);
    Ok(json!({
        "entries": took.len(),
        "rate": took.len() as f64 / spent,
        "p50_ms": ms(percentile(&mut took, 50)),
        "p99_ms": ms(percentile(&mut took, 99)),
        "batch": (after.entries_written - before.entries_written) as f64 / batches as f64,
    }))
}

/// One call after the other, each proposal after the outcome of the last.
async fn write(groups: Groups, writer: usize, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for number in 0.. {
        if Instant::now() >= until {
            break;
        }
        let observed = groups.log_now(GROUP).at_most;
        let begun = Instant::now();
        let outcome = groups.propose(GROUP, Body::Shard(admit(writer, number, observed)), PATIENCE).await?;
        took.push(begun.elapsed());
        let Outcome::Admitted { call, .. } = outcome else { anyhow::bail!("not admitted: {outcome:?}") };
        let leg = LegKey { call, leg: LegNo(0) };
        for command in [
            Command::Answer { leg, dialog: Box::new(dialog("answered")), relay: RelayId(1) },
            Command::Enqueue { call, step: 0, queue: QueueId(1), then: Then::End },
            Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed },
        ] {
            let begun = Instant::now();
            let outcome = groups.propose(GROUP, Body::Shard(command), PATIENCE).await?;
            ensure!(outcome == Outcome::Done, "refused: {outcome:?}");
            took.push(begun.elapsed());
        }
    }
    Ok(took)
}

fn admit(writer: usize, number: u64, observed: LogTime) -> Command {
    // The rounds of one run meet in one table, so a key needs the time too.
    let call_id = format!("{writer}-{number}-{}@carrier.example", observed.0);
    Command::Admit(Box::new(Admit {
        dialog: dialog(&call_id),
        key: AdmitKey { call_id, from_tag: "theirs".into(), cseq: 1 },
        tenant: TenantId(1),
        source: Source::Trunk(TrunkId(1)),
        target: Target::Flow(FlowId(1)),
        from: "+4930123456".into(),
        to: "+49800100".into(),
        observed,
    }))
}

fn tenant() -> Tenant {
    let queue = Queue {
        id: QueueId(1),
        name: "sales".into(),
        strategy: Strategy::LongestIdle,
        music: Digest([7; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 3,
        miss_pause_ms: 5000,
        max_waiting: 1000,
        max_wait_ms: 600_000,
        service_level_ms: 20_000,
    };
    let steps = vec![Step::Enqueue { queue: QueueId(1), overflow: None }];
    Tenant {
        id: TenantId(1),
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: vec![Number { number: "+49800100".into(), flow: FlowId(1) }],
        flows: vec![Flow { id: FlowId(1), name: "main".into(), steps }],
        queues: vec![queue],
        agents: Vec::new(),
        campaigns: Vec::new(),
        takes_anonymous: true,
        offers_sha256: false,
    }
}

/// As long as a carrier's: the log carries it, the table hashes it.
fn dialog(call_id: &str) -> Dialog {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
               m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    Dialog {
        role: Role::Uas,
        state: DialogState::Early,
        call_id: call_id.into(),
        local_uri: "sip:+49800100@acme.example".into(),
        local_tag: "ours".into(),
        remote_uri: "sip:+4930123456@carrier.example".into(),
        remote_tag: "theirs".into(),
        local_contact: "sip:1@192.0.2.100".into(),
        remote_target: "sip:2@192.0.2.200".into(),
        route_set: Vec::new(),
        local_cseq: 1,
        remote_cseq: 1,
        far: Far::udp(([192, 0, 2, 200], 5060)),
        local_sdp: sdp.into(),
        remote_sdp: sdp.into(),
        sdp_version: 1,
        pending: None,
    }
}
