//! The state of one group on this node: applies what is committed and says so.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use strowger_model::{GroupId, Mono};
use strowger_table::{Applied, At, LayoutFault, Machine, Proposal, Written, layout};
use tokio::sync::{Notify, oneshot, watch};

use crate::checkpoint::Checkpoints;
use crate::clock;
use crate::groups::Tuning;
use crate::stats::Stats;
use crate::store::Snapshots;
use crate::types::{Entry, LogId, Payload, Snapshot, SnapshotMeta, Stamped, StoredMembership, Types};
use crate::view::{Clock, View, ViewCell};
use crate::{AppliedEntry, Observer};

/// The least urgent of all (nice(2)): its weight is a 68th of a thread's that nobody set back.
const SNAPSHOT_NICE: i32 = 19;

/// What a replica shares with the rest of its group.
pub(crate) struct Shared {
    pub group: GroupId,
    pub view: ViewCell,
    pub observer: Arc<dyn Observer>,
    pub stats: Arc<Stats>,
    /// False while the log is replayed at start: nobody is told of what happened before.
    pub live: AtomicBool,
    /// The last entry applied that a leader wrote at the beginning of its term.
    pub term_began: watch::Sender<Option<LogId>>,
    pub snapshot_due: Notify,
    /// Bytes of the newest snapshot made or installed by this process; 0 before the first.
    pub snapshot_bytes: AtomicU64,
    pub checkpoints: Checkpoints,
}

/// Longer, and calls of the group wait noticeably: whoever looks for the reason of a pause should find it.
const STALL: Duration = Duration::from_millis(200);

impl Grown {
    /// A log shorter than the state is replayed sooner than the state is written: so each byte of the log costs at most
    /// one byte of a snapshot, however large the state is, and a restart at most reads the state twice over.
    fn is_worth_one(self, tuning: &Tuning, last_bytes: u64) -> bool {
        let is_long = self.entries >= tuning.snapshot_entries || self.bytes >= tuning.snapshot_bytes;
        is_long && self.bytes >= last_bytes
    }
}

/// The consensus library's state machine.
pub(crate) struct Replica {
    shared: Arc<Shared>,
    snapshots: Snapshots,
    tuning: Tuning,
    machine: Machine,
    last: Option<LogId>,
    membership: StoredMembership,
    /// When the last stamped entry was applied here.
    received: Mono,
    clock: Arc<Clock>,
    since_snapshot: Grown,
}

/// How much log a snapshot would spare.
#[derive(Clone, Copy, Default)]
struct Grown {
    entries: u64,
    bytes: u64,
}

impl Replica {
    pub fn new(shared: Arc<Shared>, snapshots: Snapshots, tuning: Tuning) -> Self {
        let machine = Machine::new(shared.group);
        let clock = shared.view.get().clock.clone();
        let received = clock::boottime();
        Self {
            shared,
            snapshots,
            tuning,
            clock,
            machine,
            last: None,
            membership: StoredMembership::default(),
            received,
            since_snapshot: Grown::default(),
        }
    }

    fn apply_one(&mut self, entry: Entry) -> io::Result<Option<AppliedEntry>> {
        if self.shared.checkpoints.diverged() {
            return Err(io::Error::other("this group's state differs from its leader's: it was stopped"));
        }
        let id = entry.log_id;
        self.since_snapshot.entries += 1;
        let applied = match entry.payload {
            Payload::Blank => {
                self.shared.term_began.send_replace(Some(id));
                None
            }
            Payload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(id), membership);
                None
            }
            Payload::Normal(stamped) => Some(self.apply_stamped(id.index, &stamped)?),
        };
        self.last = Some(id);
        self.shared.checkpoints.passed(id.index, || self.machine.hash());
        Ok(applied)
    }

    fn apply_stamped(&mut self, index: u64, stamped: &Stamped) -> io::Result<AppliedEntry> {
        self.since_snapshot.bytes += stamped.body.len() as u64;
        let group = self.shared.group;
        let entry = apply_stamped(&mut self.machine, index, stamped).map_err(|fault| {
            tracing::error!(%group, index, %fault, "an entry this build cannot read: the group stops here");
            io::Error::new(io::ErrorKind::InvalidData, fault)
        })?;
        self.hear();
        Ok(entry)
    }

    /// A stamp, or a snapshot with the stamps of what it stands for.
    fn hear(&mut self) {
        self.received = clock::boottime();
        self.clock.hear(self.machine.last().time, self.received);
    }

    fn publish(&self) -> Arc<View> {
        let applied = self.last.map_or(0, |id| id.index);
        let (received, clock) = (self.received, self.clock.clone());
        self.shared.view.publish(View { machine: self.machine.clone(), applied, received, clock })
    }

    /// Not while the log is replayed: then nobody waits.
    fn tell_of_stall(&self, begun: Mono, entries: u64, applied: u64) {
        let took = clock::boottime().since(begun);
        if took >= STALL && self.shared.live.load(Relaxed) {
            let (group, ms) = (self.shared.group, took.as_millis() as u64);
            tracing::warn!(%group, ms, entries, applied, "the group stood still while entries were applied");
        }
    }

    fn ask_for_snapshot(&mut self) {
        if self.since_snapshot.is_worth_one(&self.tuning, self.shared.snapshot_bytes.load(Relaxed)) {
            self.since_snapshot = Grown::default();
            self.shared.snapshot_due.notify_one();
        }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }
}

