//! Rows of a shard told one and all: where an entry touched more than it names, or a snapshot leapt over some. A task of
//! each shard does it, off the consensus's own, and in slices: neither the log nor another call's actor waits for tens of
//! thousands of rows.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use strowger_model::ShardId;
use strowger_table::RowKey;
use tokio::sync::Notify;

use crate::context::{Context, shard_of};
use crate::node::Node;
use crate::observer::rows_changed;

/// Rows that are told before others have their turn: some tenths of a millisecond, and no more than an entry names.
const SLICE: usize = strowger_table::limit::TOUCHED_FEW;

/// What is to be swept.
pub(crate) struct Sweeps(Vec<OneShard>);

#[derive(Default)]
struct OneShard {
    wanted: Notify,
    /// Whoever tells rows holds it from looking at the view to the last of them: no actor hears of an older row after a
    /// newer one.
    telling: Mutex<()>,
}

impl Sweeps {
    pub fn new(shards: u16) -> Self {
        Self((0..shards).map(|_| OneShard::default()).collect())
    }

    /// All rows of a shard are to be told. Asked for twice before it begins, it is done once.
    pub fn want(&self, shard: ShardId) {
        self.of(shard).wanted.notify_one();
    }

    /// To be held while rows of a shard are told.
    pub fn telling(&self, shard: ShardId) -> MutexGuard<'_, ()> {
        self.of(shard).telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, shard: ShardId) -> &OneShard {
        &self.0[usize::from(shard.0)]
    }
}

/// Until the node has ended.
pub(crate) async fn run(sweeps: Arc<Sweeps>, node: Weak<Node>, shard: ShardId) {
    loop {
        sweeps.of(shard).wanted.notified().await;
        let Some(node) = node.upgrade() else { return };
        sweep(&node, shard).await;
    }
}

async fn sweep(node: &Node, shard: ShardId) {
    let rows: Vec<RowKey> = all_rows(&node.context, shard).into_iter().collect();
    for slice in rows.chunks(SLICE) {
        let told = catch_unwind(AssertUnwindSafe(|| tell(node, shard, &slice.iter().copied().collect())));
        if told.is_err() {
            // Those behind the row that broke it are found by the sweep of actors.
            tracing::error!(%shard, "a row broke whoever told it: the rest of its slice is told later");
        }
        tokio::task::yield_now().await;
    }
    finish(node, shard);
}

fn all_rows(context: &Context, shard: ShardId) -> BTreeSet<RowKey> {
    let seated = context.calls.keys().into_iter().filter(|id| id.shard() == shard);
    let view = context.shard_view(shard);
    let table = view.as_deref().and_then(shard_of);
    table.map(|table| strowger_switch::all_rows(table, seated)).unwrap_or_default()
}

/// What is kept of rows that are gone goes, and messages that wait for an actor find it.
fn finish(node: &Node, shard: ShardId) {
    let context = &node.context;
    let _telling = context.sweeps.telling(shard);
    let Some(view) = context.shard_view(shard) else { return };
    let Some(table) = shard_of(&view) else { return };
    context.spending.keep(table, context.now());
    context.spending.heard(shard, table.last().index);
    context.edge.known().keep_agents(table.id(), |agent| table.agent(agent).is_some());
    node.intake.installed(shard, &view);
}

/// As they are by now: what changes after is told by whoever hears the log.
fn tell(node: &Node, shard: ShardId, rows: &BTreeSet<RowKey>) {
    let _telling = node.context.sweeps.telling(shard);
    let Some(view) = node.context.shard_view(shard) else { return };
    if let Some(table) = shard_of(&view) {
        rows_changed(node, &view, table, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is the newest state that is told, so one more would tell nothing new.
    #[tokio::test]
    async fn what_is_wanted_twice_is_done_once() {
        let sweeps = Sweeps::new(2);
        sweeps.want(ShardId(1));
        sweeps.want(ShardId(1));
        sweeps.of(ShardId(1)).wanted.notified().await;
        let again = tokio::time::timeout(std::time::Duration::from_millis(1), sweeps.of(ShardId(1)).wanted.notified());
        assert!(again.await.is_err());
    }
}
