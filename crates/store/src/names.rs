//! Names as they are when a record is projected: a record outlives what it names.

use std::fmt::Display;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use strowger_model::config::{Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, QueueId, TenantId, TrunkId};

/// Made by the caller and shared by every projection under the same configuration; a copy shares what did not change.
/// Of what is missing here the file remembers the name (`Store::remember`); what was never told is written as its id, for
/// example `queue-7`.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of each tenant.
    pub tenants: OrdMap<TenantId, String>,
    /// Of each queue.
    pub queues: OrdMap<QueueId, String>,
    /// Of each agent.
    pub agents: OrdMap<AgentId, String>,
    /// Of each trunk.
    pub trunks: OrdMap<TrunkId, String>,
    /// Of each campaign.
    pub campaigns: OrdMap<CampaignId, String>,
}

impl Names {
    /// Takes these for all the trunks there are.
    pub fn name_trunks(&mut self, trunks: &[Trunk]) {
        self.trunks = trunks.iter().map(|trunk| (trunk.id, trunk.name.clone())).collect();
    }

    /// Adds a tenant and all that is its own, or renames it.
    pub fn learn(&mut self, tenant: &Tenant) {
        self.tenants.insert(tenant.id, tenant.name.clone());
        self.queues.extend(tenant.queues.iter().map(|queue| (queue.id, queue.name.clone())));
        self.campaigns.extend(tenant.campaigns.iter().map(|campaign| (campaign.id, campaign.name.clone())));
        self.agents.extend(tenant.agents.iter().map(|agent| (agent.id, agent.name.clone())));
    }

    /// Takes out a tenant and all that is its own: of them the file remembers the names.
    pub fn forget(&mut self, tenant: &Tenant) {
        self.tenants.remove(&tenant.id);
        tenant.queues.iter().for_each(|queue| drop(self.queues.remove(&queue.id)));
        tenant.campaigns.iter().for_each(|campaign| drop(self.campaigns.remove(&campaign.id)));
        tenant.agents.iter().for_each(|agent| drop(self.agents.remove(&agent.id)));
    }

    /// What is new here or has another name than before, by id in words. Cost: what differs.
    pub fn since(&self, before: &Names) -> Vec<(String, String)> {
        let tenants = new_names(&before.tenants, &self.tenants);
        let queues = new_names(&before.queues, &self.queues);
        let agents = new_names(&before.agents, &self.agents);
        let trunks = new_names(&before.trunks, &self.trunks);
        let campaigns = new_names(&before.campaigns, &self.campaigns);
        tenants.chain(queues).chain(agents).chain(trunks).chain(campaigns).collect()
    }
}

fn new_names<'a, K: Ord + Clone + Display>(
    before: &'a OrdMap<K, String>,
    now: &'a OrdMap<K, String>,
) -> impl Iterator<Item = (String, String)> + 'a {
    before.diff(now).filter_map(|item| match item {
        DiffItem::Add(id, name) | DiffItem::Update { new: (id, name), .. } => Some((id.to_string(), name.clone())),
        DiffItem::Remove(..) => None,
    })
}
