//! A tenant's configuration comes into force, changes, goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::config::{Agent, Tenant};
use strowger_model::{AgentId, Digest, TenantId};

use super::apply::Entry;
use super::{Configured, Shard};
use crate::Refusal;

impl Shard {
    /// Only rows of what differs from the configuration in force are touched.
    pub(super) fn configure(
        &mut self,
        entry: Entry,
        version: u64,
        id: TenantId,
        digest: Digest,
    ) -> Result<(), Refusal> {
        if self.config_version(id).is_some_and(|newest| newest >= version) {
            return Err(Refusal::OldVersion);
        }
        let old = self.tenants.get(&id).cloned();
        if let Some(same) = old.as_ref().filter(|old| old.digest == digest) {
            self.tenants.put(id, Configured { version, ..(**same).clone() });
            return Ok(());
        }
        let content = self.assemble(id, digest)?;
        // Not whether this build could read it: the same on every replica.
        if content.layout().map_err(|_| Refusal::BadParts)? > self.layout {
            return Err(Refusal::TooEarly);
        }
        let tenant = content.tenant().map_err(|_| Refusal::BadParts)?;
        if (tenant.id, tenant.shard) != (id, self.id) {
            return Err(Refusal::BadParts);
        }
        let (tenant, old) = (Arc::new(tenant), old.map(|old| old.tenant.clone()));
        if let Some(old) = &old {
            self.close_queues(entry, old, Some(&tenant));
        }
        self.reopen_queues(&tenant);
        self.tenants.put(id, Configured { version, digest, tenant: tenant.clone() });
        self.flows.configure(version, old.as_deref(), Some(&tenant));
        self.configure_agents(entry, old.as_deref(), &tenant);
        for campaign in &tenant.campaigns {
            self.configure_campaign(id, campaign);
        }
        Ok(())
    }

    /// Live calls finish under what they have; nothing new begins.
    pub(super) fn retire(&mut self, entry: Entry, version: u64, tenant: TenantId) -> Result<(), Refusal> {
        let old = match self.tenants.get(&tenant) {
            None => return Err(Refusal::NoSuchTenant),
            Some(newest) if newest.version >= version => return Err(Refusal::OldVersion),
            Some(old) => old.tenant.clone(),
        };
        self.close_queues(entry, &old, None);
        self.drop_parts(tenant);
        self.tenants.remove(&tenant);
        self.flows.configure(version, Some(&old), None);
        old.agents.iter().for_each(|agent| self.dismiss_agent(agent.id));
        Ok(())
    }

    fn configure_agents(&mut self, entry: Entry, old: Option<&Tenant>, new: &Tenant) {
        let before: BTreeMap<AgentId, &Agent> =
            old.iter().flat_map(|old| &old.agents).map(|agent| (agent.id, agent)).collect();
        for id in before.keys().filter(|id| new.agent(**id).is_none()) {
            self.dismiss_agent(*id);
        }
        for agent in new.agents.iter().filter(|agent| before.get(&agent.id).is_none_or(|old| old != agent)) {
            self.configure_agent(entry, new.id, agent);
        }
    }
}
