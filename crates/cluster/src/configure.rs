//! A configuration on its way: its tenants as content on a majority of the voters, then the control group, then part by
//! part each tenant's shard, by that shard's leader.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use strowger_link::{Class, open, seal};
use strowger_model::config::{NextIds, Tenant, Trunk};
use strowger_model::{Digest, GroupId, KeyId, NodeId, PeerId};
use strowger_table::{Content, Control, ControlCommand, LayoutFault, Outcome, TenantRef};

use crate::content::ContentFault;
use crate::context::{Context, Refused, shard_of};
use crate::directory::keys_of;
use crate::operate::COMMIT;
use crate::wire::{KeysMissing, KeysWanted};

/// For an answer that is known at once.
const KEYS: Duration = Duration::from_secs(2);

/// A configuration that did not come into force.
#[derive(Debug, thiserror::Error)]
pub enum NotConfigured {
    /// A tenant is not on enough disks.
    #[error(transparent)]
    Content(#[from] ContentFault),
    /// The control group said no, or was not reached.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It says what the layout in force cannot: not all voters have this build.
    #[error(transparent)]
    Layout(#[from] LayoutFault),
    /// A fault of this node.
    #[error("the tenants could not be written: {0}")]
    Broken(tokio::task::JoinError),
    /// No node has what the control group names.
    #[error("the content of tenant {} is on no node that can be reached", tenant.tenant)]
    Missing {
        /// Named by the version.
        tenant: TenantRef,
    },
    /// No relay could play it.
    #[error("prompt {digest} is on no node that can be reached")]
    NoPrompt {
        /// Of its content.
        digest: Digest,
    },
    /// No phone could register there.
    #[error("{node} does not have data key {key}, under which passwords are sealed")]
    NoKey {
        /// Which voter lacks it.
        node: NodeId,
        /// As the configuration names it.
        key: KeyId,
    },
}

/// A configuration that is or was in force.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// Its number, from 1; 0 before the first.
    pub version: u64,
    /// How many there are to put tenants on.
    pub shards: u16,
    /// By id.
    pub tenants: Vec<Arc<Tenant>>,
    /// By id.
    pub trunks: Arc<Vec<Trunk>>,
    /// Ids that nothing has had yet, for what the next version adds.
    pub next_ids: NextIds,
}

impl Context {
    /// Makes a configuration the one in force. Its prompts must be spread before.
    pub async fn configure(
        &self,
        version: u64,
        tenants: Vec<Tenant>,
        trunks: Vec<Trunk>,
    ) -> Result<Outcome, NotConfigured> {
        self.check_keys(tenants.iter().flat_map(keys_of).collect()).await?;
        let next_ids = NextIds::default().above(&tenants, &trunks);
        let view = self.groups.view(GroupId::CONTROL);
        let layout = view.machine.layout();
        let write = move |tenants: Vec<Tenant>| {
            let pair = |tenant: &Tenant| {
                let content = Content::of(tenant, layout)?;
                Ok((TenantRef { tenant: tenant.id, shard: tenant.shard, digest: content.digest }, content))
            };
            tenants.iter().map(pair).collect::<Result<Vec<_>, LayoutFault>>()
        };
        let contents = tokio::task::spawn_blocking(move || write(tenants)).await.map_err(NotConfigured::Broken)??;
        let mut references = Vec::with_capacity(contents.len());
        for (reference, content) in contents {
            if view.machine.control().and_then(|control| control.tenant(reference.tenant)) != Some(&reference) {
                self.spread(content.digest, content.bytes).await?;
            }
            references.push(reference);
        }
        let command = ControlCommand::Configure { version, tenants: references, trunks, next_ids };
        Ok(self.control(command, COMMIT).await?)
    }

