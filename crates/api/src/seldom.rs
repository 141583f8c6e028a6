//! What may happen thousands of times a second, told once in a while.

use std::time::Duration;

use strowger_model::Mono;

/// A line of the log at most so often: some 1 MB a day.
const TOLD_EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Seldom {
    told: Option<Mono>,
    untold: u64,
}

impl Seldom {
    /// Whether to tell it, and how many were not told before it.
    pub fn tell(&mut self, now: Mono) -> Option<u64> {
        if self.told.is_some_and(|told| now.since(told) < TOLD_EVERY) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_the_others_are_counted() {
        let mut refusals = Seldom::default();
        let at = |ms: u64| Mono(ms * 1000);
        assert_eq!(refusals.tell(at(5)), Some(0));
        for ms in 6..9006 {
            assert_eq!(refusals.tell(at(ms)), None);
        }
        assert_eq!(refusals.tell(at(10_005)), Some(9000));
        assert_eq!(refusals.tell(at(20_005)), Some(0));
    }
}
