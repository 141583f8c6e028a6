//! Actors that break, and whether another follows in time.

use strowger_model::{CallId, Mono};

use super::World;
use crate::happening::Happening;
use crate::plant::Plant;
use crate::seen::Thing;
use crate::trace::About;

/// Between two actors that break, in milliseconds.
const PAUSE_MS: (u64, u64) = (1000, 8000);
/// Of a thousand that break where campaigns are, the node's pacer.
const BREAKS_PACER: u64 = 300;

/// A call whose actor broke, and has not begun again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    pub at: Mono,
    pub epoch: u64,
    /// Its successor has begun, there is nothing left to do for it, or what it needs was lost or away meanwhile.
    pub is_settled: bool,
}

impl World {
    pub(crate) fn break_an_actor(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let next = self.now + self.rng.millis(PAUSE_MS.0, PAUSE_MS.1);
        self.timeline.plan(next, Happening::Break);
        let sound = self.sound_nodes();
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
        self.broken.insert(call, Broken { at: self.now, epoch, is_settled: false });
        if self.plant != Some(Plant::RetakeLate) {
            self.retake(node, call);
        }
    }

    /// Whether each call whose actor broke has another in time.
    pub(crate) fn look_for_broken(&mut self) {
        let waits: Vec<(CallId, Broken)> = self
            .broken
            .iter()
            .filter(|(_, broken)| !broken.is_settled)
            .map(|(call, broken)| (*call, *broken))
            .collect();
        for (call, broken) in waits {
            let Some(row) = self.truth.call(call) else { continue };
            let node = usize::from(row.owner.node.0) - 1;
            let has_actor = self.nodes[node].actors.contains_key(&call);
            let is_done = row.is_over() && !row.has_duties();
            let is_excused = self.is_kept_from_retaking(node, broken.at);
            self.promises.stuck.retaken(call, broken, has_actor || is_done || is_excused, self.now);
            if let Some(known) = self.broken.get_mut(&call).filter(|_| has_actor || is_done || is_excused) {
                known.is_settled = true;
            }
        }
    }

    /// Its node is away or behind, nobody leads or has led since then, or proposals are lost on their way.
    fn is_kept_from_retaking(&self, node: usize, since: Mono) -> bool {
        let place = &self.nodes[node];
        let is_well = place.is_sound() && !place.stalled && !self.is_passive(node);
        let leads = |node: usize| self.nodes[node].is_sound() && !self.nodes[node].stalled;
        let is_led = self.log.seat().is_some_and(|(leader, _)| leads(leader.node)) && self.log.lost < since;
        !is_well || !is_led || self.scenario.log.lost_per_mille > 0
    }
}
