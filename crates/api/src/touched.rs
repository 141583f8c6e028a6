//! What lives on what a configuration would remove: said before it is gone.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_cluster::Context;
use strowger_config::Kind;
use strowger_model::config::Tenant;
use strowger_table::{Call, Shard};

/// What lives on one thing of the configuration.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Touched {
    /// Calls that are not over: they go on with what they have.
    calls: usize,
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
            said.push(format!("{} live calls", self.calls));
        }
        if self.leads > 0 {
            said.push(format!("{} leads, {} of them left to call", self.leads, self.left));
        }
        said.join(", ")
    }
}

/// As this node's replicas have it now. Walks all live calls: for people who apply a configuration.
pub fn lives(context: &Context) -> Lives {
    let mut lives = Lives::new();
    for view in context.shards().filter_map(|shard| context.shard_view(shard)) {
        if let Some(table) = view.machine.shard() {
            add(&mut lives, table);
        }
    }
    lives
}

fn add(lives: &mut Lives, table: &Shard) {
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
    for call in table.calls().filter(|call| !call.is_over()) {
        if let Some(tenant) = table.tenant(call.tenant) {
            for (kind, name) in things(tenant, call) {
                lives.entry((kind.as_str(), name)).or_default().calls += 1;
            }
        }
    }
}

/// What a call lives on.
fn things(tenant: &Tenant, call: &Call) -> Vec<(Kind, String)> {
    let queue = call.queue().and_then(|queue| tenant.queue(queue)).map(|queue| (Kind::Queue, of(tenant, &queue.name)));
    let campaign = call.outbound().and_then(|outbound| tenant.campaign(outbound.campaign));
    let campaign = campaign.map(|campaign| (Kind::Campaign, of(tenant, &campaign.name)));
    let flow = call.flow.and_then(|position| tenant.flow(position.flow));
    let flow = flow.map(|flow| (Kind::Flow, of(tenant, &flow.name)));
    let agents = call.live_legs().filter_map(|leg| tenant.agent(leg.agent()?));
    let agents = agents.map(|agent| (Kind::Agent, of(tenant, &agent.name)));
    let own = [(Kind::Tenant, tenant.name.clone())];
    own.into_iter().chain(queue).chain(campaign).chain(flow).chain(agents).collect()
}

fn of(tenant: &Tenant, name: &str) -> String {
    format!("{}/{name}", tenant.name)
}
