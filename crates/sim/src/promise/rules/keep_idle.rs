//! `keep_idle`: a campaign leaves so many idle agents of its queue to inbound calls. Judged by what its pacer saw.

use std::collections::BTreeSet;

use strowger_model::{AgentId, Mono};
use strowger_table::{Command, DialTo};

use super::super::Found;
use super::{Decision, Rule};

#[derive(Default)]
pub(crate) struct KeepIdle {
    found: Found,
    /// Taken by the round of this moment.
    round: (Mono, BTreeSet<AgentId>),
}

impl Rule for KeepIdle {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn decided(&mut self, decision: &Decision<'_>) {
        let Command::Dial(dial) = decision.command else { return };
        let Some(campaign) = decision.config.campaign(dial.campaign) else { return };
        if !matches!(dial.to, DialTo::Lead(_)) {
            return;
        }
        if self.round.0 != decision.now {
            self.round = (decision.now, BTreeSet::new());
        }
        let serves =
            |agent: AgentId| decision.config.agent(agent).is_some_and(|agent| agent.queues.contains(&campaign.queue));
        let idle = decision.shard.agents().filter(|agent| agent.free_since().is_some() && serves(agent.id));
        let idle = idle.filter(|agent| !self.round.1.contains(&agent.id)).count();
        if idle <= campaign.keep_idle as usize {
            self.found.breach("keep idle", None, || {
                format!("{} dials with {idle} idle, of whom {} are kept", campaign.id, campaign.keep_idle)
            });
        }
        self.round.1.insert(dial.agent);
    }
}
