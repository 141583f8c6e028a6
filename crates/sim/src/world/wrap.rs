//! Agents after their calls: some say how it went before the wrap-up is over.

use strowger_model::{AgentId, CallId};
use strowger_table::{Command, SlotState};

use super::World;
use crate::happening::Happening;
use crate::node::Purpose;

/// Wrap-ups of a thousand that an agent ends.
const SAYS: u64 = 500;
/// From the hang-up, in milliseconds; some come after the wrap-up is over.
const AFTER_MS: (u64, u64) = (50, 3500);
const CODES: [&str; 3] = ["sale", "no interest", "call back"];

impl World {
    pub(crate) fn look_at_wraps(&mut self) {
        let wraps: Vec<(AgentId, CallId)> = self.truth.agents().flat_map(|agent| wraps_of(agent)).collect();
        for (agent, call) in wraps {
            if self.wraps.insert((agent, call)) && self.rng.chance(SAYS) {
                let at = self.now + self.rng.millis(AFTER_MS.0, AFTER_MS.1);
                self.timeline.plan(at, Happening::Dispose { agent, call });
            }
        }
    }

    pub(crate) fn dispose(&mut self, agent: AgentId, call: CallId) {
        let sound = self.sound_nodes();
        if let (Some(node), Some(code)) = (self.rng.pick(&sound), self.rng.pick(&CODES)) {
            self.propose(node, Command::Dispose { agent, call, code: code.to_owned() }, Purpose::Nobody);
        }
    }
}

fn wraps_of(agent: &strowger_table::Agent) -> Vec<(AgentId, CallId)> {
    let wrap = |state: SlotState| if let SlotState::Wrap { call, .. } = state { Some((agent.id, call)) } else { None };
    agent.slots.iter().filter_map(|slot| wrap(slot.state)).collect()
}
