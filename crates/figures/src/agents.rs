//! Who of the agents does what, and for how long.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use strowger_model::{LogTime, TenantId};
use strowger_table::{Agent, Shard};

/// Agents of one tenant in one state that a board names, those who are in it longest: a supervisor looks for who is in
/// wrap-up, or talks, for too long, and a wall has no room for more. Counts have all of them.
const NAMED: usize = 25;

/// An agent who is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AgentFigures {
    /// Name of the tenant.
    pub tenant: String,
    /// SIP user and login name.
    pub name: String,
    /// In a word.
    pub state: &'static str,
    /// How long in this state, in seconds.
    pub for_s: u64,
    /// Why not ready, or why not after the work at hand.
    pub reason: Option<String>,
}

/// The agents of one shard who are not logged out, at most [`NAMED`] of each tenant and state, the longest in their state
/// first.
pub fn agents(table: &Shard, now: LogTime) -> Vec<AgentFigures> {
    let mut groups: BTreeMap<(TenantId, usize), Vec<&Agent>> = BTreeMap::new();
    for agent in table.agents() {
        let state = agent.state_index();
        if Agent::STATE_NAMES[state] != Agent::LOGGED_OUT {
            groups.entry((agent.tenant, state)).or_default().push(agent);
        }
    }
    let mut named = Vec::new();
    for ((tenant, _), mut group) in groups {
        group.sort_by_key(|agent| (agent.state_since(), agent.id));
        let tenant = table.tenant(tenant).map_or_else(|| tenant.to_string(), |tenant| tenant.name.clone());
        named.extend(group.into_iter().take(NAMED).map(|agent| AgentFigures {
            tenant: tenant.clone(),
            name: agent.name.clone(),
            state: agent.state_name(),
            for_s: now.since(agent.state_since()).as_secs(),
            reason: agent.reason().map(str::to_owned),
        }));
    }
    longest_first(&mut named);
    named
}

/// Of several shards.
pub(crate) fn longest_first(agents: &mut [AgentFigures]) {
    agents.sort_by(|a, b| (Reverse(a.for_s), &a.tenant, &a.name).cmp(&(Reverse(b.for_s), &b.tenant, &b.name)));
}
