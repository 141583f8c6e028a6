//! When playing legs send their next 20 ms.

use std::time::Duration;

use strowger_model::Mono;

use crate::slab::Slot;

/// Legs are spread over four phases of 5 ms, so a thousand callers on music do not all get a packet at one instant.
pub(crate) struct Wheel {
    phases: [Vec<Slot>; PHASES],
    /// Whose turn is next, and when.
    phase: usize,
    next: Option<Mono>,
}

const PHASES: usize = 4;

/// Time between two phases; four of them make a frame.
const TICK: Duration = Duration::from_millis(5);

/// A thread that stood still for longer leaves frames out instead of sending a burst that no jitter buffer takes.
const MAX_BEHIND: Duration = Duration::from_millis(200);

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { phases: Default::default(), phase: 0, next: None }
    }

    /// Gives a leg a turn every 20 ms. It must not have one.
    pub(crate) fn add(&mut self, slot: Slot, now: Mono) {
        if let Some(emptiest) = self.phases.iter_mut().min_by_key(|phase| phase.len()) {
            emptiest.push(slot);
        }
        self.next.get_or_insert(now);
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        for phase in &mut self.phases {
            if let Some(at) = phase.iter().position(|&other| other == slot) {
                phase.swap_remove(at);
                break;
            }
        }
        if self.phases.iter().all(Vec::is_empty) {
            self.next = None;
        }
    }

    /// Time until the next turn; none if nobody plays.
    pub(crate) fn wait(&self, now: Mono) -> Option<Duration> {
        self.next.map(|next| next.since(now))
    }

    /// The phase whose turn it is, if one is due; call until none is.
    pub(crate) fn turn(&mut self, now: Mono) -> Option<usize> {
        let next = self.next.as_mut().filter(|next| **next <= now)?;
        *next = *next + TICK;
        let phase = self.phase;
        self.phase = (phase + 1) % PHASES;
        Some(phase)
    }

    pub(crate) fn legs(&self, phase: usize) -> &[Slot] {
        &self.phases[phase]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Slot> {
        self.phases.iter().flatten().copied()
    }

    /// Jumps to now if too far behind; gives the turns left out.
    pub(crate) fn catch_up(&mut self, now: Mono) -> u64 {
        match &mut self.next {
            Some(next) if now.since(*next) > MAX_BEHIND => {
                let turns = (now.since(*next).as_micros() / TICK.as_micros()) as u64;
                *next = now;
                turns
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Mono = Mono::from_millis(1000);

    #[test]
    fn each_leg_has_one_turn_in_20_ms() {
        let mut wheel = Wheel::new();
        (0..10).for_each(|leg| wheel.add(Slot(leg), START));
        let mut turns = [0; 10];
        for millis in 0..100 {
            let mut burst = 0;
            while let Some(phase) = wheel.turn(START + Duration::from_millis(millis)) {
                for slot in wheel.legs(phase) {
                    turns[slot.0 as usize] += 1;
                    burst += 1;
                }
            }
            assert!(burst <= 3);
        }
        assert_eq!(turns, [5; 10]);
    }

    #[test]
    fn rests_when_nobody_plays() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.wait(START), None);
        wheel.add(Slot(1), START);
        assert_eq!(wheel.wait(START), Some(Duration::ZERO));
        assert!(wheel.turn(START).is_some() && wheel.turn(START).is_none());
        assert_eq!(wheel.wait(START), Some(TICK));
        wheel.remove(Slot(1));
        assert_eq!((wheel.wait(START), wheel.turn(START)), (None, None));
    }

    #[test]
    fn short_delays_are_made_good_and_long_ones_left_out() {
        let mut wheel = Wheel::new();
        wheel.add(Slot(1), START);
        let late = START + Duration::from_millis(100);
        assert_eq!(wheel.catch_up(late), 0);
        assert_eq!(std::iter::from_fn(|| wheel.turn(late)).count(), 21);
        let later = late + Duration::from_secs(2);
        assert_eq!(wheel.catch_up(later), 399);
        assert_eq!(std::iter::from_fn(|| wheel.turn(later)).count(), 1);
    }
}
