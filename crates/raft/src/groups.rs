//! All groups of a node: the handle that the rest of the process holds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use strowger_link::Link;
use strowger_model::{GroupId, Incarnation, LogNow, LogTime, Mono, NodeId};
use strowger_table::Proposer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::found::Membership;
use crate::group::{Group, Leading};
use crate::serve::Arriving;
use crate::stats::{Stats, StatsNow};
use crate::store::{Log, Store};
use crate::{ArchiveNow, Observer, Retention, StartError, StoreId, View, clock};

/// How this node takes part.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its link proves it to the others.
    pub me: NodeId,
    /// All voters, this node among them. The smallest one founds the groups, once, when all of them are there and none
    /// has a log.
    pub voters: BTreeSet<NodeId>,
    /// Shards; group 0 comes on top. Fixed at the first start.
    pub shards: u16,
    /// Holds this node's logs and snapshots, and nobody else's.
    pub dir: PathBuf,
    /// How long what is purged from the logs can be told.
    pub retention: Retention,
    /// Times and sizes; tests take other ones.
    pub tuning: Tuning,
}

/// Times and sizes; the defaults are what the product runs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// Between two words of a leader that has nothing to say.
    pub heartbeat: Duration,
    /// A follower waits out the leader's lease (the longer one), then a random time between the two.
    pub election_min: Duration,
    /// The longest of those random times.
    pub election_max: Duration,
    /// A snapshot is made after this many entries or bytes of proposals, whichever comes first, but not before the log
    /// has grown by as many bytes as the last snapshot has.
    pub snapshot_entries: u64,
    /// See `snapshot_entries`.
    pub snapshot_bytes: u64,
    /// Entries kept behind a snapshot, so that a follower that was away shortly needs none.
    pub keep_entries: u64,
    /// Before a snapshot that could not be written is tried again: a disk is not freed in less.
    pub snapshot_again: Duration,
    /// State hashes are compared at indexes that this divides.
    pub checkpoint_entries: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(50),
            election_min: Duration::from_millis(200),
            election_max: Duration::from_millis(400),
            // Five seconds of one group's largest planned load: that is what a restart replays.
            snapshot_entries: 50_000,
            snapshot_bytes: 64 << 20,
            keep_entries: 10_000,
            snapshot_again: Duration::from_secs(10),
            checkpoint_entries: crate::checkpoint::CHECKPOINT_ENTRIES,
        }
    }
}

/// A cheap handle to all groups. They end with [`Groups::shutdown`] or with the last handle.
#[derive(Clone)]
pub struct Groups {
    pub(crate) handle: Arc<Handle>,
}

/// Ends the groups when the last clone of [`Groups`] goes; tasks hold [`Inner`].
pub(crate) struct Handle {
    pub inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub me: NodeId,
    pub from: Proposer,
    pub store_id: StoreId,
    pub link: Link,
    pub stats: Arc<Stats>,
    pub groups: Vec<Arc<Group>>,
    pub arriving: Arriving,
    pub membership: Arc<Membership>,
    pub stop: watch::Sender<bool>,
    pub tasks: Mutex<Vec<JoinHandle<()>>>,
    pub store: Store,
}

impl Groups {
    /// Opens the data directory, replays what this node knows to be committed, and takes part from then on. Blank
    /// voters are founded in the background, as soon as all of them are there.
    pub async fn start(options: Options, link: Link, observer: Arc<dyn Observer>) -> Result<Groups, StartError> {
        let inner = crate::start::start(options, link, observer).await?;
        Ok(Groups { handle: Arc::new(Handle { inner }) })
    }

    /// This start of this node; durable before anybody saw it, never had before.
    pub fn incarnation(&self) -> Incarnation {
        self.handle.inner.from.incarnation
    }

    /// Which disk this is: made at the first start, the same at every one after it.
    pub fn store_id(&self) -> StoreId {
        self.handle.inner.store_id
    }

    /// False before the founding, and for a node whose disk was exchanged after it: the others know a history that
    /// this one lacks, so its votes must not count.
    pub fn is_member(&self) -> bool {
        self.handle.inner.membership.is_member()
    }

    /// Group 0 and that of each shard, in order.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.handle.inner.groups.len() as u16).map(GroupId)
    }

    /// The newest state of a group that this node has applied.
    ///
    /// # Panics
    /// On a group that does not exist; check ids that come from outside against [`Groups::groups`].
    pub fn view(&self, group: GroupId) -> Arc<View> {
        self.existing(group).shared.view.get()
    }

    /// Whom this node holds to be the leader; itself only once [`Groups::leads`] says so too.
    ///
    /// # Panics
    /// On a group that does not exist.
    pub fn leader(&self, group: GroupId) -> Option<NodeId> {
        self.existing(group).leadership.borrow().leader
    }

    /// Some while this node leads the group and has applied the first entry of its term.
    ///
    /// # Panics
    /// On a group that does not exist.
    pub fn leads(&self, group: GroupId) -> Option<Leading> {
        self.existing(group).seat().map(|seat| seat.leading)
    }

    /// The log time now, from the last entry, what its leader answered, and this process's clock.
    ///
    /// # Panics
    /// On a group that does not exist.
    pub fn log_now(&self, group: GroupId) -> LogNow {
        self.view(group).log_now()
    }

    /// What an entry of the group would be stamped now; none where this node does not lead it.
    ///
    /// # Panics
    /// On a group that does not exist.
    pub fn led_time(&self, group: GroupId) -> Option<LogTime> {
        self.existing(group).seat().map(|seat| seat.stamper.now(clock::boottime()))
    }

    /// The group's leader said, between `asked` and now, that it was `time`. Who is not held to be the leader here is not
    /// believed.
    pub fn told_time(&self, group: GroupId, by: NodeId, time: LogTime, asked: Mono) {
        let Some(group) = self.handle.inner.group(group) else { return };
        if group.leadership.borrow().leader == Some(by) {
            group.shared.view.get().clock.told(time, asked, clock::boottime());
        }
    }

    /// All counters and histograms, since this process started.
    pub fn stats(&self) -> StatsNow {
        self.handle.inner.stats.now()
    }

    /// What is kept of the past.
    pub fn archive(&self) -> ArchiveNow {
        self.handle.inner.store.held().now()
    }

    /// Ends all groups in order and writes what waits. What is proposed afterwards is refused.
    pub async fn shutdown(&self) {
        let inner = &self.handle.inner;
        inner.stop.send_replace(true);
        let tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(fault) = task.await {
                tracing::error!(%fault, "a task of the groups failed");
            }
        }
        let logs: Vec<Log> = inner.groups.iter().map(|group| group.log.clone()).collect();
        inner.store.flush(&logs).await;
    }

    fn existing(&self, group: GroupId) -> &Group {
        self.handle.inner.group(group).expect("the caller asks for a group that exists")
    }
}

impl Inner {
    pub fn group(&self, group: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(usize::from(group.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.stop.send_replace(true);
    }
}
