//! Everything the SIP thread has to do later, in one heap. Nothing is taken back: whoever is woken looks whether
//! there is still something to do.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::leg::{LegKey, LegTimer};
use crate::sip::client::RequestId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Send a request again, or give it up.
    Request(RequestId),
    /// Send an INVITE's final answer again, or give it up.
    Answer(String),
    Leg(LegKey, LegTimer),
    /// An agent's next REGISTER.
    Register(usize),
}

#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Entry>,
    order: u64,
}

impl Timers {
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.order += 1;
        self.heap.push(Entry { at, order: self.order, timer });
    }

    pub fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub fn due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.timer)
    }
}

struct Entry {
    at: Instant,
    order: u64,
    timer: Timer,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the largest first; the earliest is wanted, and of two at one instant the older.
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn gives_what_is_due_in_order() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for (after_ms, index) in [(30, 3), (10, 1), (20, 2), (10, 4)] {
            timers.set(start + Duration::from_millis(after_ms), Timer::Register(index));
        }
        let now = start + Duration::from_millis(20);
        let due: Vec<Timer> = std::iter::from_fn(|| timers.due(now)).collect();
        assert_eq!(due, [Timer::Register(1), Timer::Register(4), Timer::Register(2)]);
        assert_eq!(timers.next_at(), Some(start + Duration::from_millis(30)));
    }
}
