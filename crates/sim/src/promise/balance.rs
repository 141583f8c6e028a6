//! Who works where comes back to balance: when nodes have stayed the same for a while, each agent who has no connection
//! and no work, and each campaign, is with the one of them that is its heir by rendezvous hash.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{Incarnation, Mono, NodeId};
use strowger_table::{Agent, RowKey, Shard, heir_of};

use super::Found;

/// As the cluster promises after a rolling restart.
const BACK: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Balance {
    pub found: Found,
    live: Vec<(NodeId, Incarnation)>,
    /// Since when rows are elsewhere though nothing keeps them, and nobody came or went.
    astray: BTreeMap<RowKey, Mono>,
}

impl Balance {
    /// `live`: the processes that the control group knows to be up.
    pub fn look(&mut self, truth: &Shard, live: Vec<(NodeId, Incarnation)>, now: Mono) {
        if live != self.live {
            self.live = live;
            self.astray.clear();
        }
        let mut astray = BTreeMap::new();
        for row in astray_of(truth, &self.live) {
            let since = *self.astray.get(&row).unwrap_or(&now);
            astray.insert(row, since);
            if now.since(since) > BACK {
                self.found.breach("balance", None, || format!("{row:?} is not where it belongs"));
            }
        }
        self.astray = astray;
    }
}

/// Agents and campaigns that are not where they belong, and could go there.
pub(crate) fn astray_of<'a>(truth: &'a Shard, live: &'a [(NodeId, Incarnation)]) -> impl Iterator<Item = RowKey> + 'a {
    let has_connection = |agent: &Agent| agent.bindings.iter().any(|binding| binding.flow.line.is_some());
    let may_go = move |agent: &&Agent| !agent.bindings.is_empty() && !has_connection(agent) && !agent.is_at_work();
    let agents = truth.agents().map(|agent| &**agent).filter(may_go);
    let agents = agents.filter(|agent| agent.owner != heir_of(live, RowKey::Agent(agent.id)));
    let campaigns = truth
        .campaigns()
        .filter(|ledger| !heir_of(live, RowKey::Queue(ledger.queue)).is_some_and(|heir| ledger.is_owned_by(heir)));
    agents.map(|agent| RowKey::Agent(agent.id)).chain(campaigns.map(|ledger| RowKey::Campaign(ledger.campaign)))
}
