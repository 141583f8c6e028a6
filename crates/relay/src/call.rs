//! What a thread knows of a call beside its legs' media.

use strowger_media::{Fence, Journal, LegStats, Refusal};
use strowger_model::{CallId, LegNo, Mono, PeerId};

use crate::slab::Slot;

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) fence: Fence<PeerId>,
    pub(crate) legs: Vec<(LegNo, Slot)>,
    /// Sums of legs closed already, the newest `MAX_GONE`, for the answer to `Close`.
    gone: Vec<LegStats>,
    pub(crate) journal: Journal,
    pub(crate) commanded: Mono,
}

/// Live legs of one call on one relay: the 16 of its row, and as many again that are being released for each of three
/// rounds of ringing. A call that needs more is a fault.
pub(crate) const MAX_LEGS: usize = 64;

/// Closed legs remembered, 14 KB: an agent rung every 14 s for an hour. An older number opens anew, and nobody asks for it.
const MAX_GONE: usize = 256;

impl Call {
    pub(crate) fn new(id: CallId, epoch: u64, owner: PeerId, now: Mono) -> Self {
        let (fence, journal) = (Fence::new(epoch, owner), Journal::default());
        Self { id, fence, legs: Vec::new(), gone: Vec::new(), journal, commanded: now }
    }

    /// A leg is closed, with these sums.
    pub(crate) fn lose(&mut self, stats: LegStats) {
        if self.gone.len() == MAX_GONE {
            self.gone.remove(0);
        }
        self.gone.push(stats);
    }

    pub(crate) fn gone(&self) -> &[LegStats] {
        &self.gone
    }

    pub(crate) fn slot(&self, leg: LegNo) -> Result<Slot, Refusal> {
        match self.legs.iter().find(|(no, _)| *no == leg) {
            Some(&(_, slot)) => Ok(slot),
            None if self.gone.iter().any(|stats| stats.leg == leg) => Err(Refusal::Ended),
            None => Err(Refusal::NoSuchLeg),
        }
    }
}
