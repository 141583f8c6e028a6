//! One voice: only its owner speaks for a call. Whoever was replaced has fallen silent before anybody acts in its
//! place.

use strowger_model::CallId;
use strowger_table::Shard;

use super::Found;
use crate::happening::Who;

#[derive(Default)]
pub(crate) struct Voice {
    pub found: Found,
}

impl Voice {
    /// A packet of a call's actor leaves a node.
    pub fn spoke(&mut self, truth: &Shard, who: Who, call: CallId) {
        let Some(owner) = truth.call(call).map(|row| row.owner) else { return };
        if (owner.node, owner.incarnation) != (who.id(), who.life) {
            self.found.breach("one voice", Some(call), || {
                format!("n{} ({}) speaks for it, {owner:?} owns it", who.node + 1, who.life)
            });
        }
    }
}
