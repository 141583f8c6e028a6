//! A queued call keeps its place and its wait clock, and nobody is overtaken: no agent is offered to a call while, at
//! the plan's basis, an earlier call of the same queue waited that the plan leaves waiting.

use std::collections::BTreeSet;

use strowger_model::{CallId, LogTime, PlaceId, QueueId};
use strowger_table::{Offer, Place, Rank, Shard};

use super::{Found, Step};

const PROMISE: &str = "order";

#[derive(Default)]
pub(crate) struct Order {
    pub found: Found,
}

impl Order {
    pub fn committed(&mut self, step: &Step<'_>) {
        for call in step.calls {
            if let Some(place) = step.after.place_of(*call) {
                self.keeps_place(step, *call, place);
            }
        }
        self.overtakes(step);
    }

    fn keeps_place(&mut self, step: &Step<'_>, call: CallId, after: &Place) {
        match step.before.place_of(call).filter(|before| before.id == after.id) {
            Some(before) if kept(before) != kept(after) => {
                self.found.breach(PROMISE, Some(call), || format!("its place was {before:?} and is {after:?}"));
            }
            Some(_) => {}
            // Who was called waits from the moment of the answer, which is heard of later.
            None if step.after.call(call).is_some_and(|row| row.outbound().is_some()) => {}
            None => self.comes_last(step.before, call, after),
        }
    }

    /// Who comes into a queue stands behind everybody who waits there.
    fn comes_last(&mut self, before: &Shard, call: CallId, place: &Place) {
        let mut others = before.places().filter(|other| other.is_in_queue() && other.queue == place.queue);
        if let Some(other) = others.find(|other| other.rank >= place.rank).map(|other| other.from) {
            self.found.breach(PROMISE, Some(call), || format!("enqueued before {other}, who waits already"));
        }
    }

    fn overtakes(&mut self, step: &Step<'_>) {
        let Some((basis, made)) = step.granted_offers() else { return };
        let offered: BTreeSet<PlaceId> = step.planned_offers().iter().map(|offer| offer.place).collect();
        let mut passed = made.into_iter().filter_map(|offer| Some((offer, passed_over(basis, offer, &offered)?)));
        if let Some((offer, first)) = passed.next() {
            self.found.breach(PROMISE, first.call, || {
                format!("{} is offered {} although {} waits longer", offer.agent, offer.place, first.id)
            });
        }
    }
}

/// What a place keeps for as long as there is one.
fn kept(place: &Place) -> (QueueId, Rank, LogTime, LogTime) {
    (place.queue, place.rank, place.since, place.until)
}

/// An earlier place of the queue that the plan leaves waiting.
fn passed_over<'a>(basis: &'a Shard, offer: &Offer, offered: &BTreeSet<PlaceId>) -> Option<&'a Place> {
    let rank = basis.place(offer.place)?.rank;
    let mut waits = basis.places().filter(|place| place.is_waiting() && !offered.contains(&place.id));
    waits.find(|place| place.queue == offer.queue && place.rank < rank).map(|place| &**place)
}
