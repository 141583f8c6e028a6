//! Names as they were when a record was projected: a record outlives what it names.

use std::collections::HashMap;

use strowger_model::config::{Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, QueueId, TenantId, TrunkId};

/// Made by the caller once per configuration version and shared by every projection under it.
/// What is missing here is written as its id, for example `queue-7`.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub tenants: HashMap<TenantId, String>,
    pub queues: HashMap<QueueId, String>,
    pub agents: HashMap<AgentId, String>,
    pub trunks: HashMap<TrunkId, String>,
    pub campaigns: HashMap<CampaignId, String>,
}

impl Names {
    pub fn of<'a>(tenants: impl IntoIterator<Item = &'a Tenant>, trunks: &[Trunk]) -> Self {
        let mut names = Self::default();
        for tenant in tenants {
            names.tenants.insert(tenant.id, tenant.name.clone());
            names.queues.extend(tenant.queues.iter().map(|queue| (queue.id, queue.name.clone())));
            names.campaigns.extend(tenant.campaigns.iter().map(|campaign| (campaign.id, campaign.name.clone())));
            names.agents.extend(tenant.agents.iter().map(|agent| (agent.id, agent.name.clone())));
        }
        names.trunks.extend(trunks.iter().map(|trunk| (trunk.id, trunk.name.clone())));
        names
    }
}
