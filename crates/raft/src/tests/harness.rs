//! A cluster whose nodes can be killed and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{Class, Handler, Identity, Link, Reply};
use strowger_model::{GroupId, LogTime, NodeId, PeerId};
use strowger_table::{AdmitKey, Body, Command};

use crate::{AppliedEntry, Groups, Observer, Options, Retention, Tuning, View};

pub const SHARD: GroupId = GroupId(1);
pub const SHARDS: u16 = 2;
/// For anything that must happen, on a machine busy with other tests.
pub const LONG: Duration = Duration::from_secs(30);

/// A directory that goes when the test ends.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("strowger-raft-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _already_gone = std::fs::remove_dir_all(&self.0);
    }
}

/// What one node was told, checked as it comes.
#[derive(Default)]
pub struct Seen(Mutex<BTreeMap<GroupId, SeenGroup>>);

#[derive(Default, Clone)]
pub struct SeenGroup {
    pub entries: u64,
    /// Of these, what the leader wrote for the time alone.
    pub ticks: u64,
    pub installs: u64,
    pub last_index: u64,
    pub last_time: LogTime,
    pub leaders: Vec<Option<NodeId>>,
    /// Whether because its state differs; none: it goes on.
    pub stopped: Option<bool>,
}

impl Seen {
    pub fn group(&self, group: GroupId) -> SeenGroup {
        self.lock().get(&group).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GroupId, SeenGroup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Seen {
    fn applied(&self, group: GroupId, view: &Arc<View>, entries: &[AppliedEntry]) {
        let mut seen = self.lock();
        let seen = seen.entry(group).or_default();
        for entry in entries {
            assert!(entry.at.index > seen.last_index, "in order, once");
            assert!(entry.at.time >= seen.last_time, "log time never runs backwards");
            (seen.last_index, seen.last_time) = (entry.at.index, entry.at.time);
            seen.entries += 1;
            seen.ticks += u64::from(matches!(entry.proposal.body, Body::Shard(Command::Tick)));
        }
        assert_eq!(view.machine.last().index, seen.last_index, "the view holds what is told");
    }

    fn installed(&self, group: GroupId, view: &Arc<View>) {
        let mut seen = self.lock();
        let seen = seen.entry(group).or_default();
        seen.installs += 1;
        (seen.last_index, seen.last_time) = (view.machine.last().index, view.machine.last().time);
    }

    fn leader_changed(&self, group: GroupId, leader: Option<NodeId>, _term: u64) {
        self.lock().entry(group).or_default().leaders.push(leader);
    }

    fn stopped(&self, group: GroupId, differs: bool) {
        self.lock().entry(group).or_default().stopped = Some(differs);
    }
}

/// Hands what peers ask to the groups, once they run.
#[derive(Default)]
struct Entrance(Mutex<Option<Groups>>);

impl Entrance {
    fn set(&self, groups: Option<Groups>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }
}

impl Handler for Entrance {
    fn on_cast(&self, _from: PeerId, _class: Class, _body: Bytes) {}

    fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply) {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(groups) = groups {
            groups.on_ask(from, class, body, reply);
        }
    }
}

pub struct Node {
    pub groups: Groups,
    pub seen: Arc<Seen>,
    link: Link,
    entrance: Arc<Entrance>,
}

pub struct Cluster {
    pub nodes: BTreeMap<NodeId, Node>,
    pub tuning: Tuning,
    addresses: BTreeMap<NodeId, SocketAddr>,
    root: TempDir,
}

impl Cluster {
    pub async fn start(tuning: Tuning) -> Self {
        // For whoever looks into a failure: RUST_LOG names what is written.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _set_by_another_test = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let mut cluster = Self { nodes: BTreeMap::new(), tuning, addresses: BTreeMap::new(), root: TempDir::new() };
        for id in cluster.ids() {
            // The port stays the node's own over its restarts.
            let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            cluster.addresses.insert(id, socket.local_addr().unwrap());
        }
        for id in cluster.ids() {
            cluster.start_node(id).await;
        }
        cluster
    }

    pub fn ids(&self) -> [NodeId; 3] {
        [NodeId(1), NodeId(2), NodeId(3)]
    }

    pub fn dir(&self, id: NodeId) -> PathBuf {
        self.root.path().join(id.to_string())
    }

    pub fn options(&self, id: NodeId) -> Options {
        let voters = BTreeSet::from(self.ids());
        Options {
            me: id,
            voters,
            shards: SHARDS,
            dir: self.dir(id),
            retention: Retention::default(),
            tuning: self.tuning,
        }
    }

    pub async fn start_node(&mut self, id: NodeId) {
        let me = PeerId::Node(id);
        let entrance = Arc::new(Entrance::default());
        let peers = self.addresses.iter().map(|(id, address)| (PeerId::Node(*id), *address)).collect();
        let identity = Identity::development(&self.root.path().join("tls"), me).unwrap();
        let options = strowger_link::Options {
            me,
            listen: self.addresses[&id],
            identity,
            layout: strowger_table::layout::LATEST,
            peers,
        };
        let link = Link::start(options, entrance.clone()).await.unwrap();
        let seen = Arc::new(Seen::default());
        let groups = Groups::start(self.options(id), link.clone(), seen.clone()).await.unwrap();
        entrance.set(Some(groups.clone()));
        self.nodes.insert(id, Node { groups, seen, link, entrance });
    }

    /// Its peers hear nothing more from it at once; only then does it end.
    pub async fn kill(&mut self, id: NodeId) {
        let node = self.nodes.remove(&id).unwrap();
        node.link.close().await;
        node.entrance.set(None);
        node.groups.shutdown().await;
    }

    pub fn groups(&self, id: NodeId) -> &Groups {
        &self.nodes[&id].groups
    }

    pub fn link(&self, id: NodeId) -> Link {
        self.nodes[&id].link.clone()
    }

    /// Waits until the nodes that run agree on who leads `group`.
    pub async fn leader(&self, group: GroupId) -> NodeId {
        until("one leader", || {
            let mut leaders = self.nodes.values().map(|node| node.groups.leader(group));
            let leader = leaders.next().flatten()?;
            let leads = self.nodes.get(&leader)?.groups.leads(group).is_some();
            (leads && leaders.all(|other| other == Some(leader))).then_some(leader)
        })
        .await
    }

    pub async fn follower(&self, group: GroupId) -> NodeId {
        let leader = self.leader(group).await;
        *self.nodes.keys().find(|id| **id != leader).unwrap()
    }

    /// Waits until all nodes that run have the same state at the same entry.
    pub async fn agree(&self, group: GroupId) -> u64 {
        until("the same state everywhere", || {
            let views: Vec<_> = self.nodes.values().map(|node| node.groups.view(group)).collect();
            let (index, hash) = (views[0].applied, views[0].machine.hash());
            views.iter().all(|view| view.applied == index && view.machine.hash() == hash).then_some(index)
        })
        .await
    }

    pub async fn end(mut self) {
        for id in self.ids() {
            if self.nodes.contains_key(&id) {
                self.kill(id).await;
            }
        }
    }
}

/// A command that leaves a trace of its own in a shard's state.
pub fn trace(name: &str) -> Body {
    let key = AdmitKey { call_id: name.into(), from_tag: "tag".into(), cseq: 1 };
    Body::Shard(Command::Withdraw { key })
}

/// Polls until there is an answer; what never comes fails the test with its name.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
