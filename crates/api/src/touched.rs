//! What lives on what a configuration would remove: said before it is gone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use strowger_cluster::Context;
use strowger_config::Kind;
use strowger_model::config::{Tenant, Trunk};
use strowger_table::{Call, Presence, Shard};

/// What lives on one thing of the configuration.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Touched {
    /// Calls that are not over: they go on with what they have.
    calls: usize,
    /// Agents who are logged in.
    agents: usize,
    /// On its lists.
    leads: usize,
    /// Of these, those that would still be called.
    left: usize,
}

/// By kind and name, as changes have them. Without what nothing lives on.
pub type Lives = BTreeMap<(&'static str, String), Touched>;

impl Touched {
    /// Whether it has a list.
    pub fn has_leads(self) -> bool {
        self.leads > 0
    }

    /// In words; empty if nothing is.
    pub fn text(self) -> String {
        let mut said = Vec::new();
        if self.calls > 0 {
            said.push(counted(self.calls, "live call", "live calls"));
        }
        if self.agents > 0 {
            said.push(counted(self.agents, "agent logged in", "agents logged in"));
        }
        if self.leads > 0 {
            said.push(format!("{}, {} of them left to call", counted(self.leads, "lead", "leads"), self.left));
        }
        said.join(", ")
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// As this node's replicas have it now. Walks all live calls: for people who apply a configuration.
pub fn lives(context: &Context) -> Lives {
    let mut lives = Lives::new();
    let directory = context.directory();
    for view in context.shards().filter_map(|shard| context.shard_view(shard)) {
        if let Some(table) = view.machine.shard() {
            add_leads(&mut lives, table);
            add_agents(&mut lives, table);
            add_calls(&mut lives, table, &directory.trunks);
        }
    }
    lives
}

fn add_leads(lives: &mut Lives, table: &Shard) {
    for tenant in table.tenants() {
        for campaign in &tenant.campaigns {
            let leads = table.campaign(campaign.id).map_or(0, |ledger| ledger.leads as usize);
            let gone = table.leads_done(campaign.id) + table.leads_barred(campaign.id);
            let mine = [(Kind::Campaign, of(tenant, &campaign.name)), (Kind::Tenant, tenant.name.clone())];
            for (kind, name) in mine.into_iter().filter(|_| leads > 0) {
                let touched = lives.entry((kind.as_str(), name)).or_default();
                touched.leads += leads;
                touched.left += leads.saturating_sub(gone);
            }
        }
    }
}

/// With an agent go its phones, and with a queue those who take its calls.
fn add_agents(lives: &mut Lives, table: &Shard) {
    let is_in = |id| table.agent(id).is_some_and(|row| row.presence != Presence::Out && row.phone().is_some());
    for tenant in table.tenants() {
        for agent in tenant.agents.iter().filter(|agent| is_in(agent.id)) {
            let queues = agent.queues.iter().filter_map(|queue| tenant.queue(*queue));
            let queues = queues.map(|queue| (Kind::Queue, of(tenant, &queue.name)));
            let own = [(Kind::Tenant, tenant.name.clone()), (Kind::Agent, of(tenant, &agent.name))];
            for (kind, name) in own.into_iter().chain(queues) {
                lives.entry((kind.as_str(), name)).or_default().agents += 1;
            }
        }
    }
}

fn add_calls(lives: &mut Lives, table: &Shard, trunks: &[Trunk]) {
    for call in table.calls().filter(|call| !call.is_over()) {
        if let Some(tenant) = table.tenant(call.tenant) {
            for thing in things(tenant, trunks, call) {
                lives.entry(thing).or_default().calls += 1;
            }
        }
    }
}

/// What a call lives on, each once.
fn things(tenant: &Tenant, trunks: &[Trunk], call: &Call) -> BTreeSet<(&'static str, String)> {
    let queue = call.queue().and_then(|queue| tenant.queue(queue)).map(|queue| (Kind::Queue, of(tenant, &queue.name)));
    let campaign = call.outbound().and_then(|outbound| tenant.campaign(outbound.campaign));
    let campaign = campaign.map(|campaign| (Kind::Campaign, of(tenant, &campaign.name)));
    let flow = call.flow.and_then(|position| tenant.flow(position.flow));
    let flow = flow.map(|flow| (Kind::Flow, of(tenant, &flow.name)));
    let agents = call.live_legs().filter_map(|leg| tenant.agent(leg.agent()?));
    let agents = agents.map(|agent| (Kind::Agent, of(tenant, &agent.name)));
    let lines = call.lines().filter_map(|id| trunks.iter().find(|trunk| trunk.id == id));
    let lines = lines.map(|trunk| (Kind::Trunk, trunk.name.clone()));
    let own = [(Kind::Tenant, tenant.name.clone())];
    let all = own.into_iter().chain(queue).chain(campaign).chain(flow).chain(agents).chain(lines);
    all.map(|(kind, name)| (kind.as_str(), name)).collect()
}

fn of(tenant: &Tenant, name: &str) -> String {
    format!("{}/{name}", tenant.name)
}
