//! What a node takes the log's time to be, between entries and behind them.

use std::time::Duration;

use crate::{LogTime, Mono};

/// An entry that was long on its way turns the clock back by one in so many only: a node that was cut off does not take
/// what was decided meanwhile for new. More than any quartz is wrong, so that a clock which is ahead comes back.
const TURNED_BACK: u32 = 16;

/// Runs on the node's own clock from the last stamp it heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogClock {
    at: LogTime,
    heard: Mono,
}

impl LogClock {
    /// `at`: the newest stamp applied here, heard at `now`.
    pub fn new(at: LogTime, now: Mono) -> Self {
        Self { at, heard: now }
    }

    /// What the leader's clock shows about now: what a fact that is seen now is stamped with.
    pub fn now(&self, now: Mono) -> LogTime {
        self.at + now.since(self.heard)
    }

    /// An entry with that stamp is applied here.
    pub fn hear(&mut self, stamp: LogTime, now: Mono) {
        let passed: Duration = now.since(self.heard);
        *self = Self::new(stamp.max(self.now(now) - passed / TURNED_BACK), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_comes_late_is_not_new() {
        let mut clock = LogClock::new(LogTime::ZERO, Mono::ZERO);
        clock.hear(LogTime::ZERO + SECOND, Mono::ZERO + SECOND);
        // Cut off for four seconds: what was stamped in the first of them comes at their end.
        let later = Mono::ZERO + 5 * SECOND;
        clock.hear(LogTime::ZERO + 2 * SECOND, later);
        assert_eq!(clock.now(later), LogTime::ZERO + 5 * SECOND - SECOND / 4);
        // All that came with it is as late.
        clock.hear(LogTime::ZERO + 3 * SECOND, later);
        assert_eq!(clock.now(later), LogTime::ZERO + 5 * SECOND - SECOND / 4);
    }

    #[test]
    fn a_clock_that_is_ahead_comes_back() {
        let mut clock = LogClock::new(LogTime::ZERO + SECOND, Mono::ZERO);
        for second in 1..=20 {
            clock.hear(LogTime::ZERO + second * SECOND, Mono::ZERO + second * SECOND);
        }
        assert_eq!(clock.now(Mono::ZERO + 20 * SECOND), LogTime::ZERO + 20 * SECOND);
    }
}
