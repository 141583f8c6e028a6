//! The decision log as this node's groups tell it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_acd::Why;
use strowger_figures::{DecisionLog, Heard, Step};
use strowger_model::CallId;
use strowger_raft::{AppliedEntry, View};

use crate::context::{Context, shard_of};

/// Told by the groups' own tasks, read by whoever asks.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<DecisionLog>);

impl Context {
    /// The steps of a call that this node remembers; none if it came too long ago, or before this process.
    pub fn history(&self, call: CallId) -> Option<Vec<Step>> {
        self.decision_log.lock().history(call).map(<[Step]>::to_vec)
    }

    /// Why a waiting call waits, as of now.
    pub fn why(&self, call: CallId) -> Option<Why> {
        let view = self.shard_view(call.shard())?;
        strowger_acd::why(shard_of(&view)?, call)
    }
}

impl Decisions {
    fn lock(&self) -> MutexGuard<'_, DecisionLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called in the log's way, so it only notes; what takes longer than that happens in a task.
    pub fn hear(&self, view: &Arc<View>, entries: &[AppliedEntry]) {
        let Some(table) = shard_of(view) else { return };
        let to_weigh = self.lock().hear(table, entries.iter().map(heard));
        for plan in to_weigh {
            tokio::spawn(async move { plan.weigh() });
        }
    }
}

fn heard(entry: &AppliedEntry) -> Heard<'_> {
    Heard { at: entry.at, proposal: &entry.proposal, applied: &entry.applied }
}
