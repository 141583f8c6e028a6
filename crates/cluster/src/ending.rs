//! How a node ends that is told to: it takes nothing new, gives its leads away, waits for what it has proposed, and only
//! then falls silent. What a far end was answered by then stands in the log.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use strowger_model::{Incarnation, NodeId};
use strowger_switch::Leaving;
use tokio::time::timeout;

use crate::context::Context;
use crate::start::Cluster;

/// For the others to take the leads: one that does not come near, and an election.
const GIVE_AWAY: Duration = Duration::from_secs(3);
/// For what calls have proposed: longer than an election, and with all else shorter than supervisors wait before they kill.
const FLUSH: Duration = Duration::from_secs(3);

/// Stages, each of which is later than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
enum Stage {
    Acts,
    /// Not ready any more. Who hangs up is answered when that is committed, and not before.
    Leaves,
    /// It hears no far end any more.
    Deaf,
}

/// How far the end of this node is, and which others end.
pub(crate) struct Ending {
    stage: AtomicU8,
    others: Mutex<Leaving>,
}

impl Ending {
    pub fn new() -> Self {
        Self { stage: AtomicU8::new(Stage::Acts as u8), others: Mutex::default() }
    }

    fn is(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Acquire) >= stage as u8
    }

    fn begins(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Another node has said that it ends.
    pub fn leaves(&self, node: NodeId, incarnation: Incarnation) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).insert(node, incarnation);
    }

    /// Those that have said so; one that began anew since has another incarnation.
    pub fn others(&self) -> Leaving {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Context {
    /// Whether the node was told to stop: calls should be sent elsewhere.
    pub fn is_stopping(&self) -> bool {
        self.ending.is(Stage::Leaves)
    }

    /// Whether what far ends say is left to whoever comes after: they say it again.
    pub(crate) fn is_deaf(&self) -> bool {
        self.ending.is(Stage::Deaf)
    }
}

impl Cluster {
    /// Before [`Cluster::stop`]: comes back when nothing is left here that only this node knows, or after some seconds.
    /// Until then others may still ask how it stands.
    pub async fn retire(&self) {
        let context = &self.context;
        context.ending.begins(Stage::Leaves);
        let leaving = context.ending.others();
        let stays = |node: &NodeId| context.lives_as(*node).as_ref() != leaving.get(node);
        let heirs: Vec<NodeId> = context.other_nodes().filter(stays).collect();
        if timeout(GIVE_AWAY, context.groups.give_away(&heirs)).await.is_err() {
            tracing::warn!("not all leads were taken in time: who leads next is for an election");
        }
        context.ending.begins(Stage::Deaf);
        if timeout(FLUSH, context.begun.proposing.ended()).await.is_err() {
            tracing::warn!(
                "what calls have proposed was not committed in time: far ends were not answered, and say it again"
            );
        }
        context.calls.finish().await;
    }
}
