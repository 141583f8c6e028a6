//! The called party of an outbound call: INVITE once, ringing, an answer or a reason why not.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::Op;
use strowger_model::{Cause, DialResult, Far, LogTime, Mono};
use strowger_sip::{Event as LegEvent, Leg, LegState, Outgoing, offer_sdp, parse_sdp};
use strowger_table::{Call, Command, DialFailure, DutyKind, Outbound, Stage};

use crate::limit;
use crate::machine::{Begun, Machine};

/// What the owner of a call that is being dialled keeps in mind.
#[derive(Default)]
pub(crate) struct Dialling {
    /// When the relay is given up, then when the phone is.
    give_up: Option<Mono>,
    /// Until when an INVITE that nobody has heard may be sent again: a call never comes late, neither as a repetition of
    /// one that a passive node withheld.
    repeat_until: Option<LogTime>,
    /// The far end sent something: it exists.
    heard: bool,
    /// What came of it is proposed.
    reported: bool,
    /// Whether the answer was acknowledged.
    met: bool,
}

impl Dialling {
    pub fn deadline(&self) -> Option<Mono> {
        self.give_up
    }
}

impl Machine {
    /// The first owner sends the INVITE, once. An heir never does: it waits for what comes of the one that was sent.
    pub(crate) fn begin_dialling(&mut self, log_now: LogTime, now: Mono) {
        if self.begun == Begun::Dialling {
            return;
        }
        self.begun = Begun::Dialling;
        if let Some(agent) = self.row.agent.as_ref().map(|agent| agent.leg) {
            // Whose phone was rung first is on the line and waits for the called party.
            self.acknowledge(agent, now);
            if self.has_left(agent) {
                return self.far_end_gone(agent, log_now);
            }
            if self.took_over {
                self.probe_agent(agent, now);
            }
        }
        if self.took_over {
            self.dialling.give_up = Some(now + self.ringing_time_left(log_now));
        } else if self.originate_duty(log_now).is_some() {
            self.dialling.give_up = Some(now + limit::DIAL_MEDIA_OPEN);
            self.media_of(Call::CALLER_LEG, Op::Open { leg: Call::CALLER_LEG });
        }
    }

    /// The called party's leg of a call that an earlier owner was dialling, or stopped dialling: its answers are
    /// taken, and it can be cancelled.
    pub(crate) fn await_called(&mut self, now: Mono) {
        let hang_up = |duty: &strowger_table::Duty| duty.kind == DutyKind::HangUp { leg: Call::CALLER_LEG };
        let is_ringing = matches!(self.row.stage, Stage::Dialling { .. }) || self.row.duties.iter().any(hang_up);
        if is_ringing && let Some(outbound) = self.row.outbound().cloned() {
            let invite = self.invite_called(&outbound, String::new());
            let key = self.leg_key(Call::CALLER_LEG);
            self.caller = Some(Leg::awaited(key, invite, &self.setting.local, now));
        }
    }

    pub(crate) fn called_media_open(&mut self, rtp: SocketAddr, log_now: LogTime, now: Mono) {
        self.caller_rtp = Some(rtp);
        let Some(outbound) = self.row.outbound().cloned() else { return };
        // A port that came too late: the call is given up, or about to be, and its record says that nothing was sent.
        if self.dialling.reported || self.is_ending() {
            return;
        }
        let Some(duty) = self.originate_duty(log_now).filter(|_| self.caller.is_none()) else { return };
        let is_dialling = matches!(self.row.stage, Stage::Dialling { .. });
        debug_assert!(is_dialling, "the duty to dial outlived its stage");
        self.dialling.repeat_until = Some(duty.until);
        let invite = self.invite_called(&outbound, offer_sdp(&self.local_media(rtp, 1)));
        let (leg, outs) = Leg::outgoing(self.leg_key(Call::CALLER_LEG), invite, &self.setting.local, now);
        self.caller = Some(leg);
        self.dialling.give_up = Some(now + Duration::from_millis(outbound.ring_timeout_ms.into()));
        self.sent(Call::CALLER_LEG, outs, log_now, now);
        self.done(duty.id);
    }

    /// Before the leg's own timers: what it would send again may be too late.
    pub(crate) fn stop_late_repeats(&mut self, log_now: LogTime, now: Mono) {
        if self.dialling.repeat_until.take_if(|until| *until <= log_now).is_some()
            && let Some(leg) = &mut self.caller
        {
            let outs = leg.stop_repeating(now);
            self.sent(Call::CALLER_LEG, outs, log_now, now);
        }
    }