    /// What some node cannot open must not come into force. Who cannot be asked, says so in its log when it comes back.
    async fn check_keys(&self, keys: BTreeSet<KeyId>) -> Result<(), NotConfigured> {
        let ours = self.keyring.data_keys();
        if let Some(key) = keys.iter().find(|key| !ours.has(**key)) {
            return Err(NotConfigured::NoKey { node: self.me, key: *key });
        }
        for peer in self.link.peers() {
            let PeerId::Node(node) = peer else { continue };
            let wanted = KeysWanted { keys: keys.iter().copied().collect() };
            let answer = self.link.ask(peer, Class::Content, seal(&wanted), KEYS).await;
            let Ok(Ok(KeysMissing { keys })) = answer.map(|answer| open(&answer)) else { continue };
            if let Some(key) = keys.first() {
                return Err(NotConfigured::NoKey { node, key: *key });
            }
        }
        Ok(())
    }

    /// Makes sure that a majority has what these play, before a configuration names it again.
    pub async fn spread_prompts(&self, tenants: &[Arc<Tenant>]) -> Result<(), NotConfigured> {
        let prompts: BTreeSet<Digest> = tenants.iter().flat_map(|tenant| tenant.prompts()).collect();
        for digest in prompts {
            let bytes = self.content.get(&self.link, digest).await.ok_or(NotConfigured::NoPrompt { digest })?;
            self.spread(digest, bytes).await?;
        }
        Ok(())
    }

    /// A configuration of the last few versions, with its tenants' contents. None: there is no such version any more.
    pub async fn configuration(&self, version: u64) -> Result<Option<InForce>, NotConfigured> {
        let view = self.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control() else { return Ok(None) };
        let (shards, next_ids) = (control.shards(), control.next_ids());
        if version == 0 {
            return Ok(Some(InForce { shards, next_ids, ..InForce::default() }));
        }
        let Some(config) = control.config(version).cloned() else { return Ok(None) };
        let mut tenants = Vec::with_capacity(config.tenants.len());
        for tenant in &config.tenants {
            tenants.push(self.tenant_of(tenant).await.ok_or(NotConfigured::Missing { tenant: *tenant })?);
        }
        Ok(Some(InForce { version, shards, tenants, trunks: config.trunks.clone(), next_ids }))
    }

    /// From its shard's table where that has it, else from content.
    pub(crate) async fn tenant_of(&self, reference: &TenantRef) -> Option<Arc<Tenant>> {
        if let Some(view) = self.shard_view(reference.shard)
            && let Some(table) = shard_of(&view)
            && table.config_digest(reference.tenant) == Some(reference.digest)
        {
            return table.shared_tenant(reference.tenant).cloned();
        }
        let content = self.content_of(reference).await?;
        let read = move || content.tenant().ok().map(Arc::new);
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    pub(crate) async fn content_of(&self, reference: &TenantRef) -> Option<Content> {
        let bytes = self.content.get(&self.link, reference.digest).await?;
        Some(Content { digest: reference.digest, bytes })
    }

    /// Waits until this node sees the version in all shards, and says how many still lack it.
    pub async fn settle(&self, version: u64, within: Duration) -> usize {
        let mut over = pin!(tokio::time::sleep(within));
        loop {
            // Before the look, so that no change falls between.
            let changed = self.newest.changed();
            let view = self.groups.view(GroupId::CONTROL);
            let is_here = view.machine.control().is_some_and(|control| control.version() >= version);
            // Until the version is here the shards cannot be compared with it: then all may lack it.
            let behind = if is_here { self.shards_behind() } else { self.shards().count() };
            // Whoever hears that all have it finds it, too.
            if behind == 0 && !self.is_directory_old() {
                return 0;
            }
            tokio::select! {
                () = changed => {}
                () = &mut over => return behind,
            }
        }
    }

    /// Shards that have not yet taken over the newest configuration.
    pub fn shards_behind(&self) -> usize {
        let view = self.groups.view(GroupId::CONTROL);
        let behind = view.machine.control().map(|control| self.behind(control)).unwrap_or_default();
        behind.iter().map(|tenant| tenant.shard).collect::<BTreeSet<_>>().len()
    }

    /// Tenants whose shards have not taken over what is in force.
    fn behind(&self, control: &Control) -> Vec<TenantRef> {
        let is_behind = |tenant: &&TenantRef| {
            let have = self.shard_view(tenant.shard).and_then(|view| shard_of(&view)?.config_version(tenant.tenant));
            have < control.changed(tenant.tenant)
        };
        control.tenants().iter().filter(is_behind).copied().collect()
    }
}
