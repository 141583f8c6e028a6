//! The configuration as it was asked for: what the promises hold the tables against, whatever those have of it.

use strowger_model::config::{Agent, Campaign, Flow, Phone, Queue, Tenant};
use strowger_model::{AgentId, CampaignId, FlowId, QueueId, TenantId};
use strowger_table::Shard;

/// All tenants of one version. Ids count over all of them, so that each is found by its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub tenants: Vec<Tenant>,
    /// Queues of other versions: who waits there is judged by their rules.
    gone: Vec<(TenantId, Queue)>,
}

impl Asked {
    pub const NOTHING: Self = Self { tenants: Vec::new(), gone: Vec::new() };

    pub fn of(tenants: Vec<Tenant>) -> Self {
        Self { tenants, gone: Vec::new() }
    }

    /// What is in force, by the version of each tenant.
    pub fn in_force(versions: &[Asked], shard: &Shard) -> Self {
        let of = |id: TenantId| versions.get(shard.config_version(id)? as usize - 1)?.tenant(id).cloned();
        let tenants: Vec<Tenant> = shard.tenants().filter_map(|tenant| of(tenant.id)).collect();
        let all = versions.iter().rev().flat_map(|asked| &asked.tenants);
        let queues = all.flat_map(|tenant| tenant.queues.iter().map(|queue| (tenant.id, queue.clone())));
        let is_gone = |queue: &Queue| !tenants.iter().any(|tenant| tenant.queue(queue.id).is_some());
        let gone = queues.filter(|(_, queue)| is_gone(queue)).collect();
        Self { tenants, gone }
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.id == id)
    }

    /// Also one that left the configuration.
    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        let gone = || self.gone.iter().find(|(_, queue)| queue.id == id).map(|(_, queue)| queue);
        self.open_queue(id).or_else(gone)
    }

    /// A queue that takes calls.
    pub fn open_queue(&self, id: QueueId) -> Option<&Queue> {
        self.tenants.iter().find_map(|tenant| tenant.queue(id))
    }

    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.tenants.iter().find_map(|tenant| tenant.agent(id))
    }

    pub fn campaign(&self, id: CampaignId) -> Option<&Campaign> {
        self.tenants.iter().find_map(|tenant| tenant.campaign(id))
    }

    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.tenants.iter().find_map(|tenant| tenant.flow(id))
    }

    /// Whose a number is, and the flow of its calls.
    pub fn number(&self, number: &str) -> Option<(TenantId, FlowId)> {
        let of = |tenant: &Tenant| {
            let found = tenant.numbers.iter().find(|known| known.number == number)?;
            Some((tenant.id, found.flow))
        };
        self.tenants.iter().find_map(of)
    }

    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.tenants.iter().flat_map(|tenant| &tenant.agents)
    }

    /// An agent whose phone registers, by the name it does so with.
    pub fn registers(&self, name: &str) -> Option<AgentId> {
        let registers = |agent: &&Agent| agent.name == name && matches!(agent.phone, Phone::Registers { .. });
        self.agents().find(registers).map(|agent| agent.id)
    }

    pub fn tenant_of_agent(&self, id: AgentId) -> Option<TenantId> {
        self.tenants.iter().find(|tenant| tenant.agent(id).is_some()).map(|tenant| tenant.id)
    }

    pub fn tenant_of_queue(&self, id: QueueId) -> Option<TenantId> {
        let gone = || self.gone.iter().find(|(_, queue)| queue.id == id).map(|(tenant, _)| *tenant);
        self.tenants.iter().find(|tenant| tenant.queue(id).is_some()).map(|tenant| tenant.id).or_else(gone)
    }

    pub fn tenant_of_campaign(&self, id: CampaignId) -> Option<TenantId> {
        self.tenants.iter().find(|tenant| tenant.campaign(id).is_some()).map(|tenant| tenant.id)
    }
}
