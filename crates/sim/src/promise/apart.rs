//! Tenants are apart: nothing of one ever shows at the other. Whose a call is, its number says (or its campaign); its
//! agents, queues, flow, record and what its far ends hear are of the same.

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId, Digest, LegKey, TenantId};
use strowger_table::{Call, Command, Outcome};

use super::{Found, Step};
use crate::asked::Asked;
use crate::tenant::owner_of;

const PROMISE: &str = "apart";

#[derive(Default)]
pub(crate) struct Apart {
    pub found: Found,
    /// Whose each call is.
    whose: BTreeMap<CallId, TenantId>,
}

impl Apart {
    pub fn committed(&mut self, step: &Step<'_>) {
        let Some(config) = step.config else { return };
        let whose = match (step.command(), &step.applied.outcome) {
            (Some(Command::Admit(admit)), Outcome::Admitted { call, .. }) => {
                config.number(&admit.to).map(|(tenant, _)| (*call, tenant))
            }
            (Some(Command::Dial(dial)), Outcome::Dialled { call }) => {
                config.tenant_of_campaign(dial.campaign).map(|tenant| (*call, tenant))
            }
            _ => None,
        };
        if let Some((call, tenant)) = whose {
            self.whose.entry(call).or_insert(tenant);
        }
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            self.look(config, step, row);
        }
        for record in step.records {
            self.judge(record.call, Some(record.tenant), "a record");
        }
    }

    fn look(&mut self, config: &Asked, step: &Step<'_>, row: &Call) {
        self.judge(row.id, Some(row.tenant), "its row");
        for agent in row.live_legs().filter_map(|leg| leg.agent()) {
            self.judge(row.id, config.tenant_of_agent(agent), "an agent");
        }
        let place = step.after.place_of(row.id);
        self.judge(row.id, place.and_then(|place| config.tenant_of_queue(place.queue)), "a queue");
    }

    /// An agent's phone gets an INVITE.
    pub fn rung(&mut self, config: &Asked, agent: AgentId, key: Option<LegKey>) {
        if let Some(key) = key {
            self.judge(key.call, config.tenant_of_agent(agent), "a phone");
        }
    }

    /// A relay is told to play something.
    pub fn plays(&mut self, call: CallId, content: Digest) {
        self.judge(call, Some(owner_of(content)), "a prompt");
    }

    fn judge(&mut self, call: CallId, found: Option<TenantId>, what: &str) {
        let (Some(whose), Some(found)) = (self.whose.get(&call), found) else { return };
        if *whose != found {
            let whose = *whose;
            self.found.breach(PROMISE, Some(call), || format!("{what} of {found:?} at a call of {whose:?}"));
        }
    }
}
