//! Numbers that are called over a trunk: INVITE once, ringing, a reason why nobody answered.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::Op;
use strowger_model::{Cause, DialResult, LegKey, LogNow, Mono};
use strowger_sip::{Leg, offer_sdp};
use strowger_table as table;
use strowger_table::{Command, DialFailure, Duty, DutyKind};

use crate::limit;
use crate::machine::Machine;
use crate::side::{Side, ringing_time_left};

impl Machine {
    /// The first owner sends the INVITE, once. An heir never does: it waits for what comes of the one that was sent.
    pub(crate) fn begin_dialling(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        let duty = self.rows.call.duty_to(DutyKind::Originate { leg: key });
        if !self.sides.contains_key(&key) && duty.is_some_and(|duty| log_now.at_least < duty.until) {
            self.sides.insert(key, Box::new(Side::opening(now + limit::DIAL_MEDIA_OPEN)));
            self.open_in_time(key, log_now, now);
        }
    }

    /// Asks for the port, unless the `Dial` may be too old: after an outage a node cannot tell how late it comes before the
    /// new leader has said what time it is.
    pub(crate) fn open_in_time(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        let is_in_time = self.originate_duty(key, log_now).is_some();
        let waits = |side: &&mut Box<Side>| side.sip.is_none() && !side.reported;
        let Some(side) = self.sides.get_mut(&key).filter(waits) else { return };
        if is_in_time {
            self.media_of(key, Op::Open { leg: key.leg });
        } else {
            side.doubted = Some(now + limit::DOUBTED_AGAIN);
        }
    }

    pub(crate) fn dial(&mut self, leg: &table::Leg, rtp: SocketAddr, log_now: LogNow, now: Mono) {
        let key = leg.key;
        let Some(duty) = self.originate_duty(key, log_now) else { return };
        let Some(invite) = self.invite(leg, offer_sdp(&self.local_media(key, rtp, 1), "")) else { return };
        let ring = self.ring_time(leg, log_now);
        // A port that came too late: the call is given up, or about to be, and its record says that nothing was sent.
        let waits = |side: &&mut Box<Side>| side.sip.is_none() && !side.reported;
        let Some(side) = self.sides.get_mut(&key).filter(waits) else { return };
        let (sip, outs) = Leg::outgoing(key, invite, &self.setting.local, now);
        side.sip = Some(sip);
        side.repeat_until = Some(duty.until);
        side.give_up = Some(now + ring);
        self.sent(key, outs, log_now, now);
        self.done(duty.id);
    }

    /// How long a called party's phone rings: a campaign's is given its whole time from the INVITE on.
    fn ring_time(&self, leg: &table::Leg, log_now: LogNow) -> Duration {
        let of_campaign = self.rows.call.outbound().filter(|_| leg.is_customer());
        let whole = |outbound: &table::Outbound| Duration::from_millis(outbound.ring_timeout_ms.into());
        of_campaign.map_or_else(|| ringing_time_left(leg, log_now), whole)
    }

    /// Before the leg's own timers: what it would send again may be too late.
    pub(crate) fn stop_late_repeats(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        if side.repeat_until.take_if(|until| *until <= log_now.at_most).is_some()
            && let Some(sip) = &mut side.sip
        {
            let outs = sip.stop_repeating(now);
            self.sent(key, outs, log_now, now);
        }
    }

    /// The duty to send the INVITE, while there is time for it: a call never comes late.
    fn originate_duty(&self, key: LegKey, log_now: LogNow) -> Option<Duty> {
        self.rows.call.duty_to(DutyKind::Originate { leg: key }).filter(|duty| log_now.at_most < duty.until).copied()
    }

    /// What the far end, or silence on the way to it, said.
    pub(crate) fn refused(&mut self, key: LegKey, status: u16, q850: Option<Cause>, log_now: LogNow) {
        let heard = self.sides.get(&key).is_some_and(|side| side.heard);
        // An heir has not heard what came before it.
        let may_have_rung = heard || self.row_leg(key).is_some_and(|leg| leg.takeovers > 0);
        // Silence is told as 408 too.
        let silent = status == 408 && !heard;
        let cause = q850.unwrap_or_else(|| if silent { Cause::NO_ROUTE } else { cause_of(status) });
        let result = match result_of(status, cause) {
            // The called party may have heard it ring, whoever broke it off.
            DialResult::CarrierFailed if may_have_rung => DialResult::Unreachable,
            _ if silent && may_have_rung => DialResult::Unreachable,
            _ if silent => DialResult::CarrierFailed,
            result => result,
        };
        self.report(key, result, if silent { 0 } else { status }, cause, false, log_now);
    }

