//! A queued call keeps its place and its wait clock, and nobody is overtaken: no agent is offered to a call while, at
//! the plan's basis, an earlier call of the same queue waited that the plan leaves waiting.

use std::collections::{BTreeSet, VecDeque};

use strowger_model::CallId;
use strowger_table::{Body, Call, Command, Offer, Plan, Shard};

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
            if let Some(after) = step.after.call(*call).filter(|row| row.holds_place()) {
                self.keeps_place(step, step.before.call(*call), after);
            }
        }
        if let Body::Shard(Command::Plan(plan)) = &step.proposal.body {
            self.overtakes(plan, step.applied.outcome.clone());
        }
        self.bases.push_back(step.after.clone());
        if self.bases.len() > BASES {
            self.bases.pop_front();
        }
    }

    fn keeps_place(&mut self, step: &Step<'_>, before: Option<&std::sync::Arc<Call>>, after: &Call) {
        let kept = before.filter(|row| row.holds_place());
        let place = |row: &Call| (row.queue, row.order, row.times.enqueued);
        match kept {
            Some(before) if place(before) != place(after) => self.found.breach(PROMISE, Some(after.id), || {
                format!("its place was {:?} and is {:?}", place(before), place(after))
            }),
            // Who was called has its place from the moment the call was begun.
            None if after.outbound().is_some() && after.order == after.id.index() => {}
            None if after.order != step.index => self.found.breach(PROMISE, Some(after.id), || {
                format!("enqueued by entry {}, with place {}", step.index, after.order)
            }),
            _ => {}
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
    let order = basis.call(offer.call)?.order;
    let earlier = basis.waiting(offer.queue).take_while(|(place, _)| *place < order).map(|(_, call)| call);
    earlier.into_iter().find(|call| !offered.contains(call))
}
