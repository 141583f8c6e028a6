//! Callers: how many come when, what they press, how long they talk and wait. All of it from a seed.

use std::time::Duration;

use strowger_phones::{CallSpec, Law};

use super::tenants::TENANTS;

/// Each period has a burst in its middle; the rest is thinner, so that the mean holds over the whole.
const PERIOD_MAX_S: f64 = 60.0;
const BURST_SHARE: f64 = 0.3;
const BURST_FACTOR: f64 = 2.5;
/// The rate is added up in steps this long.
const STEP: Duration = Duration::from_millis(1);
const TALK_MEAN: f64 = 15.0;
const TALK_MIN: f64 = 3.0;
const TALK_MAX: f64 = 45.0;
/// One caller in so many gives up early.
const IMPATIENT: u64 = 10;

/// Calls in order of their arrival.
pub struct Arrivals {
    random: Random,
    rate: f64,
    length: Duration,
    next: Duration,
    /// Calls that the rate has earned and nobody has placed yet.
    owed: f64,
    placed: u64,
}

impl Arrivals {
    pub fn new(rate: f64, seconds: u64, seed: u64) -> Self {
        Self {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            rate,
            length: Duration::from_secs(seconds),
            next: Duration::ZERO,
            owed: 0.0,
            placed: 0,
        }
    }

    pub fn is_over(&self) -> bool {
        self.next >= self.length
    }

    /// The calls that come by now.
    pub fn due(&mut self, now: Duration) -> Vec<CallSpec> {
        let mut calls = Vec::new();
        while self.next <= now && !self.is_over() {
            self.owed += self.rate_at(self.next) * STEP.as_secs_f64();
            self.next += STEP;
            while self.owed >= 1.0 {
                self.owed -= 1.0;
                calls.push(self.call());
            }
        }
        calls
    }

    fn rate_at(&self, at: Duration) -> f64 {
        // Whole periods only: the end of the demo must not cut a burst off.
        let length = self.length.as_secs_f64();
        let period = length / (length / PERIOD_MAX_S).ceil();
        let from_middle = (at.as_secs_f64() % period / period - 0.5).abs();
        let calm_factor = (1.0 - BURST_FACTOR * BURST_SHARE) / (1.0 - BURST_SHARE);
        self.rate * if from_middle < BURST_SHARE / 2.0 { BURST_FACTOR } else { calm_factor }
    }

    fn call(&mut self) -> CallSpec {
        self.placed += 1;
        let number = TENANTS[self.placed as usize % TENANTS.len()].number;
        let from = format!("+49171{:07}", self.placed);
        // Even tones are the callers'.
        let tone = 2 * (self.random.below(55) as u16);
        let mut call = CallSpec::new(&from, number, tone);
        call.law = if self.random.below(2) == 0 { Law::Pcma } else { Law::Pcmu };
        call.digits = if self.random.below(2) == 0 { "1" } else { "2" }.to_owned();
        call.digits_after = Duration::from_millis(400 + self.random.below(600));
        let talk = -TALK_MEAN * (1.0 - self.random.unit()).ln();
        call.talk = Duration::from_secs_f64(talk.clamp(TALK_MIN, TALK_MAX));
        call.patience = match self.random.below(IMPATIENT) {
            0 => Duration::from_millis(2500 + self.random.below(3000)),
            _ => Duration::from_secs(60),
        };
        call
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_rate_holds_however_long_the_demo_is() {
        for seconds in [1, 5, 8, 30, 60, 61, 70, 200] {
            let mut arrivals = Arrivals::new(4.0, seconds, 7);
            let calls = arrivals.due(Duration::from_secs(seconds)).len() as u64;
            assert!(calls.abs_diff(4 * seconds) <= 1 + seconds / 30, "{calls} calls in {seconds} s at 4 a second");
            assert!(arrivals.is_over());
        }
    }

    #[test]
    fn a_seed_gives_the_same_callers() {
        let numbers = |seed| -> Vec<Duration> {
            Arrivals::new(4.0, 20, seed).due(Duration::from_secs(20)).iter().map(|call| call.talk).collect()
        };
        assert_eq!(numbers(3), numbers(3));
        assert_ne!(numbers(3), numbers(4));
    }
}
