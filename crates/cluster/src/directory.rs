//! The configuration turned round for look-ups: by number, by realm, by where a packet comes from.

use std::collections::HashMap;
use std::sync::Arc;

use strowger_model::config::{Agent, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, Far, QueueId, TenantId};
use strowger_store::Names;
use strowger_switch::Destination;
use strowger_table::Control;

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
}

impl Directory {
    pub fn new(control: &Control) -> Self {
        let mut directory = Self { version: control.version(), trunks: control.trunks().clone(), ..Self::default() };
        directory.names = Arc::new(Names::of(control.tenants().map(|tenant| &**tenant), control.trunks()));
        for tenant in control.tenants() {
            for number in &tenant.numbers {
                let to = Destination { tenant: tenant.id, flow: number.flow, shard: tenant.shard };
                directory.numbers.insert(number.number.clone(), to);
            }
            directory.realms.insert(tenant.realm.to_ascii_lowercase(), tenant.id);
            directory.agents.extend(tenant.agents.iter().map(|agent| (agent.id, tenant.id)));
            directory.queues.extend(tenant.queues.iter().map(|queue| (queue.id, tenant.id)));
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

    pub fn agent(&self, id: AgentId) -> Option<(&Arc<Tenant>, &Agent)> {
        let tenant = self.tenants.get(self.agents.get(&id)?)?;
        Some((tenant, tenant.agent(id)?))
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
