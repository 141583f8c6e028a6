//! Actors that break, as the product's shell has them: the row is taken again under a new epoch, and the next actor begins
//! from it.

use std::time::Duration;

use strowger_model::{CallId, Mono};
use strowger_table::{Command, RowKey};

use super::World;
use crate::happening::{Happening, Task};
use crate::node::Purpose;
use crate::plant::Plant;
use crate::seen::Thing;
use crate::trace::About;

/// Between two actors that break, in milliseconds.
const PAUSE_MS: (u64, u64) = (1000, 8000);
/// Of a thousand that break where campaigns are, the node's pacer.
const BREAKS_PACER: u64 = 300;
/// What was not taken again is found by the sweep.
const SWEEP: Duration = Duration::from_secs(5);

/// A call whose actor broke, and has not begun again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    pub at: Mono,
    pub epoch: u64,
}

impl World {
    pub(crate) fn break_an_actor(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let next = self.now + self.rng.millis(PAUSE_MS.0, PAUSE_MS.1);
        self.timeline.plan(next, Happening::Break);
        let sound: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_sound()).collect();
        let Some(node) = self.rng.pick(&sound) else { return };
        if self.dialling.is_on() && self.rng.chance(BREAKS_PACER) {
            self.seen.add(Thing::ActorBroke, 1);
            self.say(About::World, || format!("n{}: its pacer breaks", node + 1));
            return self.break_pacer(node);
        }
        let actors: Vec<CallId> = self.nodes[node].actors.keys().copied().collect();
        let Some(call) = self.rng.pick(&actors) else { return };
        self.nodes[node].actors.remove(&call);
        self.seen.add(Thing::ActorBroke, 1);
        self.say(About::Call(call), || format!("n{}: its actor breaks", node + 1));
        let epoch = self.nodes[node].replica.shard.call(call).map_or(0, |row| row.owner.epoch);
        self.broken.insert(call, Broken { at: self.now, epoch });
        self.retake(node, call);
    }

    /// The table is told first: then what the broken one said is behind what the next one says.
    pub(crate) fn retake(&mut self, node: usize, call: CallId) {
        let place = &self.nodes[node];
        let row = place.replica.shard.call(call).filter(|row| place.owns(row.owner));
        if row.is_some() && !place.actors.contains_key(&call) && self.plant != Some(Plant::RetakeForgotten) {
            self.propose(node, Command::Retake { row: RowKey::Call(call) }, Purpose::Retake(call));
        }
    }

    pub(crate) fn retaken(&mut self, node: usize, call: CallId, committed: bool) {
        if !committed {
            let who = self.nodes[node].who;
            self.timeline.plan(self.now + SWEEP, Happening::In(who, Task::Retake { call }));
        }
    }
}
