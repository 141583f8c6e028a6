//! The configuration turned round for look-ups: by number, by realm, by where a packet comes from.

use std::collections::HashMap;
use std::sync::Arc;

use strowger_model::config::{Agent, Phone, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, Far, KeyId, QueueId, TenantId};
use strowger_store::Names;
use strowger_switch::Destination;
use strowger_table::Control;

use crate::data_keys::DataKeys;

#[derive(Default, Debug)]
pub struct Directory {
    pub version: u64,
    pub trunks: Arc<Vec<Trunk>>,
    /// For records, which outlive what they name.
    pub names: Arc<Names>,
    tenants: HashMap<TenantId, Arc<Tenant>>,
    numbers: HashMap<String, Destination>,
    realms: HashMap<String, TenantId>,
    agents: HashMap<AgentId, TenantId>,
    queues: HashMap<QueueId, TenantId>,
    /// By SIP user, which phones register with.
    users: HashMap<TenantId, HashMap<String, AgentId>>,
    /// Tenants with secrets that this node cannot open, for want of this key.
    unreadable: HashMap<TenantId, KeyId>,
}

impl Directory {
    /// `tenants` are what the shards have of those that the control group names.
    pub fn new(control: &Control, tenants: &[Arc<Tenant>], keys: &DataKeys) -> Self {
        let mut directory = Self { version: control.version(), trunks: control.trunks(), ..Self::default() };
        directory.names = Arc::new(Names::of(tenants.iter().map(|tenant| &**tenant), &directory.trunks));
        for tenant in tenants {
            let users = tenant.agents.iter().map(|agent| (agent.name.clone(), agent.id));
            directory.users.insert(tenant.id, users.collect());
            for number in &tenant.numbers {
                let to = Destination { tenant: tenant.id, flow: number.flow, shard: tenant.shard };
                directory.numbers.insert(number.number.clone(), to);
            }
            directory.realms.insert(tenant.realm.to_ascii_lowercase(), tenant.id);
            directory.agents.extend(tenant.agents.iter().map(|agent| (agent.id, tenant.id)));
            directory.queues.extend(tenant.queues.iter().map(|queue| (queue.id, tenant.id)));
            directory.unreadable.extend(missing(tenant, keys).map(|key| (tenant.id, key)));
            directory.tenants.insert(tenant.id, tenant.clone());
        }
        directory
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    pub fn tenant_named(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.values().find(|tenant| tenant.name == name)
    }

    pub fn number(&self, number: &str) -> Option<Destination> {
        self.numbers.get(number).copied()
    }

    pub fn realm(&self, realm: &str) -> Option<&Arc<Tenant>> {
        self.realms.get(&realm.to_ascii_lowercase()).and_then(|id| self.tenants.get(id))
    }

    /// The data key that a tenant's secrets are sealed under, if this node does not have it.
    pub fn missing_key(&self, id: TenantId) -> Option<KeyId> {
        self.unreadable.get(&id).copied()
    }

    pub fn agent(&self, id: AgentId) -> Option<(&Arc<Tenant>, &Agent)> {
        let tenant = self.tenants.get(self.agents.get(&id)?)?;
        Some((tenant, tenant.agent(id)?))
    }

    pub fn agent_named(&self, tenant: &Tenant, name: &str) -> Option<AgentId> {
        self.users.get(&tenant.id)?.get(name).copied()
    }

    pub fn queue_name(&self, id: QueueId) -> Option<&str> {
        let tenant = self.tenants.get(self.queues.get(&id)?)?;
        tenant.queue(id).map(|queue| queue.name.as_str())
    }

    /// Its id in place of a name that is not there any more.
    pub fn campaign_name(&self, id: CampaignId) -> String {
        self.names.campaigns.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    pub fn trunk(&self, source: Far) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.sends_from(source))
    }
}

/// The keys that a tenant's secrets are sealed under.
pub(crate) fn keys_of(tenant: &Tenant) -> impl Iterator<Item = KeyId> {
    tenant.agents.iter().filter_map(|agent| match &agent.phone {
        Phone::Registers { ha1 } => Some(ha1.key),
        Phone::Static { .. } => None,
    })
}

fn missing(tenant: &Tenant, keys: &DataKeys) -> Option<KeyId> {
    keys_of(tenant).find(|key| !keys.has(*key))
}
