//! What far ends say, and what they are told once their answers are committed.

use strowger_media::Op;
use strowger_model::{Cause, DialResult, LegKey, LogNow, LogTime, Mono};
use strowger_sip::Event;
use strowger_table as table;
use strowger_table::{Command, DutyKind, Reach, ToldBy};

use crate::dial::cause_of;
use crate::machine::Machine;
use crate::side::Side;

impl Machine {
    pub(crate) fn on_leg(&mut self, key: LegKey, event: Event, log_now: LogNow, now: Mono) {
        match event {
            Event::Ringing { .. } => {
                if let Some(side) = self.sides.get_mut(&key) {
                    side.heard = true;
                }
                // Whoever sent the INVITE: it is out.
                self.duty_done(DutyKind::Originate { leg: key });
            }
            Event::Answered { sdp } => self.answered(key, &sdp, log_now, now),
            // That it is over follows.
            Event::Failed { status, q850 } => match self.row_leg(key).is_some_and(|leg| leg.agent().is_some()) {
                true => self.missed(key, status, q850.unwrap_or(cause_of(status)), false, log_now),
                false => self.refused(key, status, q850, log_now),
            },
            Event::Key { digit } => self.digit(key, digit, log_now),
            Event::OfferAnswered { sdp } => self.offer_answered(key, &sdp, log_now),
            Event::Acked => self.duty_done(DutyKind::Answer { leg: key }),
            Event::AckTimeout => self.leave(key, Cause::RECOVERY_ON_TIMER, ToldBy::Silence, log_now.at_most),
            Event::Cancelled | Event::HungUp { .. } => self.far_end_hung_up(key, log_now, now),
            Event::Reinvite { sdp } => self.reinvited(key, &sdp, now),
            // A probe found no dialog there: the far end hung up while nobody listened.
            Event::Gone => self.leave(key, Cause::NORMAL, ToldBy::FarEnd, log_now.at_most),
            Event::Ended => self.leg_over(key),
            Event::ReinviteDone { ok } => self.reinvite_done(key, ok, log_now, now),
        }
    }

    /// Whom we called answered: committed before it is acknowledged.
    fn answered(&mut self, key: LegKey, sdp: &[u8], log_now: LogNow, now: Mono) {
        let is_wanted = self.row_leg(key).is_some_and(table::Leg::is_ringing) && !self.is_ending();
        if !is_wanted || self.sides.get(&key).is_none_or(|side| side.reported) {
            // In the moment it was taken back.
            return self.hang_up_leg(key, None, now);
        }
        if self.read_answer(key, sdp).is_none() {
            match self.row_leg(key).is_some_and(|leg| leg.agent().is_some()) {
                true => self.missed(key, 488, Cause::NOT_IMPLEMENTED, true, log_now),
                false => self.report(key, DialResult::Unreachable, 488, Cause::NOT_IMPLEMENTED, true, log_now),
            }
            return self.hang_up_leg(key, Some(Cause::NOT_IMPLEMENTED), now);
        }
        let Some(side) = self.sides.get_mut(&key) else { return };
        side.reported = true;
        side.give_up = None;
        let Some(dialog) = side.sip.as_ref().map(|sip| Box::new(sip.dialog())) else { return };
        self.say_of(key, Command::Answered { leg: key, dialog, observed: log_now.at_most });
    }

    /// An answer is committed: ours goes out, theirs is acknowledged, and the media is directed.
    pub(crate) fn meet(&mut self, leg: &table::Leg, took_over: bool, log_now: LogNow, now: Mono) {
        let key = leg.key;
        let Some(side) = self.sides.get(&key).filter(|side| !side.met) else { return };
        if !took_over && side.leaving.is_none() && !self.is_said_here(leg, side) {
            self.take_as_committed(leg, now);
        }
        let Some(side) = self.sides.get_mut(&key) else { return };
        side.met = true;
        side.give_up = None;
        if leg.reach == Reach::Inbound {
            self.release_answer(key, now);
        } else {
            let outs = self.sip(key).map(|sip| sip.acknowledge(now)).unwrap_or_default();
            self.sent(key, outs, log_now, now);
        }
        if self.sides.get(&key).is_some_and(|side| side.leaving.is_some() || side.has_ended()) {
            // It answered and hung up before that was committed.
            return self.leave(key, Cause::NORMAL, ToldBy::FarEnd, LogTime::MAX);
        }
        self.direct_media(key);
        if took_over {
            // A far end that hung up while nobody listened is found by this: it answers 481.
            let probes = self.sip(key).map(|sip| sip.probe(now)).unwrap_or_default();
            self.sent(key, probes, log_now, now);
        }
    }

    /// Whether the answer that is committed is the one that this machine proposed.
    fn is_said_here(&self, leg: &table::Leg, side: &Side) -> bool {
        match leg.reach {
            Reach::Inbound => {
                side.answer_sdp.as_deref() == self.rows.dialog(leg.key).map(|dialog| dialog.local_sdp.as_str())
            }
            _ => side.reported,
        }
    }

    /// The machine before this one, which broke, had its answer on the way: the leg is as its dialog has it, on the relay
    /// that the row names.
    fn take_as_committed(&mut self, leg: &table::Leg, now: Mono) {
        let has_begun = self.sides.get(&leg.key).is_some_and(|side| side.begun);
        self.restore(leg, now);
        if has_begun && leg.relay != Some(self.setting.relay) {
            self.order(self.setting.relay, leg.key.call, Op::CloseLeg { leg: leg.key.leg });
        }
    }
}
