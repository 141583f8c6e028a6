//! Who commands a leg, and when one that was closed may be opened again.

use std::time::Duration;

use strowger_model::Mono;

use crate::{Op, Refusal};

/// Lets only the newest owner command, and knows who gets the events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fence<O> {
    /// The highest that was seen.
    epoch: u64,
    owner: O,
}

impl<O: Copy> Fence<O> {
    /// As the order that opens the leg has it.
    pub fn new(epoch: u64, owner: O) -> Self {
        Self { epoch, owner }
    }

    /// Below it nothing is carried out.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where events go: who opened or adopted last, or came first with this epoch.
    pub fn owner(&self) -> O {
        self.owner
    }

    /// Whether an order of that epoch is carried out.
    pub fn judge(&mut self, from: O, epoch: u64, op: &Op) -> Result<(), Refusal> {
        if epoch < self.epoch {
            return Err(Refusal::Fenced { epoch: self.epoch });
        }
        if epoch > self.epoch || matches!(op, Op::Open { .. } | Op::Adopt { .. }) {
            self.owner = from;
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// An order that left before a leg was closed comes no later than this after it: one batch at a time is under way to a
/// relay, and what a link still repeats ends with its connection, after 2 s of silence.
pub const LATE: Duration = Duration::from_secs(4);

/// A leg that was closed. It may come back, for instance when the relay that it had gone to is out of reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    epoch: u64,
    at: Mono,
}

impl Closed {
    /// By an order of that epoch, or by the relay itself while that was the highest.
    pub fn new(epoch: u64, at: Mono) -> Self {
        Self { epoch, at }
    }

    /// The highest that was seen.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether an order of that epoch to open it is a new one, and not a late one from before it was closed.
    pub fn opens_again(&self, epoch: u64, now: Mono) -> bool {
        epoch > self.epoch || epoch == self.epoch && now.since(self.at) >= LATE
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::LegNo;

    use super::*;

    #[test]
    fn only_the_newest_owner_commands() {
        let leg = LegNo(0);
        let (adopt, close, ack) = (Op::Adopt { leg }, Op::CloseLeg { leg }, Op::Ack { leg, seq: 1 });
        let mut fence = Fence::new(5, 'a');
        assert_eq!(fence.judge('b', 4, &adopt), Err(Refusal::Fenced { epoch: 5 }));
        assert_eq!((fence.owner(), fence.epoch()), ('a', 5));
        assert_eq!((fence.judge('b', 6, &close), fence.owner()), (Ok(()), 'b'), "whoever comes first with it");
        assert_eq!(fence.judge('a', 5, &close), Err(Refusal::Fenced { epoch: 6 }));
        assert_eq!((fence.judge('c', 6, &ack), fence.owner()), (Ok(()), 'b'));
        assert_eq!((fence.judge('c', 6, &adopt), fence.owner()), (Ok(()), 'c'), "one life of a node follows another");
    }

    /// An owner that was replaced may have stood still for hours.
    #[test]
    fn what_was_closed_opens_for_who_comes_later_and_for_its_owner_once_nothing_can_be_late() {
        let (at, long) = (Mono::from_millis(7000), Duration::from_secs(7200));
        let closed = Closed::new(5, at);
        assert!(closed.opens_again(6, at));
        assert!(!closed.opens_again(5, at + (LATE - Duration::from_micros(1))));
        assert!(closed.opens_again(5, at + LATE));
        assert!(!closed.opens_again(4, at + long));
    }
}
