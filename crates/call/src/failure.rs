//! Why a far end that we called was not reached, in the words of SIP, of the network and of a campaign.

use strowger_model::{Cause, DialResult, LegKey, LogTime};
use strowger_table::{Command, DialFailure, DutyKind, LegRole, Miss};

use crate::machine::Machine;

/// What came of ringing, where it was no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// What it is to a campaign.
    result: DialResult,
    /// SIP status of the final answer.
    status: u16,
    cause: Cause,
    /// Whether the owner decided it: the far end may still ring and must be told to stop.
    hang_up: bool,
}

impl Failure {
    pub const NO_COMMON_LAW: Failure =
        Failure { result: DialResult::Unreachable, status: 488, cause: Cause(65), hang_up: true };
    /// No relay would open a port: nothing has been sent.
    const NO_PORT: Failure =
        Failure { result: DialResult::NotDialled, status: 503, cause: Cause::NO_CIRCUIT, hang_up: true };
}

impl Machine {
    /// The far end refused, or said nothing at all, which its leg tells as 408.
    pub(crate) fn refused(&mut self, leg: LegKey, status: u16, q850: Option<Cause>, log_now: LogTime) {
        let Some(side) = self.sides.get(&leg) else { return };
        let is_silent = status == 408 && !side.ringing.is_heard;
        let is_agent = self.rows.call.leg(leg).is_some_and(|leg| leg.agent().is_some());
        let given = q850.unwrap_or_else(|| cause_of(status));
        let failure = match is_silent {
            true if is_agent => Failure { result: DialResult::Unreachable, status, cause: given, hang_up: true },
            true => {
                let cause = q850.unwrap_or(Cause::NO_ROUTE);
                Failure { result: DialResult::Unreachable, status: 0, cause, hang_up: false }
            }
            false => Failure { result: result_of(status, given), status, cause: given, hang_up: false },
        };
        self.not_reached(leg, failure, log_now);
        self.leg_over(leg);
    }

    /// It was given time enough. Whom an agent's phone belongs to is asked elsewhere; of a number more is to be known.
    pub(crate) fn silence(&self, leg: LegKey) -> Failure {
        let row = self.rows.call.leg(leg);
        let is_agent = row.is_some_and(|leg| leg.agent().is_some());
        let is_heard = self.sides.get(&leg).is_some_and(|side| side.ringing.is_heard);
        let unproven = self.rows.has_duty(DutyKind::Originate { leg });
        let (result, status, cause) = match () {
            _ if is_agent => (DialResult::NoAnswer, 408, Cause::NO_ANSWER),
            _ if is_heard => (DialResult::NoAnswer, 0, Cause::NO_ANSWER),
            // Sent by an owner that could not say so, and nothing came of it.
            _ if unproven => (DialResult::Unknown, 0, Cause::RECOVERY_ON_TIMER),
            // An heir has not heard what came before it.
            _ if row.is_some_and(|leg| leg.takeovers > 0) => (DialResult::NoAnswer, 0, Cause::NO_ANSWER),
            // Not even a ringing: the call never arrived anywhere.
            _ => (DialResult::Unreachable, 0, Cause::NO_ROUTE),
        };
        Failure { result, status, cause, hang_up: true }
    }

    /// No port for whom we call. An agent's phone may ring for an earlier owner; a number that was called may be out.
    pub(crate) fn cannot_call(&mut self, leg: LegKey, log_now: LogTime) {
        let is_agent = self.rows.call.leg(leg).is_some_and(|leg| leg.agent().is_some());
        match self.sides.get(&leg) {
            Some(side) if is_agent || side.sip.is_none() => self.not_reached(leg, Failure::NO_PORT, log_now),
            _ => {}
        }
    }

    /// Says once what came of ringing.
    pub(crate) fn not_reached(&mut self, leg: LegKey, failure: Failure, log_now: LogTime) {
        let Some(row) = self.rows.call.leg(leg).filter(|leg| leg.is_ringing()) else { return };
        let is_agent = matches!(row.role, LegRole::Agent(..));
        let Some(side) = self.sides.get_mut(&leg).filter(|side| side.leaving.is_none()) else { return };
        if std::mem::replace(&mut side.ringing.is_reported, true) {
            return;
        }
        side.ringing.give_up = None;
        let Failure { result, status, cause, hang_up } = failure;
        debug_assert!(
            is_agent || side.sip.is_none() || result != DialResult::NotDialled,
            "said not to be dialled, and an INVITE is out"
        );
        self.propose(match is_agent {
            true => Command::Missed { leg, miss: Miss { status, cause, hang_up }, observed: log_now },
            false => {
                let status = if result == DialResult::NotDialled { 0 } else { status };
                let sip_call_id = self.call_id(leg);
                let failure = DialFailure { result, status, cause, sip_call_id, hang_up };
                Command::NotReached { leg, failure, observed: log_now }
            }
        });
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
