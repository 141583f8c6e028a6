//! What a process does with what its peers send.

use std::sync::Arc;

use bytes::Bytes;
use strowger_model::PeerId;

use crate::class::Class;
use crate::frame::Kind;
use crate::lane::Lane;

/// Takes what peers send. Called by the one task that reads a peer's class, in the order of sending: it must not
/// block and spawns what takes time, or the class stands still (the others do not).
///
/// A body shares its memory with its neighbours on the wire: copy what is kept for long.
pub trait Handler: Send + Sync + 'static {
    /// Takes what wants no answer.
    fn on_cast(&self, from: PeerId, class: Class, body: Bytes);

    /// Takes what wants one, now or later, through `reply`.
    fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply);

    /// Takes a media datagram, as it came: some are lost, some come out of order. Called by the one task that reads a
    /// peer's media connection. Any proven peer may send some; whoever wants none need not implement it.
    fn on_media(&self, _from: PeerId, _datagram: Bytes) {}
}

/// The way back to who asked. Dropped unused, it tells the asker at once that there will be no answer.
#[must_use = "dropping a reply tells the asker that there is no answer"]
pub struct Reply {
    lane: Arc<Lane>,
    number: u64,
    sent: bool,
}

impl Reply {
    pub(crate) fn new(lane: Arc<Lane>, number: u64) -> Self {
        Self { lane, number, sent: false }
    }

    /// An answer that is too large or finds the way back full becomes "no answer"; if the connection has gone, the
    /// asker knows that already.
    pub fn send(mut self, body: impl Into<Bytes>) {
        match self.lane.push(Kind::Answer, self.number, body.into()) {
            Ok(()) => self.sent = true,
            Err(fault) => tracing::debug!(%fault, "an answer was not sent"),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.sent {
            // If even this finds no room the asker's own time-out ends its wait.
            let _unheard = self.lane.push(Kind::NoAnswer, self.number, Bytes::new());
        }
    }
}
