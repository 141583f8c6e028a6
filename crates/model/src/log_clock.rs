//! What a node takes the log's time to be, between entries and behind them.
//!
//! Entries tell it, but not how long they were on their way; the leader tells it, while it answers. Where the time of the
//! log stood still (no leader, then one whose process is new), a node that lived through it cannot tell that from an
//! entry that comes late. So it knows two times: what has surely passed, and what may have.

use std::time::Duration;

use crate::{LogTime, Mono};

/// The log's time now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogNow {
    /// For what must have passed before something is given up.
    pub at_least: LogTime,
    /// For what must not have passed when something is begun; and what a fact was seen at.
    pub at_most: LogTime,
}

impl LogNow {
    /// For who cannot be wrong.
    pub fn exactly(time: LogTime) -> Self {
        Self { at_least: time, at_most: time }
    }
}

/// Runs on the node's own clock from the last stamp it heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogClock {
    at: LogTime,
    heard: Mono,
    /// So much older may it have been.
    doubt: Duration,
}

impl LogClock {
    /// `at`: the newest stamp applied here, heard at `now`.
    pub fn new(at: LogTime, now: Mono) -> Self {
        Self { at, heard: now, doubt: Duration::ZERO }
    }

    /// What the leader's clock shows about now.
    pub fn now(&self, now: Mono) -> LogNow {
        let at_least = self.at + now.since(self.heard);
        LogNow { at_least, at_most: at_least + self.doubt }
    }

    /// An entry with that stamp is applied here: the log is that far. Where it was taken to be farther, either the entry
    /// comes late or the log's time has lost some.
    pub fn hear(&mut self, stamp: LogTime, now: Mono) {
        let doubt = self.now(now).at_most.since(stamp);
        *self = Self { at: stamp, heard: now, doubt };
    }

    /// Who stamps entries said what time it was, between `asked` and now.
    pub fn told(&mut self, time: LogTime, asked: Mono, now: Mono) {
        let latest = time + now.since(asked);
        let LogNow { at_least, at_most } = self.now(now);
        let (at, at_most) = (at_least.clamp(time, latest), at_most.clamp(time, latest));
        *self = Self { at, heard: now, doubt: at_most.since(at) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn log(seconds: u32) -> LogTime {
        LogTime::ZERO + seconds * SECOND
    }

    fn at(seconds: u32) -> Mono {
        Mono::ZERO + seconds * SECOND
    }

    #[test]
    fn what_comes_late_is_not_new() {
        let mut clock = LogClock::new(LogTime::ZERO, Mono::ZERO);
        clock.hear(log(1), at(1));
        // Cut off for four seconds: what was stamped in the first of them comes at their end.
        clock.hear(log(2), at(5));
        assert_eq!(clock.now(at(5)), LogNow { at_least: log(2), at_most: log(5) });
        // All that came with it is as late.
        clock.hear(log(3), at(5));
        assert_eq!(clock.now(at(6)), LogNow { at_least: log(4), at_most: log(6) });
    }

    #[test]
    fn what_is_new_after_an_outage_has_its_time() {
        let mut clock = LogClock::new(log(100), Mono::ZERO);
        // For ten seconds nobody leads; then a process that is new goes on where the log ended, and has an agent rung.
        clock.hear(log(101), at(11));
        assert_eq!(clock.now(at(11)).at_least, log(101), "the offer's time has only begun");
        assert_eq!(clock.now(at(12)), LogNow { at_least: log(102), at_most: log(112) }, "or it came ten seconds late");
        // The leader answers: it did not.
        clock.told(log(103), at(13), at(13));
        assert_eq!(clock.now(at(13)), LogNow::exactly(log(103)));
        clock.hear(log(104), at(14));
        assert_eq!(clock.now(at(14)), LogNow::exactly(log(104)));
    }

    #[test]
    fn an_answer_is_as_old_as_its_question_at_most() {
        let mut clock = LogClock::new(log(100), Mono::ZERO);
        // A process that is new has replayed what is long over.
        clock.told(log(200), at(1), at(3));
        assert_eq!(clock.now(at(3)), LogNow::exactly(log(200)), "no sooner than it was said");
        let mut clock = LogClock::new(log(300), Mono::ZERO);
        clock.told(log(200), at(1), at(3));
        assert_eq!(clock.now(at(3)), LogNow::exactly(log(202)), "and no later than when it was asked");
    }

    /// Quartz that runs wrong by a third is put right by each answer.
    #[test]
    fn no_clock_strays_while_the_leader_answers() {
        for rate in [7, 10, 13] {
            let own = |true_ms: u64| Mono(true_ms * 100 * rate);
            let mut clock = LogClock::new(LogTime::ZERO, Mono::ZERO);
            for beat in 1..=600 {
                let (asked, heard) = (own(beat * 100 - 20), own(beat * 100));
                clock.told(LogTime((beat * 100 - 10) * 1000), asked, heard);
            }
            let (last, LogNow { at_least, at_most }) = (LogTime(60_000 * 1000), clock.now(own(60_000)));
            let near = Duration::from_millis(20);
            assert!(at_least + near >= last && at_most <= last + near, "{rate}: {at_least:?} {at_most:?}");
        }
    }
}
