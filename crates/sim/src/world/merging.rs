//! Somebody makes one call of two: the agent of the one leaves, and the others go on together. No part of the product asks
//! for that yet; it is said by the call's owner, as it will be.

use std::sync::Arc;

use strowger_model::{CallId, LegKey};
use strowger_table::{Call, Command};

use super::World;
use crate::happening::Happening;
use crate::node::Purpose;

/// Between two, in milliseconds.
const PAUSE_MS: (u64, u64) = (500, 3000);

impl World {
    pub(crate) fn merge_two(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let next = self.now + self.rng.millis(PAUSE_MS.0, PAUSE_MS.1);
        self.timeline.plan(next, Happening::Merge);
        let talks: Vec<Arc<Call>> = self.truth.calls().filter(|row| by_of(row).is_some()).cloned().collect();
        let Some(into) = talks.get(self.rng.below(talks.len() as u64) as usize).cloned() else { return };
        let others: Vec<CallId> = self.truth.calls().filter(|from| goes_into(from, &into)).map(|row| row.id).collect();
        let (Some(from), Some(by)) = (self.rng.pick(&others), by_of(&into)) else { return };
        let node = usize::from(into.owner.node.0) - 1;
        let place = &self.nodes[node];
        if place.is_sound() && place.owns(into.owner) && !self.is_passive(node) {
            self.merges += 1;
            let merge = Command::Merge { from, into: into.id, by, cseq: self.merges };
            self.propose(node, merge, Purpose::Nobody);
        }
    }
}

/// The leg of the agent who may ask for it.
fn by_of(row: &Call) -> Option<LegKey> {
    row.serving_leg().filter(|leg| leg.is_up() && is_inbound(row) && row.is_served()).map(|leg| leg.key)
}

/// Another caller of the same tenant, who waits or talks.
fn goes_into(from: &Call, into: &Call) -> bool {
    let talks = from.is_served() || from.is_waiting();
    from.id != into.id && from.tenant == into.tenant && talks && is_inbound(from)
}

/// Of one that is two already nobody asks for more.
fn is_inbound(row: &Call) -> bool {
    let is_one = row.legs.iter().all(|leg| leg.key.call == row.id);
    is_one && row.outbound().is_none() && row.customer().is_some_and(|leg| leg.is_up())
}
