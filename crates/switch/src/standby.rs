//! What is said to a far end whose connection another node holds: that node says it, and this one stands by, for what was
//! handed over may die with it, and over TCP no far end asks again.

use std::collections::VecDeque;

use strowger_model::{Far, Incarnation, Mono, NodeId};

use crate::limit::STAND_BY;

/// A life of a node, as whoever asks knows it.
pub type Life = (NodeId, Incarnation);

/// Messages that this node has handed to others, for as long as they may have died with them.
#[derive(Debug, Default)]
pub struct StandBy(VecDeque<Posted>);

#[derive(Debug)]
struct Posted {
    by: Life,
    until: Mono,
    to: Far,
    bytes: Vec<u8>,
}

/// Who says a message to `to`: another node, if it holds the connection and lives as far as this one knows. None: this
/// node, by a connection of its own or a new one, for of a dead node's connections none is left. So does a passive node,
/// which says nothing to a far end, by others no more than by itself: its edge keeps what it would say.
pub fn poster(
    to: Far,
    me: NodeId,
    is_passive: bool,
    lives_as: impl FnOnce(NodeId) -> Option<Incarnation>,
) -> Option<Life> {
    let node = to.line.map(|line| line.node).filter(|node| *node != me && !is_passive)?;
    Some((node, lives_as(node)?))
}

impl StandBy {
    /// A message was handed to that life of a node.
    pub fn posted(&mut self, by: Life, to: Far, bytes: Vec<u8>, now: Mono) {
        self.forget(now);
        self.0.push_back(Posted { by, until: now + STAND_BY, to, bytes });
    }

    /// The control group has a new state: what may have died with the node that it was handed to is said by this one,
    /// oldest first. A far end that had it already knows it for a repetition, as over UDP.
    pub fn look(&mut self, now: Mono, lives_as: impl Fn(NodeId) -> Option<Incarnation>) -> Vec<(Far, Vec<u8>)> {
        self.forget(now);
        let (stay, lost): (VecDeque<_>, VecDeque<_>) =
            self.0.drain(..).partition(|posted| lives_as(posted.by.0) == Some(posted.by.1));
        self.0 = stay;
        lost.into_iter().map(|posted| (posted.to, posted.bytes)).collect()
    }

    /// Each waits as long as any other, so the oldest is in front.
    fn forget(&mut self, now: Mono) {
        while self.0.front().is_some_and(|posted| posted.until <= now) {
            self.0.pop_front();
        }
    }
}
