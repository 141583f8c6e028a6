//! The decision log as this node's groups tell it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_acd::Why;
use strowger_figures::{DecisionLog, Heard, Step, ToWeigh};
use strowger_model::CallId;
use strowger_raft::{AppliedEntry, Groups, PastFault, Replayed, View};

use crate::context::{Context, shard_of};
use crate::start::LOG;

/// States of a shard among which the past looks for the basis of a plan: entries between a plan's and that of a busy
/// group, a commit long.
const STATES: usize = 1024;

/// Told by the groups' own tasks, read by whoever asks.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<DecisionLog>);

impl Context {
    /// The steps of a call that this node remembers; none if it came too long ago, or before this process.
    pub fn history(&self, call: CallId) -> Option<Vec<Step>> {
        self.decision_log.lock().history(call).map(<[Step]>::to_vec)
    }

    /// The steps of a call from what the log was, as far as it is kept here, or why they cannot be told; it takes seconds.
    pub async fn told_again(&self, call: CallId) -> Result<Option<Vec<Step>>, PastFault> {
        let (Some(_), Ok(turn)) = (self.shard_view(call.shard()), self.telling.clone().acquire_owned().await) else {
            return Ok(None);
        };
        let groups = self.groups.clone();
        // Who asked may go away meanwhile; the thread has its turn until it is done.
        let told = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            tell(&groups, call)
        });
        let told = told.await.unwrap_or(Ok(None));
        told.inspect_err(|fault| tracing::info!(%call, %fault, "it cannot be told what became of a call"))
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

/// Tells the past again that a node's data directory keeps; see [`strowger_raft::replay`]. Blocks.
pub fn replay(data_dir: &Path) -> Vec<Replayed> {
    strowger_raft::replay(&data_dir.join(LOG))
}

/// From the state before the call's first entry on, until its row is gone.
fn tell(groups: &Groups, call: CallId) -> Result<Option<Vec<Step>>, PastFault> {
    let mut past = groups.past(call.shard().group(), call.index())?;
    let mut log = DecisionLog::keeping(STATES);
    while let Some(entry) = past.tell()? {
        // The state before counts: it has the lead that is dialled.
        if entry.at.index + 1 < call.index() {
            continue;
        }
        let Some(table) = past.machine().shard() else { break };
        let to_weigh = log.hear(table, [heard(&entry)]);
        let is_its = |steps: &[Step]| steps.last().is_some_and(|step| step.index == entry.at.index);
        if log.history(call).is_some_and(is_its) {
            to_weigh.into_iter().for_each(ToWeigh::weigh);
        }
        if entry.at.index >= call.index() && table.call(call).is_none() {
            break;
        }
    }
    Ok(log.history(call).map(<[Step]>::to_vec))
}

fn heard(entry: &AppliedEntry) -> Heard<'_> {
    Heard { at: entry.at, proposal: &entry.proposal, applied: &entry.applied }
}