/// A command this build does not know must not be skipped: the state would differ from the others'.
pub(crate) fn apply_stamped(machine: &mut Machine, index: u64, stamped: &Stamped) -> Result<AppliedEntry, LayoutFault> {
    let proposal = Arc::new(Proposal::from_bytes(&stamped.body)?);
    let at = At { index, time: stamped.time, wall: stamped.wall };
    let applied: Applied = machine.apply(at, &proposal);
    let found = machine.layout();
    if found > layout::LATEST {
        return Err(LayoutFault::Unknown { found, latest: layout::LATEST });
    }
    Ok(AppliedEntry { at: At { time: machine.last().time, ..at }, proposal, applied })
}

impl RaftStateMachine<Types> for Replica {
    type SnapshotData = Bytes;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + Send,
    {
        let begun = clock::boottime();
        let mut applied = Vec::new();
        let mut answers = Vec::new();
        let mut count = 0;
        while let Some((entry, responder)) = entries.try_next().await? {
            let entry = self.apply_one(entry)?;
            count += 1;
            if let Some(responder) = responder {
                answers.push((responder, entry.as_ref().map(|entry| entry.applied.outcome.clone())));
            }
            applied.extend(entry);
        }
        // Seen before answered: whoever got an answer finds it in the view.
        let view = self.publish();
        if self.shared.live.load(Relaxed) && !applied.is_empty() {
            self.shared.observer.applied(self.shared.group, &view, &applied);
        }
        answers.into_iter().for_each(|(responder, outcome)| responder.send(outcome));
        self.tell_of_stall(begun, count, view.applied);
        self.ask_for_snapshot();
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.since_snapshot = Grown::default();
        Builder {
            shared: self.shared.clone(),
            snapshots: self.snapshots.clone(),
            machine: self.machine.clone(),
            meta: self.meta(),
            again: self.tuning.snapshot_again,
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Bytes) -> Result<(), io::Error> {
        let (group, snapshots, saved) = (self.shared.group, self.snapshots.clone(), meta.clone());
        self.shared.snapshot_bytes.store(snapshot.len() as u64, Relaxed);
        let whole = snapshot.clone();
        let machine = blocking(move || Machine::restore(group, &whole).map_err(io::Error::other)).await?;
        loop {
            let (snapshots, saved, snapshot) = (snapshots.clone(), saved.clone(), snapshot.clone());
            match blocking(move || snapshots.save(&saved, snapshot)).await {
                Ok(()) => break,
                Err(fault) => not_written(group, &fault, self.tuning.snapshot_again).await,
            }
        }
        self.machine = machine;
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.hear();
        self.since_snapshot = Grown::default();
        let view = self.publish();
        self.shared.stats.snapshots_installed.fetch_add(1, Relaxed);
        if self.shared.live.load(Relaxed) {
            tracing::info!(%group, index = view.applied, "snapshot installed");
            self.shared.observer.installed(group, &view);
        }
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let snapshots = self.snapshots.clone();
        blocking(move || snapshots.load()).await
    }
}

/// Makes one snapshot beside the group's work: the machine it holds is a copy that costs nothing.
pub(crate) struct Builder {
    shared: Arc<Shared>,
    snapshots: Snapshots,
    machine: Machine,
    meta: SnapshotMeta,
    /// Before one that could not be written is tried again.
    again: Duration,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let machine = self.machine.clone();
        let bytes = behind_all(move || Ok(Bytes::from(machine.snapshot()))).await?;
        loop {
            let (snapshots, meta, bytes) = (self.snapshots.clone(), self.meta.clone(), bytes.clone());
            match behind_all(move || snapshots.save(&meta, bytes)).await {
                Ok(()) => break,
                Err(fault) => not_written(self.shared.group, &fault, self.again).await,
            }
        }
        self.shared.snapshot_bytes.store(bytes.len() as u64, Relaxed);
        self.shared.stats.snapshots_built.fetch_add(1, Relaxed);
        Ok(Snapshot { meta: self.meta.clone(), snapshot: bytes })
    }
}

/// A disk that is full for a while costs a longer log: an error here would stop the group on this node for good.
async fn not_written(group: GroupId, fault: &io::Error, again: Duration) {
    tracing::error!(
        %group, %fault,
        "a snapshot was not written: the log grows until there is room for one; free space on the disk of data_dir"
    );
    tokio::time::sleep(again).await;
}

/// In a thread of its own, which gets what the others leave of the processors: all voters make a snapshot after the same
/// entry, a second of work each, and callers would wait for it.
async fn behind_all<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new().name("snapshot".into()).spawn(move || {
        // Linux counts this by thread. Where it is refused, snapshots are as urgent as calls.
        let _as_before = rustix::process::setpriority_process(None, SNAPSHOT_NICE);
        // Who waited may be gone.
        let _gone = tell.send(work());
    })?;
    told.await.map_err(io::Error::other)?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_waits_until_the_log_is_as_long_as_the_last_one() {
        let tuning = Tuning { snapshot_entries: 10, snapshot_bytes: 1000, ..Tuning::default() };
        let grown = |entries, bytes| Grown { entries, bytes };
        assert!(!grown(9, 999).is_worth_one(&tuning, 0));
        assert!(grown(10, 0).is_worth_one(&tuning, 0));
        assert!(grown(1, 1000).is_worth_one(&tuning, 0));
        assert!(!grown(10, 4999).is_worth_one(&tuning, 5000));
        assert!(grown(10, 5000).is_worth_one(&tuning, 5000));
    }
}
