//! A slot has at most one offer or call; a call has at most one serving agent. In the table after every entry, and at
//! the phones: none is ever rung for what the table did not grant.
//!
//! A phone may still ring for an earlier offer when the next one comes: the earlier one was taken back in the log and
//! its CANCEL is late, or its owner died before sending it. That is no breach; how long it may last is in `rest`.

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId, LegKey};
use strowger_table::{Agent, Call, Shard};

use super::{Found, Step};
use crate::far::Phone;

const PROMISE: &str = "slot";

#[derive(Default)]
pub(crate) struct Slot {
    pub found: Found,
    /// Whom the table ever granted each leg to.
    granted: BTreeMap<LegKey, AgentId>,
}

impl Slot {
    pub fn committed(&mut self, step: &Step<'_>) {
        for row in step.applied.touched.iter().filter_map(|call| step.after.call(*call)) {
            self.granted.extend(row.legs().iter().filter_map(|leg| Some((leg.key, leg.agent?))));
        }
        let mut serving: BTreeMap<AgentId, CallId> = BTreeMap::new();
        for row in step.after.calls() {
            let Some(agent) = serving_agent(row) else { continue };
            if let Some(other) = serving.insert(agent, row.id) {
                self.found.breach(PROMISE, Some(row.id), || format!("{agent} has {other} and {}", row.id));
            }
        }
        for agent in step.after.agents() {
            let held = serving.get(&agent.id).copied();
            if held != agent.call() {
                self.found.breach(PROMISE, held.or(agent.call()), || {
                    format!("{} is {}, the calls say {held:?}", agent.id, agent.state_name())
                });
            }
            self.same_leg(step.after, agent);
        }
    }

    /// A phone is about to ring for a leg it has not rung for.
    pub fn invited(&mut self, truth: &Shard, at: usize, key: Option<LegKey>, phone: &Phone) {
        let agent = AgentId(at as u32 + 1);
        let Some(key) = key else { return };
        if self.granted.get(&key) != Some(&agent) {
            return self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung for {key}, never granted"));
        }
        let current = |key: LegKey| {
            let live = |row: &std::sync::Arc<Call>| {
                row.legs().iter().any(|leg| leg.is_live && leg.key == key && leg.agent == Some(agent))
            };
            truth.call(key.call).is_some_and(live)
        };
        if phone.rings().iter().any(|ring| ring.is_live() && ring.key == Some(key)) {
            return self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung twice for {key}"));
        }
        let other = phone.rings().iter().filter(|ring| ring.is_live()).filter_map(|ring| ring.key);
        for other in other.filter(|other| *other != key && current(*other) && current(key)) {
            self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung for {key} while it has {other}"));
        }
    }

    fn same_leg(&mut self, shard: &Shard, agent: &Agent) {
        let Some(leg) = agent.offered_leg() else { return };
        let rings = shard.call(leg.call).and_then(|row| row.rung_leg());
        if rings != Some(leg) {
            let agent = agent.id;
            self.found
                .breach(PROMISE, Some(leg.call), || format!("{agent} is offered {leg}, the call rings {rings:?}"));
        }
    }
}

fn serving_agent(row: &Call) -> Option<AgentId> {
    row.awaiting_agent().or(row.rung_agent()).or(row.serving_agent())
}
