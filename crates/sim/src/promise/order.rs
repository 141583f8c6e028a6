//! A queued call keeps its place and its wait clock, and nobody is overtaken: no agent is offered to a call while, at
//! the plan's basis, an earlier call of the same queue waited that the plan leaves waiting.

use std::collections::{BTreeSet, VecDeque};

use strowger_model::CallId;
use strowger_table::{Body, Command, Offer, Place, Plan, Shard};

use super::{Found, Step};

const PROMISE: &str = "order";
/// States a plan may have been made on; plans under way are younger than this many entries.
const BASES: usize = 400;

#[derive(Default)]
pub(crate) struct Order {
    pub found: Found,
    bases: VecDeque<Shard>,
}

impl Order {
    pub fn committed(&mut self, step: &Step<'_>) {
        for call in &step.applied.touched {
            if let Some(place) = step.after.place_of(*call) {
                self.keeps_place(step, *call, place);
            }
        }
        if let Body::Shard(Command::Plan(plan)) = &step.proposal.body
            && !step.is_wrong
        {
            self.overtakes(plan, step.applied.outcome.clone());
        }
        self.bases.push_back(step.after.clone());
        if self.bases.len() > BASES {
            self.bases.pop_front();
        }
    }

    fn keeps_place(&mut self, step: &Step<'_>, call: CallId, after: Place) {
        match step.before.place_of(call) {
            Some(before) if before != after => {
                self.found.breach(PROMISE, Some(call), || format!("its place was {before:?} and is {after:?}"));
            }
            Some(_) => {}
            // Who was called has its place from the moment the call was begun.
            None if step.after.call(call).is_some_and(|row| row.outbound().is_some()) => {}
            None => self.comes_last(step.before, call, after),
        }
    }

    /// Who comes into a queue stands behind everybody who waits there.
    fn comes_last(&mut self, before: &Shard, call: CallId, place: Place) {
        let inbound = |row: &&std::sync::Arc<strowger_table::Call>| row.outbound().is_none();
        let others = before.calls().filter(inbound).filter_map(|row| Some((row.id, before.place_of(row.id)?)));
        let behind = others.filter(|(_, other)| other.queue == place.queue && other.rank >= place.rank);
        if let Some((other, _)) = behind.into_iter().next() {
            self.found.breach(PROMISE, Some(call), || format!("enqueued before {other}, who waits already"));
        }
    }

    fn overtakes(&mut self, plan: &Plan, outcome: strowger_table::Outcome) {
        let strowger_table::Outcome::Planned { granted } = outcome else { return };
        let Some(basis) = self.bases.iter().rev().find(|shard| shard.last().index == plan.basis) else { return };
        let offered: BTreeSet<CallId> = plan.offers.iter().map(|offer| offer.call).collect();
        let made = plan.offers.iter().enumerate().filter(|(bit, _)| granted >> bit & 1 == 1);
        let passed = made.filter_map(|(_, offer)| Some((offer, passed_over(basis, offer, &offered)?)));
        if let Some((offer, first)) = passed.into_iter().next() {
            self.found.breach(PROMISE, Some(first), || {
                format!("{} is offered to {} although {first} waits longer", offer.agent, offer.call)
            });
        }
    }
}

/// An earlier call of the queue that the plan leaves waiting.
fn passed_over(basis: &Shard, offer: &Offer, offered: &BTreeSet<CallId>) -> Option<CallId> {
    let rank = basis.place_of(offer.call)?.rank;
    let waits = basis.calls().filter(|row| row.is_waiting() && !offered.contains(&row.id));
    let places = waits.filter_map(|row| Some((row.id, basis.place_of(row.id)?)));
    let earlier = places.filter(|(_, place)| place.queue == offer.queue && place.rank < rank);
    earlier.map(|(call, _)| call).next()
}