    /// The duty to send the INVITE, while there is time for it: a call never comes late.
    fn originate_duty(&self, log_now: LogTime) -> Option<strowger_table::Duty> {
        let is_due = |duty: &&strowger_table::Duty| duty.kind == DutyKind::Originate && log_now < duty.until;
        self.row.duties.iter().find(is_due).copied()
    }

    fn ringing_time_left(&self, log_now: LogTime) -> Duration {
        match self.row.stage {
            // The lease has some time beyond the ringing, so that its owner reports first.
            Stage::Dialling { deadline } => (deadline - strowger_table::limit::OFFER_GRACE).since(log_now),
            _ => Duration::ZERO,
        }
    }

    fn invite_called(&self, outbound: &Outbound, sdp: String) -> Outgoing {
        let host = &self.setting.local.contact_host;
        let Far { transport, addr, .. } = outbound.destination;
        let to_uri = format!("sip:{}@{addr}{}", outbound.number, transport.uri_parameter());
        Outgoing {
            request_uri: to_uri.clone(),
            to_uri,
            from_uri: format!("sip:{}@{host}", outbound.caller_id),
            from_display: String::new(),
            call_id: self.called_call_id(),
            destination: outbound.destination,
            route_set: Vec::new(),
            sdp,
            headers: Vec::new(),
        }
    }

    fn called_call_id(&self) -> String {
        format!("{}@{}", strowger_sip::Token(self.leg_key(Call::CALLER_LEG)), self.setting.local.contact_host)
    }

    pub(crate) fn on_called(&mut self, event: LegEvent, log_now: LogTime, now: Mono) {
        match event {
            LegEvent::Ringing { .. } => self.dialling.heard = true,
            LegEvent::Answered { sdp } => self.called_answered(&sdp, log_now, now),
            LegEvent::Failed { status, q850 } => {
                // Silence is told as 408 too.
                let silent = status == 408 && !self.dialling.heard;
                let cause = q850.unwrap_or_else(|| if silent { Cause::NO_ROUTE } else { cause_of(status) });
                let result = if silent { DialResult::Unreachable } else { result_of(status, cause) };
                self.report(result, if silent { 0 } else { status }, cause, false, log_now);
                self.caller_leg_over();
            }
            LegEvent::Cancelled | LegEvent::HungUp { .. } => self.far_end_hung_up(Call::CALLER_LEG, log_now, now),
            LegEvent::Reinvite { sdp } => self.reinvited(Call::CALLER_LEG, &sdp, now),
            LegEvent::Gone => self.far_end_gone(Call::CALLER_LEG, log_now),
            LegEvent::Ended => self.caller_leg_over(),
            LegEvent::Acked | LegEvent::AckTimeout | LegEvent::ReinviteDone { .. } => {}
        }
    }

    fn called_answered(&mut self, sdp: &[u8], log_now: LogTime, now: Mono) {
        if !matches!(self.row.stage, Stage::Dialling { .. }) || self.dialling.reported || self.is_ending() {
            // Answered in the moment it was given up, or the agent who waited for it was gone.
            return self.hang_up_leg(Call::CALLER_LEG, None, now);
        }
        if parse_sdp(sdp).is_err() {
            self.report(DialResult::Unreachable, 488, Cause(65), true, log_now);
            return self.hang_up_leg(Call::CALLER_LEG, Some(Cause(65)), now);
        }
        let Some(dialog) = self.caller.as_ref().map(|leg| Box::new(leg.dialog())) else { return };
        debug_assert!(self.row.caller.is_none(), "a called party answers twice");
        self.dialling.reported = true;
        self.dialling.give_up = None;
        self.propose(Command::Reached { call: self.row.id, dialog, observed: log_now });
    }

    /// The answer is committed: the called party is acknowledged, whatever the call does with it next.
    pub(crate) fn meet_called(&mut self, now: Mono) {
        let is_answered = self.row.outbound().is_some() && self.row.caller.is_some();
        if !is_answered || std::mem::replace(&mut self.dialling.met, true) {
            return;
        }
        self.dialling.give_up = None;
        self.acknowledge(Call::CALLER_LEG, now);
        self.direct_caller_media();
    }

