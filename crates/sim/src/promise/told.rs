//! Committed, then told: when a 200 or an ACK leaves a node, the committed row has that dialog. Judged on the wire.
//!
//! An answer that nobody wants any more is acknowledged without a row, and hung up in the same breath (RFC 3261,
//! 13.2.2.4 and 15).

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{LegKey, Mono};
use strowger_table::{Leg, Reach, Shard};

use super::Found;
use crate::far::Sip;

const PROMISE: &str = "told";

#[derive(Default)]
pub(crate) struct Told {
    pub found: Found,
    /// Legs whose far ends answered our INVITE.
    answered: BTreeSet<LegKey>,
    /// Legs that were told to go.
    hung_up: BTreeSet<LegKey>,
    /// Acknowledged without a row; each needs its BYE at once.
    owed: BTreeMap<LegKey, Mono>,
    /// Offers of far ends in dialogs that stand, by Call-ID and CSeq.
    offered: BTreeSet<(String, u32)>,
}

impl Told {
    /// A far end's message is on its way to the cluster.
    pub fn heard(&mut self, sip: &Sip) {
        match (sip.status(), sip.method()) {
            // Later ones are in a dialog that stands, or is gone since.
            (200..300, "INVITE") if sip.cseq() == 1 => self.answered.extend(sip.key()),
            // A phone that lost its power takes what is said again for something new.
            (300.., "INVITE") => self.answered.retain(|key| sip.key() != Some(*key)),
            (0, "INVITE" | "UPDATE") if !sip.is_first_invite() => {
                self.offered.insert((sip.call_id().to_owned(), sip.cseq()));
            }
            _ => {}
        }
    }

    /// A message of the cluster's leaves a node.
    pub fn left(&mut self, truth: &Shard, sip: &Sip, now: Mono) {
        let Some(key) = sip.key() else { return };
        match (sip.status(), sip.method()) {
            (200..300, "INVITE" | "UPDATE") if self.offered.contains(&(sip.call_id().to_owned(), sip.cseq())) => {
                let has = truth.dialog(key).is_some_and(|dialog| dialog.remote_cseq >= sip.cseq());
                self.judge(has, key, || format!("offer {} of {key} is answered before its row", sip.cseq()));
            }
            (200..300, "INVITE") => {
                let has = has_dialog(truth, key, sip) && truth.call_of_leg(key).is_some_and(|row| row.is_answered());
                self.judge(has, key, || format!("{key} is answered before its row"));
            }
            (0, "ACK")
                if sip.cseq() == 1
                    && self.answered.contains(&key)
                    && !self.hung_up.contains(&key)
                    && !has_dialog(truth, key, sip) =>
            {
                self.owed.entry(key).or_insert(now);
            }
            _ => {}
        }
    }

    /// A far end is told to go, though a passive node keeps that to itself.
    pub fn hung_up(&mut self, sip: &Sip) {
        if let Some(key) = sip.key().filter(|_| (sip.status(), sip.method()) == (0, "BYE")) {
            self.owed.remove(&key);
            self.hung_up.insert(key);
        }
    }

    /// Time goes on: what was owed at once is overdue.
    pub fn look(&mut self, now: Mono) {
        if let Some((key, _)) = self.owed.iter().find(|(_, since)| **since < now) {
            let key = *key;
            self.judge(false, key, || format!("{key} is acknowledged before its row"));
        }
    }

    fn judge(&mut self, has: bool, key: LegKey, text: impl FnOnce() -> String) {
        if !has {
            self.found.breach(PROMISE, Some(key.call), text);
        }
    }
}

fn has_dialog(truth: &Shard, key: LegKey, sip: &Sip) -> bool {
    let dialog = truth.dialog(key);
    let is_inbound = leg(truth, key).is_some_and(|leg| leg.reach == Reach::Inbound);
    // The customer of an inbound call has a dialog from the start; of any other leg it comes with the answer.
    dialog.is_some_and(|dialog| dialog.call_id == sip.call_id() && (is_inbound || !dialog.remote_tag.is_empty()))
}

fn leg(truth: &Shard, key: LegKey) -> Option<&Leg> {
    truth.call_of_leg(key).and_then(|row| row.leg(key))
}
