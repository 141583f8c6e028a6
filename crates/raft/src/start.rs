//! From a data directory to groups that take part.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use openraft::{Config, ConfigError, SnapshotPolicy};
use strowger_link::Link;
use strowger_model::{GroupId, NodeId};
use strowger_table::{Machine, Proposer};
use tokio::sync::{Notify, watch};

use crate::checkpoint::Checkpoints;
use crate::found::{self, Membership};
use crate::group::Group;
use crate::groups::{Inner, Options, Tuning};
use crate::leadership::LeadershipTask;
use crate::peer::{INSTALL_TIMEOUT, Peers};
use crate::replica::{Replica, Shared};
use crate::serve::Arriving;
use crate::stats::Stats;
use crate::store::{Store, StoreError};
use crate::types::Raft;
use crate::view::ViewCell;
use crate::{Observer, compare};

/// Entries in one message to a follower; its bytes are limited by the log's own reads.
const APPEND_ENTRIES: u64 = 1024;
/// Writes and appends that the consensus puts together before it starts IO.
const MERGE_ENTRIES: u64 = 4096;

/// Why the groups did not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{me} is not among the voters {voters:?}; add it to the configuration's voters, or start one of them")]
    NotAVoter { me: NodeId, voters: Vec<NodeId> },
    #[error("election and heartbeat times do not fit together: {0}")]
    Tuning(#[from] Box<ConfigError>),
    #[error("{group} cannot be recovered: {why}")]
    Recovery { group: GroupId, why: String },
    #[error("the start was interrupted")]
    Interrupted,
}

pub(crate) async fn start(options: Options, link: Link, observer: Arc<dyn Observer>) -> Result<Arc<Inner>, StartError> {
    let Options { me, voters, shards, dir, retention, tuning } = options;
    if !voters.contains(&me) {
        return Err(StartError::NotAVoter { me, voters: voters.into_iter().collect() });
    }
    let config = Arc::new(config(&tuning)?);
    let stats = Arc::new(Stats::default());
    let (store, started) = {
        let stats = stats.clone();
        let opened = tokio::task::spawn_blocking(move || Store::open(&dir, (me, shards), retention, stats)).await;
        opened.map_err(|_| StartError::Interrupted)??
    };
    let from = Proposer { node: me, incarnation: started.incarnation };
    tracing::info!(%me, incarnation = %from.incarnation, store = %started.store, "data directory opened");

    let mut groups = Vec::new();
    for id in (0..=shards).map(GroupId) {
        let shared = Arc::new(shared(id, &observer, &stats, &tuning));
        groups.push(Arc::new(recover(id, me, &store, &link, &config, shared, tuning).await?));
    }
    let membership = Arc::new(Membership::new(started.member, store.clone(), groups.clone()));
    let inner = Arc::new(Inner {
        me,
        from,
        store_id: started.store,
        link,
        stats,
        groups,
        arriving: Arriving::default(),
        membership,
        stop: watch::Sender::new(false),
        tasks: Mutex::default(),
        store,
    });
    run(&inner, &voters.into_iter().collect::<Vec<_>>());
    Ok(inner)
}

fn shared(id: GroupId, observer: &Arc<dyn Observer>, stats: &Arc<Stats>, tuning: &Tuning) -> Shared {
    Shared {
        group: id,
        view: ViewCell::new(Machine::new(id)),
        observer: observer.clone(),
        stats: stats.clone(),
        live: AtomicBool::new(false),
        term_began: watch::Sender::default(),
        snapshot_due: Notify::new(),
        snapshot_bytes: AtomicU64::new(0),
        checkpoints: Checkpoints::new(tuning.checkpoint_entries),
    }
}

/// Replays the group's log up to what this node knows to be committed. It does not take part yet.
async fn recover(
    id: GroupId,
    me: NodeId,
    store: &Store,
    link: &Link,
    config: &Arc<Config>,
    shared: Arc<Shared>,
    tuning: Tuning,
) -> Result<Group, StartError> {
    let log = store.log(id)?;
    let replica = Replica::new(shared.clone(), store.snapshots(id), tuning);
    let peers = Peers { group: id, me: me.0.into(), link: link.clone(), heartbeat: tuning.heartbeat };
    let raft = Raft::build(me.0.into(), config.clone(), peers, log.clone(), replica)
        .await
        .map_err(|fault| StartError::Recovery { group: id, why: fault.to_string() })?;
    Ok(Group::new(id, me, raft, log, shared))
}

/// From here on the groups take part.
fn run(inner: &Arc<Inner>, voters: &[NodeId]) {
    let mut tasks = Vec::new();
    for group in &inner.groups {
        // The history is told as one change, before anything new is.
        group.shared.live.store(true, Ordering::Relaxed);
        let view = group.shared.view.get();
        tracing::debug!(group = %group.id, applied = view.applied, "recovered");
        group.shared.observer.installed(group.id, &view);
        group.raft.run();
        tasks.push(tokio::spawn(LeadershipTask::new(group.clone(), inner.from).run(inner.stop.subscribe())));
        tasks.push(tokio::spawn(compare::keep(inner.link.clone(), group.clone(), inner.stop.subscribe())));
    }
    if inner.membership.is_incomplete() {
        let found = found::found(inner.link.clone(), inner.membership.clone(), voters.to_vec(), inner.stop.subscribe());
        tasks.push(tokio::spawn(found));
    }
    *inner.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = tasks;
}

fn config(tuning: &Tuning) -> Result<Config, StartError> {
    let config = Config {
        cluster_name: "strowger".into(),
        heartbeat_interval: tuning.heartbeat.as_millis() as u64,
        election_timeout_min: tuning.election_min.as_millis() as u64,
        election_timeout_max: tuning.election_max.as_millis() as u64,
        // A node that was cut off and comes back must not depose a leader that all others follow.
        enable_pre_vote: Some(true),
        // A restarted leader holds an old state; it is elected again, or another one is.
        enable_leader_restore: Some(false),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: tuning.keep_entries,
        install_snapshot_timeout: INSTALL_TIMEOUT.as_millis() as u64,
        max_payload_entries: APPEND_ENTRIES,
        max_append_entries: Some(MERGE_ENTRIES),
        // A voter that comes back is tried again after a heartbeat, not after four.
        backoff: format!("{}ms", tuning.heartbeat.as_millis()),
        ..Config::default()
    };
    Ok(config.validate().map_err(Box::new)?)
}
