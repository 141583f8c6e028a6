//! A slot has at most one offer or call; a call has at most one serving agent. In the table after every entry, and at
//! the phones: none is ever rung for what the table did not grant.
//!
//! A phone may still ring for an earlier offer when the next one comes: the earlier one was taken back in the log and
//! its CANCEL is late, or its owner died before sending it. That is no breach; how long it may last is in `rest`.

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId, LegKey};
use strowger_table::{AgentState, Call, Shard, Stage};

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
            for leg in row.agent.iter().chain(&row.leaving) {
                self.granted.insert(LegKey { call: row.id, leg: leg.leg }, leg.agent);
            }
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
            if held != agent.state.call() {
                self.found.breach(PROMISE, held.or(agent.state.call()), || {
                    format!("{} is {:?}, the calls say {held:?}", agent.id, agent.state)
                });
            }
            self.same_leg(step.after, agent.id, &agent.state);
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
            truth.call(key.call).is_some_and(|row| {
                !row.is_over() && row.agent.as_ref().is_some_and(|leg| leg.leg == key.leg && leg.agent == agent)
            })
        };
        let other = phone.rings().iter().filter(|ring| ring.is_live()).filter_map(|ring| ring.key);
        for other in other.filter(|other| *other != key && current(*other) && current(key)) {
            self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung for {key} while it has {other}"));
        }
    }

    fn same_leg(&mut self, shard: &Shard, agent: AgentId, state: &AgentState) {
        if let AgentState::Offered { call, leg } = state {
            let rings = shard.call(*call).and_then(|row| row.ringing_agent()).map(|ringing| ringing.leg);
            if rings != Some(*leg) {
                self.found
                    .breach(PROMISE, Some(*call), || format!("{agent} is offered {leg}, the call rings {rings:?}"));
            }
        }
    }
}

fn serving_agent(row: &Call) -> Option<AgentId> {
    match row.stage {
        Stage::Dialling { .. } => {
            let reserved = row.outbound().and_then(|outbound| outbound.reserved).map(|reserved| reserved.agent);
            row.agent.as_ref().map(|leg| leg.agent).or(reserved)
        }
        Stage::Offered { .. } | Stage::Talking => row.agent.as_ref().map(|leg| leg.agent),
        _ => None,
    }
}
