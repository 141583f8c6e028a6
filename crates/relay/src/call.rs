//! What a thread knows of a call beside its legs' media.

use strowger_media::{Closed, Fence, Journal, LegStats, Op, Refusal};
use strowger_model::{CallId, LegNo, Mono, PeerId};

use crate::slab::Slot;

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) legs: Vec<Held>,
    /// Legs closed already, the newest `MAX_GONE`.
    gone: Vec<Gone>,
    pub(crate) commanded: Mono,
}

/// A leg that is open: who commands it, and what its owner has yet to hear of it. Legs born in one call may be several
/// owners'.
pub(crate) struct Held {
    pub(crate) no: LegNo,
    pub(crate) slot: Slot,
    pub(crate) fence: Fence<PeerId>,
    pub(crate) journal: Journal,
}

/// A leg that was closed here.
#[derive(Clone)]
pub(crate) struct Gone {
    pub(crate) closed: Closed,
    /// For `CloseLeg` said again.
    pub(crate) sums: LegStats,
}

/// Live legs of one call on one relay: the 16 of its row, and as many again that are being released for each of three
/// rounds of ringing. A call that needs more is a fault.
pub(crate) const MAX_LEGS: usize = 64;

/// Closed legs remembered, 18 KB: an agent rung every 14 s for an hour. An older number opens anew, and nobody asks for it.
const MAX_GONE: usize = 256;

impl Call {
    pub(crate) fn new(id: CallId, now: Mono) -> Self {
        Self { id, legs: Vec::new(), gone: Vec::new(), commanded: now }
    }

    /// One that was closed as a whole, when a leg of it comes.
    pub(crate) fn again(id: CallId, gone: Vec<Gone>, now: Mono) -> Self {
        Self { gone, ..Self::new(id, now) }
    }

    /// Whether an order about one of its legs is carried out. One that is not open here has no owner yet.
    pub(crate) fn judge(&mut self, from: PeerId, epoch: u64, op: &Op) -> Result<(), Refusal> {
        match self.leg_mut(op.leg()) {
            Some(held) => held.fence.judge(from, epoch, op),
            None => Ok(()),
        }
    }

    pub(crate) fn leg_mut(&mut self, leg: LegNo) -> Option<&mut Held> {
        self.legs.iter_mut().find(|held| held.no == leg)
    }

    /// A leg is closed.
    pub(crate) fn lose(&mut self, gone: Gone) {
        if self.gone.len() == MAX_GONE {
            self.gone.remove(0);
        }
        self.gone.push(gone);
    }

    /// A leg that was closed, or was said to be before it was opened, comes back, unless the order to open it is late.
    pub(crate) fn opens(&mut self, leg: LegNo, epoch: u64, now: Mono) {
        self.gone.retain(|gone| gone.sums.leg != leg || !gone.closed.opens_again(epoch, now));
    }

    pub(crate) fn gone(&self) -> &[Gone] {
        &self.gone
    }

    pub(crate) fn slot(&self, leg: LegNo) -> Result<Slot, Refusal> {
        match self.legs.iter().find(|held| held.no == leg) {
            Some(held) => Ok(held.slot),
            None if self.gone.iter().any(|gone| gone.sums.leg == leg) => Err(Refusal::Ended),
            None => Err(Refusal::NoSuchLeg),
        }
    }
}
