//! Who commands a leg.

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
}
