//! A proposal is carried out at most once, however often it was repeated, and what was answered is in the log.

use std::collections::{BTreeMap, BTreeSet};

use strowger_table::{Outcome, Proposal, Proposer};

use super::{Found, Step};

const PROMISE: &str = "once";
/// The shell numbers proposals far below this; the bit marks what a planted bug renumbered.
pub(crate) const RENUMBERED: u64 = 1 << 32;

#[derive(Default)]
pub(crate) struct Once {
    pub found: Found,
    outcomes: BTreeMap<(Proposer, u64), Outcome>,
    seen: BTreeSet<(Proposer, u64)>,
}

impl Once {
    /// False for a repetition, which changes nothing.
    pub fn committed(&mut self, step: &Step<'_>) -> bool {
        let (from, seq) = (step.proposal.from, step.proposal.seq & !RENUMBERED);
        if seq == 0 {
            return true;
        }
        let known = self.outcomes.len();
        let outcome = &step.applied.outcome;
        let first = self.outcomes.entry((from, seq)).or_insert_with(|| outcome.clone());
        if first != outcome {
            let first = first.clone();
            self.found.breach(PROMISE, step.calls.first().copied(), || {
                format!("proposal {seq} of {from:?}: first {first:?}, then {outcome:?}")
            });
        }
        self.outcomes.len() > known
    }

    pub fn answered(&mut self, from: Proposer, seq: u64, outcome: &Outcome) {
        let logged = self.outcomes.get(&(from, seq));
        if logged != Some(outcome) {
            self.found
                .breach(PROMISE, None, || format!("proposal {seq} was answered {outcome:?}, the log has {logged:?}"));
        }
    }

    /// Whether it was carried out before.
    pub fn is_known(&self, proposal: &Proposal) -> bool {
        self.outcomes.contains_key(&(proposal.from, proposal.seq & !RENUMBERED))
    }

    /// Whether the leader has seen it before.
    pub fn is_repeat(&mut self, proposal: &Proposal) -> bool {
        !self.seen.insert((proposal.from, proposal.seq))
    }
}
