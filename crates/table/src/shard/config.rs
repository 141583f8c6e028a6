//! A tenant's configuration arrives, changes, goes.

use std::collections::BTreeSet;

use strowger_model::config::Tenant;
use strowger_model::{AgentId, TenantId};

use super::apply::Entry;
use super::{Configured, LeaseKey, Shard};
use crate::{Call, Refusal};

impl Shard {
    pub(super) fn configure(&mut self, entry: Entry, version: u64, tenant: &Tenant) -> Result<(), Refusal> {
        if self.config_version(tenant.id).is_some_and(|newest| newest >= version) {
            return Err(Refusal::OldVersion);
        }
        self.retime_waiting(tenant.id, |shard| {
            shard.tenants.put(tenant.id, Configured { version, tenant: tenant.clone() });
        });
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
        self.retime_waiting(tenant, |shard| {
            shard.tenants.remove(&tenant);
        });
        Ok(())
    }

    /// How long a call may wait is read from the configuration: waiting calls leave the index of leases under the
    /// old one and come back under the new one.
    fn retime_waiting(&mut self, tenant: TenantId, change: impl FnOnce(&mut Self)) {
        let waiting: Vec<Call> = self
            .waiting
            .iter()
            .filter_map(|(_, _, id)| self.calls.get(id))
            .filter(|call| call.tenant == tenant)
            .map(|call| (**call).clone())
            .collect();
        for call in &waiting {
            self.leases.remove(&(call.lease(self.max_wait(call)), LeaseKey::Call(call.id)));
        }
        change(self);
        for call in &waiting {
            self.leases.insert((call.lease(self.max_wait(call)), LeaseKey::Call(call.id)));
        }
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
