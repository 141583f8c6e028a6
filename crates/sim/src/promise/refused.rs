//! Whatever somebody proposes whom a row does not belong to, whose life is over, or who means a row that is not there, is
//! refused or without effect; and what is said again is answered as before and changes nothing.

use std::collections::BTreeMap;

use strowger_model::{Incarnation, NodeId};
use strowger_table::{Command, Outcome, Proposer};

use super::{Found, Step};
use crate::seen::{Seen, Thing};
use crate::world::Wrong;

const PROMISE: &str = "refused";

#[derive(Default)]
pub(crate) struct Refused {
    pub found: Found,
    /// The newest life of each node that is known to be over.
    over: BTreeMap<NodeId, Incarnation>,
}

impl Refused {
    /// `wrong`: what was wrong with the proposal when it was made; by the time of its entry it may be right.
    pub fn committed(&mut self, step: &Step<'_>, wrong: Option<Wrong>, seen: &mut Seen) {
        if let (Some(Command::Adopt { node, incarnation, .. }), true) = (step.command(), step.is_granted()) {
            let known = self.over.entry(*node).or_insert(*incarnation);
            *known = (*known).max(*incarnation);
        }
        let Some(wrong) = wrong.filter(|wrong| self.holds(step, *wrong)) else { return };
        seen.add(thing_of(wrong), 1);
        let outcome = &step.applied.outcome;
        let is_refused = match outcome {
            Outcome::Refused(_) => true,
            Outcome::Planned { granted } => *granted == 0,
            // Duties of others are passed over.
            Outcome::Done => matches!(step.command(), Some(Command::Done { .. })),
            _ => false,
        };
        if !is_refused && wrong != Wrong::Again || !step.applied.touched.is_nothing() {
            self.found.breach(PROMISE, step.calls.first().copied(), || {
                format!("{wrong:?}, and {:?} is {outcome:?}", step.proposal.body)
            });
        }
    }

    fn holds(&self, step: &Step<'_>, wrong: Wrong) -> bool {
        match wrong {
            Wrong::NotOwner { call, by } => step
                .before
                .call(call)
                .is_none_or(|row| by != Proposer { node: row.owner.node, incarnation: row.owner.incarnation }),
            Wrong::Over { by } => self.over.get(&by.node).is_some_and(|over| by.incarnation <= *over),
            Wrong::Gone | Wrong::Again => true,
            Wrong::Busy { agent } => step.before.agent(agent).is_some_and(|agent| agent.free_since().is_none()),
        }
    }
}

fn thing_of(wrong: Wrong) -> Thing {
    match wrong {
        Wrong::NotOwner { .. } => Thing::WrongOwner,
        Wrong::Over { .. } => Thing::WrongLife,
        Wrong::Gone => Thing::WrongRow,
        Wrong::Busy { .. } => Thing::WrongOffer,
        Wrong::Again => Thing::SaidAgain,
    }
}
