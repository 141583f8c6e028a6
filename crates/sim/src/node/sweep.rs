//! Runs the switch's comparison of rows and actors, and takes a call again whose actor broke.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{AgentId, CallId};
use strowger_switch::{Difference, SWEEP, differences, has_phones_at};
use strowger_table::{Command, RowKey};

use super::Purpose;
use crate::happening::{Happening, Task};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::World;

impl World {
    /// A process has begun.
    pub(crate) fn begin_sweep(&mut self, node: usize) {
        self.timeline.plan(self.now + SWEEP, Happening::In(self.nodes[node].who, Task::Sweep));
    }

    /// A passive node begins nothing.
    pub(crate) fn sweep(&mut self, node: usize) {
        let mut rule = std::mem::take(&mut self.nodes[node].sweep);
        let mut next = SWEEP;
        if !self.is_passive(node) {
            let mended;
            (mended, next) = rule.look(self.differences(node));
            mended.into_iter().for_each(|difference| self.make_fit(node, difference));
            self.nodes[node].sweep = rule;
        }
        self.timeline.plan(self.now + next, Happening::In(self.nodes[node].who, Task::Sweep));
    }

    /// An agent's actor is a desk here, which is there when it is needed.
    fn differences(&self, node: usize) -> BTreeSet<Difference> {
        let place = &self.nodes[node];
        let (me, shard) = ((place.who.id(), place.who.life), &place.replica.shard);
        let calls: BTreeMap<CallId, bool> = place.actors.keys().map(|call| (*call, true)).collect();
        let owned = shard.agents().filter(|row| has_phones_at(row, me));
        let agents: BTreeMap<AgentId, bool> = owned.map(|row| (row.id, true)).collect();
        differences(&[shard], me, &calls, &agents)
    }

    fn make_fit(&mut self, node: usize, difference: Difference) {
        match difference {
            Difference::CallWithout(call) => {
                self.say(About::Call(call), || format!("n{} finds it without an actor", node + 1));
                self.retake(node, call);
            }
            Difference::CallLeft(call) => drop(self.nodes[node].actors.remove(&call)),
            Difference::AgentWithout(..) | Difference::AgentLeft(_) => {}
        }
    }

    /// The table is told first: then what the broken one said is behind what the next one says. What comes to nothing is
    /// found by the sweep.
    pub(crate) fn retake(&mut self, node: usize, call: CallId) {
        let place = &self.nodes[node];
        let row = place.replica.shard.call(call).filter(|row| place.owns(row.owner));
        if row.is_some() && !place.actors.contains_key(&call) && self.plant != Some(Plant::RetakeForgotten) {
            self.propose(node, Command::Retake { row: RowKey::Call(call) }, Purpose::Nobody);
        }
    }
}
