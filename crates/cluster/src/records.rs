//! Records on their way from the outbox of each shard into this voter's database, and acts from the control group.

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
    loop {
        let mut failed = false;
        for shard in context.shards() {
            if let Err(fault) = project(&context, shard).await {
                tracing::error!(%shard, %fault, "records stay in the outbox for now");
                failed = true;
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

async fn project(context: &Context, shard: ShardId) -> Result<(), strowger_store::StoreError> {
    let mut cursor = context.store.cursor(shard)?;
    loop {
        let Some(view) = context.shard_view(shard) else { return Ok(()) };
        let Some(table) = shard_of(&view) else { return Ok(()) };
        if table.first_record().is_some_and(|first| first > cursor + 1) {
            tracing::error!(%shard, cursor, "records between were dropped while this voter was away; copy them from another");
        }
        let batch: Vec<_> =
            table.records(cursor).take(BATCH).map(|(number, record)| (number, record.clone())).collect();
        if batch.is_empty() {
            return Ok(());
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
