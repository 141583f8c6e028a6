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
    /// Of those, within [`Tally::SHORT_MS`].
    pub short: u64,
    /// Left by rule (the queue's size, its longest wait, no agents) or by choice (to be called back, to leave a
    /// message, to go elsewhere).
    pub overflowed: u64,
    /// Something of ours or the caller's broke.
    pub failed: u64,
}

impl Tally {
    /// Milliseconds. Who gives up sooner misdialled or changed their mind, and says nothing of how long others wait.
    pub const SHORT_MS: u64 = 5_000;

    /// All that left.
    pub fn left(&self) -> u64 {
        self.answered + self.abandoned + self.overflowed + self.failed
    }

    /// Share of the calls that were answered in time, of those that left, not counting who gave up at once, and of the
    /// `late` ones that wait for longer than they should already. None when there are none, which is neither good nor bad.
    pub fn service_level(&self, late: usize) -> Option<f64> {
        debug_assert!(self.in_time <= self.answered, "who was answered in time was answered");
        thousandths(self.in_time, self.left() - self.short + late as u64)
    }

    /// One call, that left a queue after it had waited for so long.
    pub(crate) fn of(outcome: Outcome, wait_ms: Option<u64>, service_level_ms: u64) -> Self {
        let mut tally = Tally::default();
        let is_within = |most: u64| wait_ms.is_some_and(|wait_ms| wait_ms <= most);
        tally.count(outcome, is_within(service_level_ms), is_within(Self::SHORT_MS - 1));
        tally
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.short += other.short;
        self.overflowed += other.overflowed;
        self.failed += other.failed;
    }

    fn count(&mut self, outcome: Outcome, is_in_time: bool, is_short: bool) {
        match outcome {
            // Only who was answered goes on in another call.
            Outcome::Answered | Outcome::Merged => {
                self.answered += 1;
                self.in_time += u64::from(is_in_time);
            }
            Outcome::Abandoned => {
                self.abandoned += 1;
                self.short += u64::from(is_short);
            }
            // They left by a rule or by a choice that their flow gave them, and no agent answered.
            Outcome::Overflowed | Outcome::TransferredOut | Outcome::CalledBack | Outcome::Voicemail => {
                self.overflowed += 1;
            }
            // A queue's calls do not end otherwise.
            Outcome::Failed | Outcome::Rejected | Outcome::ServedByFlow | Outcome::NotReached => self.failed += 1,
        }
    }
}

/// A share in thousandths, so that a board's text stays short; cut, so that a level that is not reached is never shown as
/// reached. None of nothing.
pub(crate) fn thousandths(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part * 1000 / whole) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_level_is_a_share_of_all_that_left_cut_to_thousandths() {
        let level = |in_time, answered, abandoned, overflowed, failed| {
            Tally { answered, in_time, abandoned, short: 0, overflowed, failed }.service_level(0)
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
    fn who_gives_up_at_once_lowers_no_level_and_who_waits_too_long_already_does() {
        let gave_up = |wait_ms| Tally::of(Outcome::Abandoned, Some(wait_ms), 20_000);
        assert_eq!((gave_up(Tally::SHORT_MS - 1).short, gave_up(Tally::SHORT_MS).short), (1, 0));
        assert_eq!(gave_up(4_000).service_level(0), None, "three who gave up within 4 s made the board red");
        assert_eq!(gave_up(5_000).service_level(0), Some(0.0));
        assert_eq!(gave_up(4_000).service_level(1), Some(0.0));
        let mut tally = Tally::of(Outcome::Answered, Some(20_000), 20_000);
        tally.add(gave_up(1));
        assert_eq!((tally.service_level(0), tally.service_level(1)), (Some(1.0), Some(0.5)));
        assert_eq!(Tally::of(Outcome::Answered, Some(1), 20_000).short, 0);
        assert_eq!(Tally::of(Outcome::Answered, None, 20_000).in_time, 0);
    }

    #[test]
    fn every_outcome_is_counted_once() {
        for outcome in Outcome::ALL {
            for wait_ms in [20_001, 20_000] {
                let tally = Tally::of(outcome, Some(wait_ms), 20_000);
                assert_eq!(tally.left(), 1, "{outcome}");
                let is_answered = [Outcome::Answered, Outcome::Merged].contains(&outcome);
                assert_eq!(tally.in_time, u64::from(wait_ms == 20_000 && is_answered), "{outcome}");
            }
        }
    }
}
