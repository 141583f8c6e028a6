//! What far ends say, and what they are told once their answers are committed.

use strowger_model::{Cause, DialResult, LegKey, LogTime, Mono};
use strowger_sip::{Event, parse_sdp};
use strowger_table as table;
use strowger_table::{Command, DutyKind, Reach, ToldBy};

use crate::dial::cause_of;
use crate::machine::Machine;

impl Machine {
    pub(crate) fn on_leg(&mut self, key: LegKey, event: Event, log_now: LogTime, now: Mono) {
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
            Event::Acked => self.duty_done(DutyKind::Answer { leg: key }),
            Event::AckTimeout => self.leave(key, Cause::RECOVERY_ON_TIMER, ToldBy::Silence, log_now),
            Event::Cancelled | Event::HungUp { .. } => self.far_end_hung_up(key, log_now, now),
            Event::Reinvite { sdp } => self.reinvited(key, &sdp, now),
            // A probe found no dialog there: the far end hung up while nobody listened.
            Event::Gone => self.leave(key, Cause::NORMAL, ToldBy::FarEnd, log_now),
            Event::Ended => self.leg_over(key),
            Event::ReinviteDone { ok } => self.reinvite_done(key, ok, log_now, now),
        }
    }

    /// Whom we called answered: committed before it is acknowledged.
    fn answered(&mut self, key: LegKey, sdp: &[u8], log_now: LogTime, now: Mono) {
        let is_wanted = self.row_leg(key).is_some_and(table::Leg::is_ringing) && !self.is_ending();
        let waits = |side: &&mut crate::side::Side| is_wanted && !side.reported;
        let Some(side) = self.sides.get_mut(&key).filter(waits) else {
            // In the moment it was taken back.
            return self.hang_up_leg(key, None, now);
        };
        if parse_sdp(sdp).is_err() {
            match self.row_leg(key).is_some_and(|leg| leg.agent().is_some()) {
                true => self.missed(key, 488, Cause(65), true, log_now),
                false => self.report(key, DialResult::Unreachable, 488, Cause(65), true, log_now),
            }
            return self.hang_up_leg(key, Some(Cause(65)), now);
        }
        side.reported = true;
        side.give_up = None;
        let Some(dialog) = side.sip.as_ref().map(|sip| Box::new(sip.dialog())) else { return };
        self.propose(Command::Answered { leg: key, dialog, observed: log_now });
    }

    /// An answer is committed: ours goes out, theirs is acknowledged, and the media is directed.
    pub(crate) fn meet(&mut self, leg: &table::Leg, took_over: bool, log_now: LogTime, now: Mono) {
        let key = leg.key;
        let is_unmet = |side: &crate::side::Side| !side.met;
        if leg.reach == Reach::Inbound
            && !took_over
            && self.sides.get(&key).is_some_and(|side| is_unmet(side) && side.is_unanswered())
        {
            // An actor that broke had proposed its answer: it is the row's, and nobody has said it.
            self.restore(leg, now);
        }
        let Some(side) = self.sides.get_mut(&key).filter(|side| is_unmet(side)) else { return };
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
}
