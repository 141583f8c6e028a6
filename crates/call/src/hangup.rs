//! The end: who hung up is answered, who did not is told, the media is closed.

use strowger_media::Op;
use strowger_model::{Cause, Ended, HangupBy, LegNo, LogTime, Mono, RelayId};
use strowger_sip::LegState;
use strowger_table::{Call, Command, DutyKind, Stage};

use crate::limit;
use crate::machine::{Begun, Machine};
use crate::offer::AgentSide;

/// A far end's BYE or CANCEL that is not answered yet: its `End` goes first.
pub(crate) struct FarHangUp {
    leg: LegNo,
    number: u64,
    answer_by: Mono,
}

impl FarHangUp {
    pub fn deadline(&self) -> Option<Mono> {
        Some(self.answer_by)
    }
}

/// The end of the call as its owner knows it, until the row has it.
pub(crate) struct Ending {
    number: u64,
    ended: Ended,
    observed: LogTime,
    /// When it is proposed again, after it was lost.
    again: Option<Mono>,
}

impl Ending {
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }
}

impl Machine {
    pub(crate) fn far_end_hung_up(&mut self, leg: LegNo, log_now: LogTime, now: Mono) {
        let is_caller = leg == Call::CALLER_LEG;
        // An agent whose phone was rung first is part of the call while the called party's rings.
        let talks = matches!(&self.row.stage, Stage::Talking | Stage::Dialling { .. })
            && self.row.agent.as_ref().is_some_and(|agent| agent.leg == leg);
        if !is_caller && !talks {
            // A leg that is no longer part of the call, or one that answered and left before it was connected.
            self.agent_failed(leg, 487, Cause::REJECTED, log_now);
            return self.answer_hang_up(leg, now);
        }
        if self.row.is_over() {
            return self.answer_hang_up(leg, now);
        }
        let by = if is_caller { HangupBy::Caller } else { HangupBy::Agent };
        let ended = Ended { by, cause: Cause::NORMAL };
        let number = self.end(ended, log_now);
        if let Some(earlier) = self.hang_up.replace(FarHangUp { leg, number, answer_by: now + limit::HANG_UP_ANSWER }) {
            self.answer_hang_up(earlier.leg, now);
        }
    }

    pub(crate) fn propose_end(&mut self, ended: Ended, log_now: LogTime) {
        if !self.row.is_over() {
            self.end(ended, log_now);
        }
    }

    /// Of several ends the first one counts; each is proposed, for its far end waits for its number.
    fn end(&mut self, ended: Ended, observed: LogTime) -> u64 {
        debug_assert!(!self.row.is_over(), "an end of a call that is over");
        let number = self.propose(Command::End { call: self.row.id, ended, observed });
        self.ending.get_or_insert(Ending { number, ended, observed, again: None });
        number
    }

