//! The decision log as this node's groups tell it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_acd::Why;
use strowger_figures::{DecisionLog, Heard, Step, ToWeigh};
use strowger_model::CallId;
use strowger_raft::{AppliedEntry, Groups, PastFault, Replayed, View};
use tokio::sync::Semaphore;

use crate::context::{Context, shard_of};
use crate::start::LOG;

/// States of a shard among which the past looks for the basis of a plan: entries between a plan's and that of a busy
/// group, a commit long.
const STATES: usize = 1024;

/// Told by the groups' own tasks, read by whoever asks.
pub(crate) struct Decisions {
    log: Mutex<DecisionLog>,
    /// Who tells the past has a processor for as long as it takes: one at a time.
    telling: Arc<Semaphore>,
}

impl Default for Decisions {
    fn default() -> Self {
        Self { log: Mutex::default(), telling: Arc::new(Semaphore::new(1)) }
    }
}

impl Context {
    /// The steps of a call that this node remembers; none if it came too long ago, or before this process.
    pub fn history(&self, call: CallId) -> Option<Vec<Step>> {
        self.decision_log.lock().history(call).map(<[Step]>::to_vec)
    }

    /// The steps of a call from what the log was, as far as it is kept here, or why they cannot be told; it takes seconds.
    pub async fn told_again(&self, call: CallId) -> Result<Option<Vec<Step>>, PastFault> {
        if self.shard_view(call.shard()).is_none() {
            return Ok(None);
        }
        let groups = self.groups.clone();
        let told = in_turn(&self.decision_log.telling, move || tell(&groups, call)).await.unwrap_or(Ok(None));
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
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Does the work on a thread for what blocks, in its turn. Who asked may go away meanwhile: the thread has the turn until
/// it is done, so that asking and going away again and again is no way to have more threads at it. None: it panicked.
async fn in_turn<T: Send + 'static>(turns: &Arc<Semaphore>, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let turn = turns.clone().acquire_owned().await.ok()?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.ok()
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_keeps_its_turn_when_who_asked_is_gone() {
        let turns = Arc::new(Semaphore::new(1));
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let asked = tokio::spawn({
            let turns = turns.clone();
            async move {
                let work = move || {
                    begun.send(()).expect("the test waits");
                    finished.recv().expect("the test says when");
                };
                in_turn(&turns, work).await
            }
        });
        begins.await.expect("it begins");
        asked.abort();
        assert!(asked.await.is_err_and(|fault| fault.is_cancelled()));
        assert_eq!(turns.available_permits(), 0, "the thread is still at it");
        let next = tokio::spawn({
            let turns = turns.clone();
            async move { in_turn(&turns, || "told").await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "it waits for its turn");
        finish.send(()).expect("the thread waits");
        assert_eq!(next.await.expect("not aborted"), Some("told"));
        assert_eq!(turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_panic_gives_the_turn_back() {
        let turns = Arc::new(Semaphore::new(1));
        assert_eq!(in_turn::<()>(&turns, || panic!("a fault")).await, None);
        assert_eq!(in_turn(&turns, || 1).await, Some(1));
    }
}
