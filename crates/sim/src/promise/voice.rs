//! One voice: only its owner speaks for a call. Whoever was replaced has fallen silent before anybody acts in its
//! place, and a relay obeys no owner that was replaced.

use std::collections::{BTreeMap, BTreeSet};

use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Incarnation, LegKey};
use strowger_table::Shard;

use super::Found;
use crate::happening::Who;

#[derive(Default)]
pub(crate) struct Voice {
    pub found: Found,
    /// The newest epoch that each start of a relay obeyed, by leg.
    obeyed: BTreeMap<(usize, Incarnation, LegKey), u64>,
    /// Legs that were closed: closed again, nothing is obeyed.
    closed: BTreeSet<(usize, Incarnation, LegKey)>,
}

impl Voice {
    /// What a relay said to an order.
    pub fn ordered(&mut self, relay: usize, life: Incarnation, order: &RelayCommand, answer: &RelayAnswer) {
        if matches!(answer, RelayAnswer::Refused { .. }) {
            return;
        }
        let leg = LegKey { call: order.call, leg: order.op.leg() };
        if self.closed.contains(&(relay, life, leg)) {
            return;
        }
        if matches!(order.op, Op::CloseLeg { .. }) {
            self.closed.insert((relay, life, leg));
        }
        let newest = self.obeyed.entry((relay, life, leg)).or_default();
        if order.epoch < *newest {
            let newest = *newest;
            return self.found.breach("one voice", Some(order.call), || {
                format!("relay {relay} obeys epoch {} after {newest}: {:?}", order.epoch, order.op)
            });
        }
        *newest = order.epoch;
    }

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
