//! Who works where comes back to balance: when nodes have stayed the same for a while, each agent who has no connection
//! and no work is with the one of them that is its heir by rendezvous hash.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{AgentId, Incarnation, Mono, NodeId};
use strowger_table::{Agent, RowKey, Shard, heir_of};

use super::Found;

/// As the cluster promises after a rolling restart.
const BACK: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Balance {
    pub found: Found,
    live: Vec<(NodeId, Incarnation)>,
    /// Since when agents are elsewhere though nothing keeps them, and nobody came or went.
    astray: BTreeMap<AgentId, Mono>,
}

impl Balance {
    /// `live`: the processes that the control group knows to be up.
    pub fn look(&mut self, truth: &Shard, live: Vec<(NodeId, Incarnation)>, now: Mono) {
        if live != self.live {
            self.live = live;
            self.astray.clear();
        }
        let mut astray = BTreeMap::new();
        for agent in astray_of(truth, &self.live) {
            let since = *self.astray.get(&agent.id).unwrap_or(&now);
            astray.insert(agent.id, since);
            if now.since(since) > BACK {
                self.found.breach("balance", None, || format!("{} is with {:?} still", agent.id, agent.owner));
            }
        }
        self.astray = astray;
    }
}

/// Agents who are not where they belong, and could go there.
pub(crate) fn astray_of<'a>(
    truth: &'a Shard,
    live: &'a [(NodeId, Incarnation)],
) -> impl Iterator<Item = &'a Agent> + 'a {
    let has_connection = |agent: &Agent| agent.bindings.iter().any(|binding| binding.flow.line.is_some());
    let may_go = move |agent: &&Agent| !agent.bindings.is_empty() && !has_connection(agent) && !agent.is_at_work();
    let agents = truth.agents().map(|agent| &**agent).filter(may_go);
    agents.filter(|agent| agent.owner != heir_of(live, RowKey::Agent(agent.id)))
}
