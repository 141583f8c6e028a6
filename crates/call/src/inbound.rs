//! Who called us: 100, a port, the answer that is committed before it is said.

use std::net::SocketAddr;

use strowger_model::{Cause, Ended, HangupBy, LegKey, LogTime, Mono};
use strowger_sip::answer_sdp;
use strowger_table::{Command, DutyKind, Reach, ToldBy};

use crate::limit;
use crate::machine::Machine;

impl Machine {
    pub(crate) fn begin_answering(&mut self, leg: LegKey, now: Mono) {
        if self.sides.get(&leg).is_none_or(|side| side.relay.is_some()) {
            return;
        }
        self.act(leg, LogTime::ZERO, now, |sip| sip.trying(now));
        self.open_port(leg, self.setting.relay, limit::MEDIA_OPEN, now);
    }

    /// The answer is made, and proposed before it is sent.
    pub(crate) fn propose_answer(&mut self, leg: LegKey, rtp: SocketAddr, now: Mono) {
        let media = self.local_media(leg, rtp, 1);
        let Some(side) = self.sides.get_mut(&leg) else { return };
        side.ringing.give_up = None;
        let (Some(mut sip), Some(relay)) = (side.sip.clone().filter(|_| side.answer.is_none()), side.relay) else {
            return;
        };
        let offer = sip.dialog().remote_sdp;
        let Ok((sdp, _, _)) = answer_sdp(offer.as_bytes(), &media) else {
            return self.reject(leg, 488, Cause(65), now);
        };
        // What the row will have; the leg itself answers once it does.
        sip.accept(sdp.clone(), now);
        side.answer = Some(sdp);
        self.propose(Command::Answer { leg, dialog: Box::new(sip.dialog()), relay });
    }

    /// No port: the caller is told so, and may come again.
    pub(crate) fn cannot_answer(&mut self, leg: LegKey, now: Mono) {
        if let Some(side) = self.sides.get_mut(&leg) {
            side.ringing.give_up = None;
        }
        if !self.is_ending() {
            self.reject(leg, 503, Cause::NO_CIRCUIT, now);
        }
    }

    fn reject(&mut self, leg: LegKey, status: u16, cause: Cause, now: Mono) {
        let retry_after = (status == 503).then_some(limit::RETRY_AFTER_S);
        let phrase = strowger_sip::phrase(status);
        self.act(leg, LogTime::ZERO, now, |sip| sip.reject(status, phrase, retry_after, Some(cause), now));
        self.propose_end(Ended { by: HangupBy::System, cause }, LogTime::MAX);
    }

    /// The answer is committed: out with it, even if whoever waited for the commit was told that it is lost. A CANCEL
    /// that came first wins, and a leg that is refused by now takes no answer.
    pub(crate) fn release_answer(&mut self, leg: LegKey, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        let Some(sdp) = side.answer.take() else { return };
        if side.leaving.is_none() {
            self.act(leg, LogTime::ZERO, now, |sip| sip.accept(sdp, now));
        }
    }

    /// The ACK came: the duty to answer is performed.
    pub(crate) fn acked(&mut self, leg: LegKey) {
        if let Some(duty) = self.rows.call.duty_to(DutyKind::Answer { leg }).map(|duty| duty.id) {
            self.done(duty);
        }
    }

    /// Nobody is there who could have heard our 200 (RFC 3261, 13.3.1.4).
    pub(crate) fn never_acked(&mut self, leg: LegKey, log_now: LogTime) {
        if self.rows.call.leg(leg).is_some_and(|leg| leg.reach == Reach::Inbound) {
            self.lose(leg, Cause::RECOVERY_ON_TIMER, ToldBy::Silence, log_now);
        }
    }
}
