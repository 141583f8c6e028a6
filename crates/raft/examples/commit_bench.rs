//! Commits a second of one group over three nodes in this process, with what the machine can do at best beside it:
//! one `fdatasync` of a small append, and one question and answer over the link.
//!
//! `cargo run --release -p strowger-raft --example commit_bench [SECONDS]`
#![allow(clippy::print_stdout)] // it is a command line tool

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{Class, Handler, Identity, Link, Reply};
use strowger_model::{AgentId, GroupId, NodeId, PeerId, ShardId};
use strowger_raft::{AppliedEntry, Groups, Observer, Options, Tuning, View};
use strowger_table::{Body, Command};

const GROUP: GroupId = GroupId(1);
const VOTERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
/// Proposals under way at once.
const WRITERS: [usize; 4] = [1, 16, 64, 256];
const ENTRY_BYTES: usize = 256;
const FLOOR_SAMPLES: usize = 500;
const PATIENCE: Duration = Duration::from_secs(10);

struct Deaf;

impl Observer for Deaf {
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

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    let root = std::env::temp_dir().join(format!("strowger-commit-bench-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("the temporary directory is writable");
    println!("fdatasync of {ENTRY_BYTES} B appended: {}", quantiles(fdatasync(&root)));

    let mut links = Vec::new();
    for node in VOTERS {
        links.push(link(&root, node).await);
    }
    let addresses: Vec<SocketAddr> = links.iter().map(|(link, _)| link.local_addr()).collect();
    for (link, _) in &links {
        VOTERS.iter().zip(&addresses).for_each(|(node, address)| link.add_peer(PeerId::Node(*node), *address));
    }
    let mut nodes = Vec::new();
    for (node, (link, entrance)) in VOTERS.into_iter().zip(&links) {
        let dir = root.join(node.to_string());
        let options = Options { me: node, voters: BTreeSet::from(VOTERS), shards: 1, dir, tuning: Tuning::default() };
        let groups = Groups::start(options, link.clone(), Arc::new(Deaf)).await.expect("a blank directory starts");
        assert!(entrance.0.set(groups.clone()).is_ok());
        nodes.push(groups);
    }
    let leader = loop {
        match nodes.iter().find(|groups| groups.leads(GROUP).is_some()) {
            Some(leader) => break leader.clone(),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    println!("question and answer of {ENTRY_BYTES} B over the link: {}", quantiles(ping(&links[0].0).await));
    for writers in WRITERS {
        measure(&leader, writers, Duration::from_secs(seconds)).await;
    }
    for groups in nodes {
        groups.shutdown().await;
    }
    let _left_behind = std::fs::remove_dir_all(&root);
    // The entrances hold the groups and the groups the links: nothing here ends by itself.
    std::process::exit(0);
}

async fn link(root: &Path, node: NodeId) -> (Link, Arc<Entrance>) {
    let me = PeerId::Node(node);
    let identity = Identity::development(&root.join("tls"), me).expect("a development identity");
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let entrance = Arc::new(Entrance::default());
    let options = strowger_link::Options { me, listen, identity, peers: Vec::new() };
    (Link::start(options, entrance.clone()).await.expect("a link on loopback"), entrance)
}

async fn measure(leader: &Groups, writers: usize, during: Duration) {
    let before = leader.stats();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers).map(|_| tokio::spawn(write(leader.clone(), begun + during))).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("a writer ends"));
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    let after = leader.stats();
    let batches = after.batches_written - before.batches_written;
    let per_batch = (after.entries_written - before.entries_written) as f64 / batches.max(1) as f64;
    let fsync = after.fsync.since(&before.fsync).percentile(50).unwrap_or_default();
    println!(
        "{writers:4} writers: {rate:7.0} commits/s, {}; {per_batch:.1} entries an fsync, its median below {fsync:?}",
        quantiles(took)
    );
}

async fn write(groups: Groups, until: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    while Instant::now() < until {
        // A command that leaves no row behind, so that the table does not grow while it is measured.
        let reason = "x".repeat(ENTRY_BYTES / 2);
        let body = Body::Shard(Command::NotReady { agent: AgentId(1), reason });
        let begun = Instant::now();
        groups.propose(ShardId(0).group(), body, PATIENCE).await.expect("the cluster commits");
        took.push(begun.elapsed());
    }
    took
}

fn fdatasync(root: &Path) -> Vec<Duration> {
    let mut file = File::create(root.join("floor")).expect("the temporary directory is writable");
    let sample = |_| {
        let begun = Instant::now();
        file.write_all(&[7; ENTRY_BYTES]).and_then(|()| file.sync_data()).expect("the disk takes it");
        begun.elapsed()
    };
    (0..FLOOR_SAMPLES).map(sample).collect()
}

async fn ping(link: &Link) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..FLOOR_SAMPLES {
        let begun = Instant::now();
        let to = PeerId::Node(VOTERS[1]);
        link.ask(to, Class::Relay, vec![7; ENTRY_BYTES], PATIENCE).await.expect("the peer answers");
        took.push(begun.elapsed());
    }
    took
}

fn quantiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    format!("p50 {:?}, p99 {:?}", at(50), at(99))
}
