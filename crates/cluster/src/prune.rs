//! Content that nobody names any more is taken off this node's disk: tenants of versions that are not kept, prompts, lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use strowger_model::{Digest, GroupId};
use strowger_table::{Control, TenantRef};

use crate::configure::NotConfigured;
use crate::context::{Context, shard_of};

/// Content is spread before an entry names it, by a request that lasts three minutes at most, and a node may learn of
/// the entry later than others: what was put here within this time stays.
const UNNAMED: Duration = Duration::from_secs(60 * 60);

/// Looks some time after each new version, and after the start. Ends with the node.
#[expect(clippy::disallowed_methods, reason = "files carry the wall's time")]
pub(crate) async fn run(context: Arc<Context>) {
    let mut pruned = None;
    loop {
        // Before the look, so that no change falls between.
        let changed = context.control_changed.notified();
        if pruned == Some(version(&context)) {
            changed.await;
            continue;
        }
        tokio::time::sleep(UNNAMED).await;
        let looked_at = version(&context);
        match context.prune(SystemTime::now() - UNNAMED).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "content that no version or list names any more was removed"),
            Err(fault) => tracing::warn!(%fault, "content that nobody names stays for now"),
        }
        pruned = Some(looked_at);
    }
}

fn version(context: &Context) -> u64 {
    context.groups.view(GroupId::CONTROL).machine.control().map_or(0, Control::version)
}

/// Why content that nobody names was not looked for, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum NotPruned {
    /// What it plays is not known then.
    #[error("a version that is kept cannot be read: {0}")]
    Unread(#[from] NotConfigured),
    /// Before that it does not know what is named.
    #[error("this node has not read its log yet")]
    TooEarly,
    /// A file was not removed, or the directory not read.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
    /// A fault of this node.
    #[error("it broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

impl Context {
    /// Removes what nobody names and was put here before `before`; how many files.
    pub async fn prune(&self, before: SystemTime) -> Result<usize, NotPruned> {
        let named = self.named_content().await?;
        let content = self.content.clone();
        Ok(tokio::task::spawn_blocking(move || content.prune(&named, before)).await??)
    }

    /// What kept versions name, and what rows do.
    async fn named_content(&self) -> Result<BTreeSet<Digest>, NotPruned> {
        let view = self.groups.view(GroupId::CONTROL);
        let control = view.machine.control().ok_or(NotPruned::TooEarly)?;
        let kept = control.versions().flat_map(|config| &config.tenants);
        let tenants: BTreeMap<Digest, &TenantRef> = kept.map(|tenant| (tenant.digest, tenant)).collect();
        let mut named = BTreeSet::new();
        for (digest, reference) in tenants {
            let tenant = self.tenant_of(reference).await.ok_or(NotConfigured::Missing { tenant: *reference })?;
            named.insert(digest);
            named.extend(tenant.prompts());
        }
        for shard in self.shards() {
            let view = self.shard_view(shard).ok_or(NotPruned::TooEarly)?;
            named.extend(shard_of(&view).ok_or(NotPruned::TooEarly)?.named_content());
        }
        Ok(named)
    }
}
