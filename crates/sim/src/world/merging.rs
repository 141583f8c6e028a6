//! Somebody makes one call of two: the agent of the one leaves, and the others go on together. Who came with another call
//! may go to a row of its own, and from there into one more. No part of the product asks for that yet; it is said by the
//! call's owner, as it will be.

use std::sync::Arc;

use strowger_model::{CallId, LegKey};
use strowger_table::{Call, Command, LegRole};

use super::World;
use crate::happening::Happening;
use crate::node::Purpose;

/// Between two, in milliseconds.
const PAUSE_MS: (u64, u64) = (500, 3000);
/// Between two that go to rows of their own.
const SPLIT_PAUSE_MS: (u64, u64) = (1000, 6000);

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
        self.merges += 1;
        let merge = Command::Merge { from, into: into.id, by, cseq: self.merges };
        self.said_by_owner(&into, merge);
    }

    pub(crate) fn split_one(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let next = self.now + self.rng.millis(SPLIT_PAUSE_MS.0, SPLIT_PAUSE_MS.1);
        self.timeline.plan(next, Happening::Split);
        let free: Vec<LegKey> = self.truth.calls().filter_map(|row| goes_alone(row)).collect();
        let Some(leg) = self.rng.pick(&free) else { return };
        if let Some(row) = self.truth.call_of_leg(leg).cloned() {
            self.said_by_owner(&row, Command::Split { leg });
        }
    }

    /// Unless it is away.
    fn said_by_owner(&mut self, row: &Call, command: Command) {
        let node = usize::from(row.owner.node.0) - 1;
        let place = &self.nodes[node];
        if place.is_sound() && place.owns(row.owner) && !self.is_passive(node) {
            self.propose(node, command, Purpose::Nobody);
        }
    }
}

/// Who came with another call, and is not needed in this one.
fn goes_alone(row: &Call) -> Option<LegKey> {
    let party = row.legs.iter().find(|leg| leg.is_up() && leg.role == LegRole::Party)?;
    (row.is_served() && row.serving.is_some()).then_some(party.key)
}

/// The leg of the agent who may ask for it.
fn by_of(row: &Call) -> Option<LegKey> {
    row.serving_leg().filter(|leg| leg.is_up() && is_inbound(row) && row.is_served()).map(|leg| leg.key)
}

/// Another caller of the same tenant, who waits or talks, or has a row of its own.
fn goes_into(from: &Call, into: &Call) -> bool {
    let talks = from.is_served() || from.is_waiting();
    from.id != into.id && from.tenant == into.tenant && talks && (is_inbound(from) || !from.has_record())
}

/// Of one that is two already nobody asks for more.
fn is_inbound(row: &Call) -> bool {
    let is_one = row.legs.iter().all(|leg| leg.key.call == row.id);
    is_one && row.outbound().is_none() && row.customer().is_some_and(|leg| leg.is_up())
}