    pub(crate) fn tick_dialling(&mut self, log_now: LogTime, now: Mono) {
        if self.dialling.give_up.is_none_or(|by| by > now) {
            return;
        }
        self.dialling.give_up = None;
        let unproven = self.row.duties.iter().any(|duty| duty.kind == DutyKind::Originate);
        let (result, cause) = match &self.caller {
            None => return self.not_dialled(log_now),
            Some(_) if self.dialling.heard => (DialResult::NoAnswer, Cause::NO_ANSWER),
            // Sent by an owner that could not say so, and nothing came of it.
            Some(_) if unproven => (DialResult::Unknown, Cause::RECOVERY_ON_TIMER),
            // An heir has not heard what came before it.
            Some(_) if self.row.adoptions > 0 => (DialResult::NoAnswer, Cause::NO_ANSWER),
            // Not even a ringing: the call never arrived anywhere.
            Some(_) => (DialResult::Unreachable, Cause::NO_ROUTE),
        };
        self.report(result, 0, cause, true, log_now);
        self.hang_up_leg(Call::CALLER_LEG, Some(Cause::NO_ANSWER), now);
    }

    /// No relay would open a port: nothing has been sent.
    pub(crate) fn not_dialled(&mut self, log_now: LogTime) {
        if self.caller.is_some() {
            // It is out already, or may be.
            return;
        }
        self.dialling.give_up = None;
        self.report(DialResult::NotDialled, 0, Cause::NO_CIRCUIT, true, log_now);
    }

    fn report(&mut self, result: DialResult, status: u16, cause: Cause, hang_up: bool, log_now: LogTime) {
        if !matches!(self.row.stage, Stage::Dialling { .. }) || std::mem::replace(&mut self.dialling.reported, true) {
            return;
        }
        let is_out = self.caller.is_some();
        debug_assert!(!is_out || result != DialResult::NotDialled, "said not to be dialled, and an INVITE is out");
        self.dialling.give_up = None;
        let failure = DialFailure { result, status, cause, sip_call_id: self.called_call_id(), hang_up };
        self.propose(Command::NotReached { call: self.row.id, failure, observed: log_now });
    }

    pub(crate) fn caller_is_over(&self) -> bool {
        self.caller.as_ref().is_none_or(|leg| leg.state() == LegState::Ended)
    }
}

/// The cause of a SIP failure where the far end gave none (RFC 3398, 8.2.6.1).
pub(crate) fn cause_of(status: u16) -> Cause {
    match status {
        404 | 604 => Cause(1),
        408 => Cause::NO_ANSWER,
        410 => Cause(22),
        480 => Cause(18),
        484 => Cause(28),
        486 | 600 => Cause::BUSY,
        403 | 603 => Cause::REJECTED,
        488 | 606 => Cause(65),
        500 | 502 | 503 => Cause::TEMPORARY_FAILURE,
        504 => Cause::RECOVERY_ON_TIMER,
        _ => Cause(31),
    }
}

/// What a refusal means to a campaign. The network's own cause says more than the status it was put into; where it
/// says nothing, the status decides.
fn result_of(status: u16, cause: Cause) -> DialResult {
    match (cause.0, status) {
        (1 | 22 | 28, _) | (_, 404 | 410 | 484 | 485 | 604) => DialResult::InvalidNumber,
        (17, _) | (_, 486 | 600) => DialResult::Busy,
        (18 | 19, _) | (_, 408 | 480 | 487) => DialResult::NoAnswer,
        (21, _) | (_, 403 | 603 | 607 | 608) => DialResult::Rejected,
        _ => DialResult::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_one_meaning_each() {
        use DialResult::*;
        let by_status = [
            (486, Busy),
            (600, Busy),
            (480, NoAnswer),
            (408, NoAnswer),
            (603, Rejected),
            (403, Rejected),
            (404, InvalidNumber),
            (410, InvalidNumber),
            (484, InvalidNumber),
            (503, Unreachable),
            (500, Unreachable),
            (488, Unreachable),
        ];
        for (status, result) in by_status {
            assert_eq!(result_of(status, cause_of(status)), result, "{status}");
        }
        // The network's cause wins: a busy number behind a gateway that says 503.
        assert_eq!(result_of(503, Cause::BUSY), Busy);
        assert_eq!(result_of(480, Cause(1)), InvalidNumber);
    }
}