    /// It was rung for as long as it may be.
    pub(crate) fn not_reached(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        let unproven = self.rows.call.duty_to(DutyKind::Originate { leg: key }).is_some();
        let inherited = self.row_leg(key).is_some_and(|leg| leg.takeovers > 0);
        let (result, cause) = match self.sides.get(&key).is_some_and(|side| side.heard) {
            true => (DialResult::NoAnswer, Cause::NO_ANSWER),
            // Sent by an owner that could not say so, and nothing came of it.
            false if unproven => (DialResult::Unknown, Cause::RECOVERY_ON_TIMER),
            // An heir has not heard what came before it.
            false if inherited => (DialResult::NoAnswer, Cause::NO_ANSWER),
            // Not even a ringing: the call never arrived anywhere.
            false => (DialResult::CarrierFailed, Cause::NO_ROUTE),
        };
        self.report(key, result, 0, cause, true, log_now);
        self.hang_up_leg(key, Some(Cause::NO_ANSWER), now);
    }

    /// No relay would open a port: nothing has been sent.
    pub(crate) fn not_dialled(&mut self, key: LegKey, log_now: LogNow) {
        // It is out already, or may be.
        if self.sip(key).is_none() {
            self.report(key, DialResult::NotDialled, 0, Cause::NO_CIRCUIT, true, log_now);
        }
    }

    pub(crate) fn report(
        &mut self,
        key: LegKey,
        result: DialResult,
        status: u16,
        cause: Cause,
        hang_up: bool,
        log_now: LogNow,
    ) {
        let is_ringing = self.row_leg(key).is_some_and(table::Leg::is_ringing);
        let Some(side) = self.sides.get_mut(&key).filter(|side| is_ringing && !side.reported) else { return };
        let is_out = side.sip.is_some();
        debug_assert!(!is_out || result != DialResult::NotDialled, "said not to be dialled, and an INVITE is out");
        side.reported = true;
        side.give_up = None;
        let failure = DialFailure { result, status, cause, sip_call_id: self.call_id(key), hang_up };
        self.say_of(key, Command::NotReached { leg: key, failure, observed: log_now.at_most });
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
        488 | 606 => Cause::NOT_IMPLEMENTED,
        500 | 502 | 503 => Cause::TEMPORARY_FAILURE,
        504 => Cause::RECOVERY_ON_TIMER,
        _ => Cause(31),
    }
}

/// What a refusal means to a campaign. The network's own cause says more than the status it was put into; where it
/// says nothing, the status decides. No circuit, a network out of order, a failure, congestion (Q.850 34 to 47) and what
/// comes with no cause at all are the carrier's, and so is whoever asks for our credentials or our money.
fn result_of(status: u16, cause: Cause) -> DialResult {
    match (cause.0, status) {
        (1 | 22 | 28, _) | (_, 404 | 410 | 484 | 485 | 604) => DialResult::InvalidNumber,
        (17, _) | (_, 486 | 600) => DialResult::Busy,
        (18 | 19, _) | (_, 408 | 480 | 487) => DialResult::NoAnswer,
        (21, _) | (_, 403 | 603 | 607 | 608) => DialResult::Rejected,
        (31 | 34..=47 | 102, 500..=599) | (_, 401 | 402 | 407) => DialResult::CarrierFailed,
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
            (503, CarrierFailed),
            (500, CarrierFailed),
            (401, CarrierFailed),
            (402, CarrierFailed),
            (407, CarrierFailed),
            (502, CarrierFailed),
            (488, Unreachable),
            (485, InvalidNumber),
            (604, InvalidNumber),
            (607, Rejected),
            (608, Rejected),
            (487, NoAnswer),
            (504, CarrierFailed),
            (606, Unreachable),
            (400, Unreachable),
        ];
        for (status, result) in by_status {
            assert_eq!(result_of(status, cause_of(status)), result, "{status}");
        }
        // The network's cause wins: a busy number behind a gateway that says 503.
        assert_eq!(result_of(503, Cause::BUSY), Busy);
        assert_eq!(result_of(480, Cause(1)), InvalidNumber);
        assert_eq!(result_of(488, Cause(41)), Unreachable, "no 5xx");
        let by_cause =
            [(1, InvalidNumber), (22, InvalidNumber), (28, InvalidNumber), (17, Busy), (18, NoAnswer), (19, NoAnswer)];
        for (cause, result) in by_cause.into_iter().chain([
            (21, Rejected),
            (16, Unreachable),
            (27, Unreachable),
            (34, CarrierFailed),
            (41, CarrierFailed),
        ]) {
            assert_eq!(result_of(500, Cause(cause)), result, "cause {cause}");
        }
    }

    /// RFC 3398, 8.2.6.1: what the record says where the far end gave no cause.
    #[test]
    fn a_status_without_a_cause_has_that_of_the_rfc() {
        let causes = [
            (400, 31),
            (403, 21),
            (404, 1),
            (408, 19),
            (410, 22),
            (480, 18),
            (484, 28),
            (486, 17),
            (488, 65),
            (500, 41),
            (502, 41),
            (503, 41),
            (504, 102),
            (600, 17),
            (603, 21),
            (604, 1),
            (606, 65),
        ];
        for (status, cause) in causes {
            assert_eq!(cause_of(status), Cause(cause), "{status}");
        }
    }
}
