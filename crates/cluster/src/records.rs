//! Records on their way from the outbox of each shard into this voter's database, and acts from the control group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strowger_model::{GroupId, ShardId};

use crate::context::{Context, shard_of};

/// Records in one transaction.
const BATCH: usize = 512;
/// Records gather this long, so that a busy shard costs one transaction and not hundreds.
const GATHER: Duration = Duration::from_millis(100);
/// A full disk is not said to be free again.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(context: Arc<Context>) {
    // How far each shard is: read once, and again after a fault.
    let mut cursors = BTreeMap::new();
    loop {
        let mut failed = false;
        for shard in context.shards() {
            match project(&context, shard, cursors.get(&shard).copied()).await {
                Ok(cursor) => drop(cursors.insert(shard, cursor)),
                Err(fault) => {
                    tracing::error!(%shard, %fault, "records stay in the outbox for now");
                    cursors.remove(&shard);
                    failed = true;
                }
            }
        }
        if let Err(fault) = project_acts(&context).await {
            tracing::error!(%fault, "the audit log stays in the control group for now");
            failed = true;
        }
        if failed {
            tokio::time::sleep(AGAIN).await;
        } else {
            context.records_changed.notified().await;
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Projects what the outbox has behind a cursor, and says where the cursor is then.
async fn project(context: &Context, shard: ShardId, cursor: Option<u64>) -> Result<u64, strowger_store::StoreError> {
    let mut cursor = match cursor {
        Some(cursor) => cursor,
        None => context.store.cursor(shard)?,
    };
    loop {
        let Some(view) = context.shard_view(shard) else { return Ok(cursor) };
        let Some(table) = shard_of(&view) else { return Ok(cursor) };
        if table.first_record().is_some_and(|first| first > cursor + 1) {
            tracing::error!(%shard, cursor, "records between were dropped while this voter was away; copy them from another");
        }
        let batch: Vec<_> =
            table.records(cursor).take(BATCH).map(|(number, record)| (number, record.clone())).collect();
        if batch.is_empty() {
            return Ok(cursor);
        }
        let directory = context.directory();
        cursor = context.store.project(shard, batch, directory.names.clone()).await?;
    }
}

async fn project_acts(context: &Context) -> Result<(), strowger_store::StoreError> {
    let mut cursor = context.store.acts_cursor()?;
    loop {
        let view = context.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control() else { return Ok(()) };
        let is_full = control.acts(0).count() >= strowger_table::limit::ACTS;
        if is_full && control.acts(0).next().is_some_and(|(first, _)| first > cursor) {
            tracing::error!(cursor, "acts between were dropped while this voter was away; copy them from another");
        }
        let batch: Vec<_> = control.acts(cursor).take(BATCH).map(|(index, act)| (index, act.clone())).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let names = context.directory().names.clone();
        cursor = context.store.project_acts(batch, names).await?;
    }
}