    pub(crate) fn end_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        if let Some(ending) = self.ending.as_mut().filter(|ending| ending.number == number && !accepted) {
            ending.again = Some(now + limit::END_AGAIN);
        }
        if let Some(far) = self.hang_up.take_if(|far| far.number == number) {
            self.answer_hang_up(far.leg, now);
        }
    }

    pub(crate) fn tick_hang_up(&mut self, now: Mono) {
        if let Some(far) = self.hang_up.take_if(|far| far.answer_by <= now) {
            self.answer_hang_up(far.leg, now);
        }
        if let Some(ending) = &mut self.ending
            && ending.again.take_if(|at| *at <= now).is_some()
        {
            let (ended, observed) = (ending.ended, ending.observed);
            let number = self.propose(Command::End { call: self.row.id, ended, observed });
            self.ending = Some(Ending { number, ended, observed, again: None });
        }
    }

    /// Whether a BYE or CANCEL of that leg waits for its answer.
    pub(crate) fn has_hung_up(&self, leg: LegNo) -> bool {
        self.hang_up.as_ref().is_some_and(|far| far.leg == leg)
    }

    fn answer_hang_up(&mut self, leg: LegNo, now: Mono) {
        let outs = self.sip_leg(leg).map(|leg| leg.answer_bye(now)).unwrap_or_default();
        self.sent(leg, outs, LogTime::ZERO, now);
    }

    pub(crate) fn begin_end(&mut self, now: Mono) {
        let begun = std::mem::replace(&mut self.begun, Begun::Ended);
        if begun == Begun::Ended {
            return;
        }
        let is_of_the_end =
            |duty: &strowger_table::Duty| matches!(duty.kind, DutyKind::HangUp { .. } | DutyKind::CloseMedia);
        debug_assert!(
            self.row.duties.iter().all(is_of_the_end),
            "an ended call still has somebody to answer or to ring"
        );
        self.ending = None;
        if let Some(far) = self.hang_up.take() {
            self.answer_hang_up(far.leg, now);
        }
        if self.row.duties.iter().any(|duty| duty.kind == DutyKind::CloseMedia) {
            for relay in self.row.relays.clone() {
                self.closing.push(relay);
                self.media(relay, Op::Close);
            }
        }
        if begun == Begun::Admitted && self.row.relays.is_empty() {
            // A port was asked for, and the call was over before its row could say where.
            self.media(self.relay(), Op::Close);
        }
    }

    /// Performs the row's hang-up duties, whatever stage the call is in: an offer taken back is one too.
    pub(crate) fn hang_up_where_due(&mut self, now: Mono) {
        let offered = self.row.agent.as_ref().map(|agent| agent.leg);
        if let Some(side) = self.agent.take_if(|side| Some(side.number()) != offered) {
            self.leave(side, now);
        }
        if self.row.is_over()
            && let Some(leg) = offered
        {
            self.recall(leg, now);
        }
        let due: Vec<(u32, LegNo)> = self
            .row
            .duties
            .iter()
            .filter_map(|duty| match duty.kind {
                DutyKind::HangUp { leg } => Some((duty.id, leg)),
                _ => None,
            })
            .collect();
        for (duty, leg) in due {
            let is_over = match self.sip_leg(leg) {
                Some(sip) => sip.state() == LegState::Ended,
                None => true,
            };
            if is_over {
                self.leave_off(leg);
                self.done(duty);
            } else {
                self.hang_up_leg(leg, Some(Cause::NORMAL), now);
            }
        }
    }

    /// A phone that the row no longer rings. Whoever said why, it may not ring on.
    pub(crate) fn leave(&mut self, mut side: AgentSide, now: Mono) {
        side.stop_waiting();
        let leg = side.number();
        debug_assert!(self.leaving.iter().all(|other| other.number() != leg), "{leg} leaves twice");
        self.leaving.push(side);
        self.recall(leg, now);
        if self.agent_side(leg).is_some_and(|side| side.is_over()) {
            self.leave_off(leg);
        } else {
            self.hang_up_leg(leg, Some(Cause::NORMAL), now);
        }
    }

    /// Ends a leg however far it got; harmless when it is being ended already.
    pub(crate) fn hang_up_leg(&mut self, leg: LegNo, cause: Option<Cause>, now: Mono) {
        if let Some(side) = self.agent_side(leg) {
            side.stop_waiting();
        }
        let outs = self.sip_leg(leg).map(|leg| leg.hang_up(cause, now)).unwrap_or_default();
        self.sent(leg, outs, LogTime::ZERO, now);
    }

    pub(crate) fn caller_leg_over(&mut self) {
        self.leg_done(Call::CALLER_LEG);
    }

    pub(crate) fn agent_leg_over(&mut self, leg: LegNo) {
        self.leg_done(leg);
        self.leave_off(leg);
    }

    fn leave_off(&mut self, leg: LegNo) {
        let Some(at) = self.leaving.iter().position(|side| side.number() == leg) else { return };
        let relay = self.leaving.remove(at).relay();
        if !self.row.is_over() {
            self.media(relay, Op::CloseLeg { leg });
            self.told.forget(self.leg_key(leg));
        }
    }

    fn leg_done(&mut self, over: LegNo) {
        let duty = self.row.duties.iter().find(|duty| duty.kind == DutyKind::HangUp { leg: over }).map(|duty| duty.id);
        if let Some(duty) = duty {
            self.done(duty);
        }
    }

    pub(crate) fn media_closed(&mut self, relay: RelayId) {
        self.closing.retain(|closing| *closing != relay);
        if !self.closing.is_empty() || !self.row.is_over() {
            return;
        }
        let duty = self.row.duties.iter().find(|duty| duty.kind == DutyKind::CloseMedia).map(|duty| duty.id);
        if let Some(duty) = duty {
            self.done(duty);
        }
    }
}
