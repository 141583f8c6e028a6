//! A tenant's configuration arrives, changes, goes.

use std::collections::BTreeSet;

use strowger_model::config::Tenant;
use strowger_model::{AgentId, TenantId};

use super::apply::Entry;
use super::{Configured, Shard};
use crate::Refusal;

impl Shard {
    pub(super) fn configure(&mut self, entry: Entry, version: u64, tenant: &Tenant) -> Result<(), Refusal> {
        if self.config_version(tenant.id).is_some_and(|newest| newest >= version) {
            return Err(Refusal::OldVersion);
        }
        self.tenants.put(tenant.id, Configured { version, tenant: tenant.clone() });
        let named: BTreeSet<AgentId> = tenant.agents.iter().map(|agent| agent.id).collect();
        self.dismiss_all(tenant.id, &named);
        for agent in &tenant.agents {
            self.configure_agent(entry, tenant.id, agent);
        }
        for campaign in &tenant.campaigns {
            self.configure_campaign(tenant.id, campaign);
        }
        Ok(())
    }

    /// Live calls finish under what they have; nothing new begins.
    pub(super) fn retire(&mut self, _entry: Entry, version: u64, tenant: TenantId) -> Result<(), Refusal> {
        match self.config_version(tenant) {
            None => return Err(Refusal::NoSuchTenant),
            Some(newest) if newest >= version => return Err(Refusal::OldVersion),
            Some(_) => {}
        }
        self.dismiss_all(tenant, &BTreeSet::new());
        self.tenants.remove(&tenant);
        Ok(())
    }

    fn dismiss_all(&mut self, tenant: TenantId, but: &BTreeSet<AgentId>) {
        let gone: Vec<AgentId> = self
            .agents
            .iter()
            .filter(|(id, agent)| agent.tenant == tenant && !but.contains(id))
            .map(|(id, _)| *id)
            .collect();
        gone.into_iter().for_each(|id| self.dismiss_agent(id));
    }
}
