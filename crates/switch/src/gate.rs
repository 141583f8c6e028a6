//! New calls a second: of a trunk, of a node.

use std::time::Duration;

use strowger_model::{Mono, SECOND_US};

/// How far a bucket fills: a trunk may send this long a burst at once.
const BURST: Duration = Duration::from_secs(1);
/// How much may be owed: four other nodes that let in a burst each, in a cluster of five.
const OWED_MAX: Duration = Duration::from_secs(4);

/// A token bucket. How many calls there are at once is compared in [`Intake`](crate::Intake).
#[derive(Clone, Debug)]
pub struct Gate {
    /// Microseconds a call costs.
    cost: u64,
    /// Microseconds saved up.
    credit: u64,
    /// Microseconds that others have spent beyond that: they are paid back first.
    owed: u64,
    last: Mono,
}

impl Gate {
    /// Full: a burst may come at once.
    pub fn new(calls_per_second: u32, now: Mono) -> Self {
        let cost = SECOND_US / u64::from(calls_per_second.max(1));
        debug_assert!(cost > 0, "a call costs something: the configuration allows at most 10 000 a second");
        Self { cost, credit: BURST.as_micros() as u64, owed: 0, last: now }
    }

    /// One part of so many of a rate, of which somebody else may have taken all that there was.
    pub fn share(calls_per_second: u32, among: u32, now: Mono) -> Self {
        let whole = Self::new(calls_per_second, now);
        Self { cost: whole.cost * u64::from(among.max(1)), credit: 0, ..whole }
    }

    /// How many calls would be let in at once now.
    pub fn available(&mut self, now: Mono) -> usize {
        self.save_up(now);
        (self.credit / self.cost) as usize
    }

    /// When it lets one in again; none: it does now. Of `last`, when it was last asked.
    pub fn reopens(&self) -> Option<Mono> {
        let short = (self.owed + self.cost).saturating_sub(self.credit);
        (short > 0).then(|| self.last + Duration::from_micros(short))
    }

    fn save_up(&mut self, now: Mono) {
        let full = BURST.as_micros() as u64;
        let saved = now.since(self.last).as_micros() as u64;
        let paid = saved.min(self.owed);
        self.owed -= paid;
        self.credit = (self.credit + saved - paid).min(full.max(self.cost));
        self.last = now;
        debug_assert!(self.credit <= full.max(self.cost), "no more is saved up than a burst");
        debug_assert!(self.owed == 0 || self.credit == 0, "who owes has nothing");
    }

    /// Others have let in so many.
    pub fn spend(&mut self, calls: u64, now: Mono) {
        self.save_up(now);
        let spent = self.cost.saturating_mul(calls);
        let from_credit = spent.min(self.credit);
        self.credit -= from_credit;
        self.owed = self.owed.saturating_add(spent - from_credit).min(OWED_MAX.as_micros() as u64);
        if self.owed > 0 {
            debug_assert_eq!(self.credit, 0, "what was saved up went first");
        }
    }

    /// Whether one more call may come in now.
    pub fn admit(&mut self, now: Mono) -> bool {
        self.save_up(now);
        match self.credit.checked_sub(self.cost) {
            Some(rest) => {
                self.credit = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut now = Mono(5_000_000);
        let mut gate = Gate::new(10, now);
        assert_eq!((0..30).filter(|_| gate.admit(now)).count(), 10, "a second's worth at once");
        let mut admitted = 0;
        for _ in 0..100 {
            now = now + Duration::from_millis(20);
            admitted += u32::from(gate.admit(now));
        }
        assert_eq!(admitted, 20, "ten a second for two seconds");
        let reopens = gate.reopens().expect("it is used up");
        assert!(!gate.admit(reopens - Duration::from_micros(1)));
        assert!(gate.admit(reopens));
    }

    #[test]
    fn shares_are_no_more_than_the_whole() {
        let begun = Mono(5_000_000);
        let mut shares = [(); 3].map(|()| Gate::share(1, 3, begun));
        assert!(shares.iter_mut().all(|share| !share.admit(begun)), "nothing is saved up");
        let seconds = 30_u64;
        let admitted = (0..=seconds * 10).map(|tenth| begun + Duration::from_millis(100 * tenth));
        let admitted: usize =
            admitted.map(|now| shares.iter_mut().filter_map(|share| share.admit(now).then_some(())).count()).sum();
        assert_eq!(admitted as u64, seconds, "one a second, by turns");
    }
    #[test]
    fn what_others_spend_is_paid_back_before_anybody_comes_in() {
        let begun = Mono(5_000_000);
        let mut gate = Gate::new(10, begun);
        gate.spend(4, begun);
        assert_eq!((gate.available(begun), gate.reopens()), (6, None), "of what was saved up first");
        gate.spend(8, begun);
        let paid = begun + Duration::from_millis(200);
        assert_eq!(gate.reopens(), Some(paid + Duration::from_millis(100)), "two are owed, and one comes in");
        assert!(!gate.admit(paid));
        assert!(gate.admit(paid + Duration::from_millis(100)));
    }

    /// Else a node would stand still for minutes after others were wrong, or one lied.
    #[test]
    fn no_more_is_owed_than_the_others_can_have_let_in() {
        let begun = Mono(5_000_000);
        let mut gate = Gate::new(10, begun);
        gate.spend(u64::MAX, begun);
        assert_eq!(gate.reopens(), Some(begun + OWED_MAX + Duration::from_millis(100)));
        assert!(gate.admit(begun + OWED_MAX + Duration::from_millis(100)));
    }

    #[test]
    fn what_is_not_used_is_saved_up_for_a_burst_and_no_longer() {
        let begun = Mono(5_000_000);
        let mut gate = Gate::new(10, begun);
        assert_eq!(gate.available(begun + Duration::from_secs(60)), 10);
        let later = begun + Duration::from_secs(120);
        gate.spend(4, later);
        assert_eq!(gate.available(later), 6, "what others spend is of what was saved up by then");
        let mut slow = Gate::share(1, 3, begun);
        let later = begun + Duration::from_secs(60);
        assert_eq!((0..9).filter(|_| slow.admit(later)).count(), 1, "a call that costs more than a burst fits in");
        assert_eq!(slow.reopens(), Some(later + Duration::from_secs(3)));
        assert_eq!(Gate::new(0, begun).available(begun), 1, "no rate is taken as the smallest");
    }
}
