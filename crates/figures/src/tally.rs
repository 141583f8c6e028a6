//! How calls left a queue, and the service level that follows.

use serde::Serialize;
use strowger_model::Outcome;

/// How calls left a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tally {
    /// By an agent.
    pub answered: u64,
    /// Of those, answered within the queue's service level.
    pub in_time: u64,
    /// The caller hung up first.
    pub abandoned: u64,
    /// Left by rule (the queue's size, its longest wait, no agents) or by choice (to be called back, to leave a
    /// message, to go elsewhere).
    pub overflowed: u64,
    /// Something of ours or the caller's broke.
    pub failed: u64,
}

impl Tally {
    /// All that left.
    pub fn left(&self) -> u64 {
        self.answered + self.abandoned + self.overflowed + self.failed
    }

    /// Share of the calls that left which were answered in time; none when none left, which is neither good nor bad.
    /// In thousandths, so that a board's text stays short.
    pub fn service_level(&self) -> Option<f64> {
        debug_assert!(self.in_time <= self.answered, "who was answered in time was answered");
        let left = self.left();
        (left > 0).then(|| (self.in_time * 1000 / left) as f64 / 1000.0)
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.overflowed += other.overflowed;
        self.failed += other.failed;
    }

    pub(crate) fn count(&mut self, outcome: Outcome, is_in_time: bool) {
        match outcome {
            // Only who was answered goes on in another call.
            Outcome::Answered | Outcome::Merged => {
                self.answered += 1;
                self.in_time += u64::from(is_in_time);
            }
            Outcome::Abandoned => self.abandoned += 1,
            // They left by a rule or by a choice that their flow gave them, and no agent answered.
            Outcome::Overflowed | Outcome::TransferredOut | Outcome::CalledBack | Outcome::Voicemail => {
                self.overflowed += 1;
            }
            // A queue's calls do not end otherwise.
            Outcome::Failed | Outcome::Rejected | Outcome::ServedByFlow | Outcome::NotReached => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_level_is_a_share_of_all_that_left_cut_to_thousandths() {
        let level = |in_time, answered, abandoned, overflowed, failed| {
            Tally { answered, in_time, abandoned, overflowed, failed }.service_level()
        };
        assert_eq!(level(0, 0, 0, 0, 0), None, "an empty denominator has no value");
        assert_eq!(level(0, 0, 1, 0, 0), Some(0.0));
        assert_eq!(level(3, 3, 0, 0, 0), Some(1.0));
        assert_eq!(
            level(2, 2, 1, 0, 0),
            Some(0.666),
            "cut, not rounded: a level not reached is never shown as reached"
        );
        assert_eq!(level(999_999, 1_000_000, 0, 0, 0), Some(0.999));
        assert_eq!(level(1, 2, 0, 1, 1), Some(0.25));
    }

    #[test]
    fn every_outcome_is_counted_once() {
        for outcome in Outcome::ALL {
            for is_in_time in [false, true] {
                let mut tally = Tally::default();
                tally.count(outcome, is_in_time);
                assert_eq!(tally.left(), 1, "{outcome}");
                let is_answered = [Outcome::Answered, Outcome::Merged].contains(&outcome);
                assert_eq!(tally.in_time, u64::from(is_in_time && is_answered), "{outcome}");
            }
        }
    }
}
