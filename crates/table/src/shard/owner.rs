//! Who performs a row's duties, and who does when that node is gone.

use strowger_model::{Incarnation, NodeId, Owner};

use super::Shard;
use super::apply::Entry;
use crate::{Outcome, Proposer, hash};

impl Shard {
    pub(super) fn is_fenced(&self, from: Proposer) -> bool {
        self.fenced.get(&from.node).is_some_and(|over| from.incarnation <= *over)
    }

    /// Gives the rows of a dead incarnation, and of all before it, to the heirs. Highest random weight
    /// (Thaler and Ravishankar 1998): each call goes to the heir with the greatest hash of both.
    pub(super) fn adopt(
        &mut self,
        entry: Entry,
        node: NodeId,
        incarnation: Incarnation,
        heirs: &[(NodeId, Incarnation)],
    ) -> Outcome {
        let over = self.fenced.get(&node).copied().unwrap_or_default().max(incarnation);
        self.fenced.insert(node, over);
        self.sessions.end(Proposer { node, incarnation }, entry.now());
        let orphans: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.owner.node == node && call.owner.incarnation <= over)
            .map(|(_, call)| call.clone())
            .collect();
        for call in orphans {
            let heir = heirs
                .iter()
                .filter(|heir| **heir > (heir.0, self.fenced.get(&heir.0).copied().unwrap_or_default()))
                .max_by_key(|heir| (hash::of(&(heir.0, call.id)), **heir));
            let Some((node, incarnation)) = heir else { continue };
            let mut call = (*call).clone();
            call.owner = Owner { node: *node, incarnation: *incarnation, epoch: entry.at.index };
            call.adoptions = call.adoptions.saturating_add(1);
            self.put_call(call);
        }
        Outcome::Done
    }
}
