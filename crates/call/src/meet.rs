//! A far end is in the call: its answer is committed.

use strowger_model::{Cause, LegKey, LogTime, Mono};
use strowger_sip::LegState;
use strowger_table::{Leg, ToldBy};

use crate::machine::Machine;

impl Machine {
    /// Now it is told so, and its relay where its media goes.
    pub(crate) fn meet(&mut self, leg: &Leg, log_now: LogTime, now: Mono) {
        let key = leg.key;
        let Some(side) = self.sides.get_mut(&key) else { return };
        if std::mem::replace(&mut side.is_met, true) {
            return;
        }
        side.ringing.give_up = None;
        side.relay = leg.relay;
        self.release_answer(key, now);
        self.act(key, log_now, now, |sip| sip.acknowledge(now));
        if self.has_left(key) {
            return self.far_end_gone(key, log_now);
        }
        self.direct_media(key);
        if self.took_over {
            // A far end that hung up while nobody listened is found by this: it answers 481.
            self.act(key, log_now, now, |sip| sip.probe(now));
        }
    }

    /// Whether a phone answered and hung up before its answer was committed.
    fn has_left(&self, leg: LegKey) -> bool {
        let sip = self.sides.get(&leg).and_then(|side| side.sip.as_ref());
        sip.is_some_and(|sip| sip.state() == LegState::Ended)
    }

    /// Its dialog is not there any more: the far end hung up while nobody listened.
    pub(crate) fn far_end_gone(&mut self, leg: LegKey, log_now: LogTime) {
        if self.sides.get(&leg).is_some_and(|side| side.leaving.is_none()) {
            self.lose(leg, Cause::NORMAL, ToldBy::FarEnd, log_now);
        }
    }
}
