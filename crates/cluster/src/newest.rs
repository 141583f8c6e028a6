//! The newest directory: whether it is old, the next one, and who waits for it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use strowger_model::config::Tenant;
use strowger_model::{GroupId, ShardId};
use strowger_raft::Groups;
use strowger_table::{Control, Shard, TenantRef};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::context::shard_of;
use crate::data_keys::{DataKeys, KeyInUse};
use crate::directory::{Directory, Mark};
use crate::keyring::Keyring;

pub(crate) struct Newest {
    groups: Groups,
    shards: u16,
    directory: RwLock<Arc<Directory>>,
    /// The groups have another configuration than the directory shows.
    old: Notify,
    /// The directory shows another configuration than before.
    changed: Notify,
    /// Whose turn it is to make the next one.
    turn: Mutex<()>,
}

impl Newest {
    /// An empty directory, which is old as soon as there is a configuration.
    pub fn new(groups: Groups, shards: u16) -> Self {
        let (directory, turn) = (RwLock::default(), Mutex::default());
        Self { groups, shards, directory, old: Notify::new(), changed: Notify::new(), turn }
    }

    pub fn get(&self) -> Arc<Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the directory shows another configuration after this was asked.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Whether the control group or a shard has another configuration than the directory shows.
    pub fn is_old(&self) -> bool {
        self.mark() != self.get().mark
    }

    /// Wakes whoever makes the next one, if this one is old.
    pub fn look(&self) {
        if self.is_old() {
            self.old.notify_one();
        }
    }

    /// Resolves when `look` found the directory old.
    pub async fn until_old(&self) {
        self.old.notified().await;
    }

    /// Makes the next directory if this one is old. It takes a second where a million numbers come: not for a thread
    /// that others wait for.
    pub fn refresh(&self, keyring: &Keyring) {
        // One after another: the last to come makes its directory from all that the others made theirs from.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, mark) = (self.get(), self.mark());
        let view = self.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control().filter(|_| mark != before.mark) else { return };
        // What comes meanwhile is told after it, and makes the next.
        let tenants: Vec<_> = control.tenants().iter().filter_map(|tenant| self.tenant(tenant)).collect();
        let next = Arc::new(before.followed_by(mark, control, &tenants, &keyring.data_keys()));
        self.put(&before, next);
    }

    /// Other keys, if none that what is in force needs is missing in them.
    pub fn exchange_keys(&self, keys: DataKeys, keyring: &Keyring) -> Result<(), KeyInUse> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.get();
        let next = before.with_keys(&keys);
        if let Some((tenant, key)) = next.lost_key(&before) {
            return Err(KeyInUse { tenant: tenant.name.clone(), key });
        }
        keyring.put(keys);
        self.put(&before, Arc::new(next));
        Ok(())
    }

    fn put(&self, before: &Directory, next: Arc<Directory>) {
        tell_missing_keys(before, &next);
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.changed.notify_waiters();
    }

    /// As its shard has it; none if the shard has nothing of it yet, or is none of this cluster's.
    fn tenant(&self, tenant: &TenantRef) -> Option<Arc<Tenant>> {
        let shard = Some(tenant.shard).filter(|shard| shard.0 < self.shards)?;
        shard_of(&self.groups.view(shard.group()))?.shared_tenant(tenant.tenant).cloned()
    }

    /// Of what the groups have now.
    fn mark(&self) -> Mark {
        let version = self.groups.view(GroupId::CONTROL).machine.control().map_or(0, Control::version);
        let of = |shard: ShardId| shard_of(&self.groups.view(shard.group())).map_or(0, Shard::config_mark);
        (version, (0..self.shards).map(ShardId).map(of).collect())
    }
}

/// Once for each tenant and key: until somebody brings the key, none of its phones can register here.
fn tell_missing_keys(before: &Directory, next: &Directory) {
    for tenant in next.tenants() {
        let missing = next.missing_key(tenant.id).filter(|key| before.missing_key(tenant.id) != Some(*key));
        if let Some(key) = missing {
            tracing::error!(
                tenant = tenant.name, %key,
                "its passwords are sealed under a data key that this node does not have, so its phones cannot register \
                 here: add the key to this node's data_keys and send it SIGHUP, or apply the configuration again"
            );
        }
    }
}
