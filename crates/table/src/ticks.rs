//! When a group's leader writes a `Tick`: for the time that no other entry tells, and for what only a `Tick` does.

use std::time::Duration;

use strowger_model::Mono;

/// What a leader has written, and when.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    wrote: Mono,
    ticked: Mono,
}

impl Ticks {
    /// A group that was quiet for this long gets a `Tick`, so that its deadlines pass.
    pub const QUIET: Duration = Duration::from_secs(1);
    /// One that is never quiet gets one in this time: what is old is forgotten by a `Tick` alone, and is kept for minutes.
    pub const AT_LEAST: Duration = Duration::from_secs(10);

    /// For a leader that begins now.
    pub fn new(now: Mono) -> Self {
        Self { wrote: now, ticked: now }
    }

    /// Entries of others were written.
    pub fn wrote(&mut self, now: Mono) {
        self.wrote = now;
    }

    /// A `Tick` was written.
    pub fn ticked(&mut self, now: Mono) {
        *self = Self::new(now);
    }

    /// When the next is due.
    pub fn due(&self) -> Mono {
        (self.wrote + Self::QUIET).min(self.ticked + Self::AT_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_millis(ms)
    }

    #[test]
    fn a_quiet_group_ticks_each_second_and_a_busy_one_at_least_each_ten() {
        let mut ticks = Ticks::new(at(0));
        assert_eq!(ticks.due(), at(1000));
        ticks.ticked(at(1000));
        assert_eq!(ticks.due(), at(2000));
        for ms in (1500..=10_500).step_by(500) {
            ticks.wrote(at(ms));
            assert_eq!(ticks.due(), at((ms + 1000).min(11_000)), "{ms}");
        }
        ticks.ticked(at(11_000));
        ticks.wrote(at(11_900));
        assert_eq!(ticks.due(), at(12_900));
    }
}
