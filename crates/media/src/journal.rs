//! A leg's events until its owner has seen them.

use std::collections::VecDeque;

use strowger_model::LegKey;

use crate::{RelayEvent, What};

/// Events are kept until acknowledged, so the next owner learns what the last one may have missed.
#[derive(Debug, Default)]
pub struct Journal {
    last: u64,
    kept: VecDeque<RelayEvent>,
}

/// Events kept for one leg: more digits than a caller presses while a dead owner is replaced (3 s) or a far end that
/// comes and goes makes in minutes; 8 KB at most.
const MAX_KEPT: usize = 128;

impl Journal {
    /// Numbers an event and keeps it; the second value tells whether the oldest had to go.
    pub fn add(&mut self, leg: LegKey, what: What) -> (RelayEvent, bool) {
        self.last += 1;
        let event = RelayEvent { call: leg.call, seq: self.last, leg: leg.leg, what };
        let full = self.kept.len() == MAX_KEPT;
        if full {
            self.kept.pop_front();
        }
        self.kept.push_back(event.clone());
        (event, full)
    }

    /// The owner has seen events up to `seq`, which need not be kept any more.
    pub fn acknowledge(&mut self, seq: u64) {
        while self.kept.front().is_some_and(|event| event.seq <= seq) {
            self.kept.pop_front();
        }
    }

    /// What no owner has acknowledged, oldest first.
    pub fn missed(&self) -> Vec<RelayEvent> {
        self.kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{CallId, LegNo};

    use super::*;

    const LEG: LegKey = LegKey { call: CallId(1), leg: LegNo(0) };

    fn sequences(journal: &Journal) -> Vec<u64> {
        journal.missed().iter().map(|event| event.seq).collect()
    }

    #[test]
    fn keeps_what_was_not_acknowledged() {
        let mut journal = Journal::default();
        for _ in 0..3 {
            journal.add(LEG, What::MediaBack);
        }
        journal.acknowledge(1);
        assert_eq!(sequences(&journal), [2, 3]);
        journal.acknowledge(1);
        journal.acknowledge(99);
        assert!(sequences(&journal).is_empty());
        assert_eq!(journal.add(LEG, What::MediaBack).0.seq, 4);
    }

    #[test]
    fn is_bounded() {
        let mut journal = Journal::default();
        let dropped = (0..MAX_KEPT + 5).filter(|_| journal.add(LEG, What::MediaBack).1).count();
        assert_eq!((dropped, sequences(&journal)[0], journal.kept.len()), (5, 6, MAX_KEPT));
    }
}
