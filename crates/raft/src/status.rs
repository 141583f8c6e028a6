//! Where the groups stand, for operators and metrics.

use std::collections::BTreeMap;

use openraft::async_runtime::WatchReceiver as _;
use strowger_model::{GroupId, NodeId};

use crate::groups::Groups;
use crate::types::node_of;

/// One group as this node sees it. Indexes are 0 before the first entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStatus {
    /// Which one.
    pub group: GroupId,
    /// Whom this node holds to be its leader; none during an election.
    pub leader: Option<NodeId>,
    /// Number of the last election that this node knows of.
    pub term: u64,
    /// Last entry in this node's log.
    pub last_log: u64,
    /// Last entry this node knows to be committed.
    pub committed: u64,
    /// Last entry given to the table.
    pub applied: u64,
    /// Last entry in the newest snapshot.
    pub snapshot: u64,
    /// The layout in force, in which entries are written.
    pub layout: u16,
    /// Of the table after `applied`: alike on all nodes at one index.
    pub state_hash: u64,
    /// This node's state differed from the leader's: it applies nothing more.
    pub diverged: bool,
    /// On the leader: how many entries each other voter lacks; none while it has not answered.
    pub lag: BTreeMap<NodeId, Option<u64>>,
}

impl Groups {
    /// In the order of the groups.
    pub fn status(&self) -> Vec<GroupStatus> {
        let inner = &self.handle.inner;
        inner
            .groups
            .iter()
            .map(|group| {
                let metrics = group.raft.metrics().borrow_watched().clone();
                let view = group.shared.view.get();
                let leadership = *group.leadership.borrow();
                let last_log = metrics.last_log_index.unwrap_or(0);
                let peers = metrics.replication.into_iter().flatten();
                let lag = peers
                    .filter(|(id, _)| *id != u64::from(inner.me.0))
                    .map(|(id, matched)| (node_of(id), matched.map(|id| last_log.saturating_sub(id.index))))
                    .collect();
                GroupStatus {
                    group: group.id,
                    leader: leadership.leader,
                    term: leadership.term,
                    last_log,
                    committed: metrics.local_committed.map_or(0, |id| id.index),
                    applied: view.applied,
                    snapshot: metrics.snapshot.map_or(0, |id| id.index),
                    layout: view.machine.layout(),
                    state_hash: view.machine.hash(),
                    diverged: group.shared.checkpoints.diverged(),
                    lag,
                }
            })
            .collect()
    }
}
