//! A queued call keeps its place and its wait clock, and nobody is overtaken: no agent is offered to a call while, at
//! the plan's basis, an earlier call of the same queue waited that the plan leaves waiting.

use std::collections::BTreeSet;

use strowger_model::CallId;
use strowger_table::{Offer, Place, Shard};

use super::{Found, Step};

const PROMISE: &str = "order";

#[derive(Default)]
pub(crate) struct Order {
    pub found: Found,
}

impl Order {
    pub fn committed(&mut self, step: &Step<'_>) {
        for call in &step.applied.touched {
            if let Some(place) = step.after.place_of(*call) {
                self.keeps_place(step, *call, place);
            }
        }
        self.overtakes(step);
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

    fn overtakes(&mut self, step: &Step<'_>) {
        let Some((basis, made)) = step.granted_offers() else { return };
        let offered: BTreeSet<CallId> = step.planned_offers().iter().map(|offer| offer.call).collect();
        let mut passed = made.into_iter().filter_map(|offer| Some((offer, passed_over(basis, offer, &offered)?)));
        if let Some((offer, first)) = passed.next() {
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
