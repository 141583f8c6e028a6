//! A live call survives the death of any signalling node: no call that was answered ends by our own failure.

use std::collections::BTreeSet;

use strowger_model::{HangupBy, LegKey, Outcome};

use super::{Found, Step, went_into};

#[derive(Default)]
pub(crate) struct Survival {
    pub found: Found,
    /// Legs whose phones lost their power: what cannot reach them is no failure of ours.
    pub dark: BTreeSet<LegKey>,
}

impl Survival {
    pub fn committed(&mut self, step: &Step<'_>) {
        for call in step.calls {
            let (Some(before), Some(after)) = (step.before.call(*call), step.after.call(*call)) else { continue };
            let (Some(outcome), Some(ended)) = (after.outcome(), after.ended()) else { continue };
            if went_into(after).is_some() {
                continue;
            }
            // An outbound call is one once the called party has answered.
            let answered = before.is_answered() && !before.is_over();
            let failed = matches!(outcome, Outcome::Failed | Outcome::Rejected)
                || outcome == Outcome::Answered && ended.by == HangupBy::System;
            let is_dark = before.legs.iter().any(|leg| self.dark.contains(&leg.key));
            if answered && failed && !is_dark {
                self.found.breach("survival", Some(*call), || {
                    format!("it was {} and ended as {outcome}, by {:?}", before.stage_name(), ended.by)
                });
            }
        }
    }
}
