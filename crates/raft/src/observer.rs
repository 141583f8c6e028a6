//! What the rest of the node is told about its groups.

use std::sync::Arc;

use strowger_model::{GroupId, NodeId};
use strowger_table::{Applied, At, Proposal};

use crate::View;

/// One entry, as it was applied.
#[derive(Clone, Debug)]
pub struct AppliedEntry {
    /// Its index and its log time.
    pub at: At,
    /// What was proposed, and by whom.
    pub proposal: Arc<Proposal>,
    /// What came of it: outcome, rows that changed.
    pub applied: Applied,
}

/// Told of every change, per group in order. Calls come from the consensus's own tasks: hand the news on and return.
pub trait Observer: Send + Sync + 'static {
    /// These entries were applied; `view` is the state after the last of them.
    fn applied(&self, group: GroupId, view: &Arc<View>, entries: &[AppliedEntry]);

    /// The state was replaced, by start-up recovery or by a snapshot: compare everything.
    fn installed(&self, group: GroupId, view: &Arc<View>);

    /// `leader` none: an election is under way.
    fn leader_changed(&self, group: GroupId, leader: Option<NodeId>, term: u64);

    /// The group has ended on this node by a fault, and nothing begins it again but a new start of the process: a disk
    /// that failed, an entry this build cannot read, or a state that `differs` from the leader's.
    fn stopped(&self, group: GroupId, differs: bool);
}
