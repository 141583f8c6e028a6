//! Caller and agent talk; what the caller's dialog reports.

use strowger_model::{Cause, Ended, HangupBy, LegNo, LogTime, Mono};
use strowger_sip::{Event as LegEvent, LegState, parse_sdp};
use strowger_table::Call;

use crate::flow::remote_op;
use crate::machine::{Begun, Machine};

impl Machine {
    /// The `Connect` is committed: the phone is acknowledged, its media directed.
    pub(crate) fn begin_talking(&mut self, now: Mono) {
        let Some(agent) = self.row.agent.clone() else { return };
        if self.begun == Begun::Talking(agent.leg) {
            return;
        }
        debug_assert!(agent.dialog.is_some(), "an agent talks whose answer is in no row");
        self.begun = Begun::Talking(agent.leg);
        self.acknowledge(agent.leg, now);
        if self.has_left(agent.leg) {
            return self.far_end_gone(agent.leg, LogTime::MAX);
        }
        if self.took_over {
            self.probe_agent(agent.leg, now);
        }
        let remote = agent.dialog.as_ref().and_then(|dialog| parse_sdp(dialog.remote_sdp.as_bytes()).ok());
        if let Some(remote) = remote {
            self.media(agent.relay, remote_op(agent.leg, &remote));
        }
    }

    /// A far end's answer is committed: now it is told so.
    pub(crate) fn acknowledge(&mut self, leg: LegNo, now: Mono) {
        let outs = self.sip_leg(leg).map(|leg| leg.acknowledge(now)).unwrap_or_default();
        self.sent(leg, outs, LogTime::ZERO, now);
    }

    /// Whether a phone answered and hung up before its answer was committed.
    pub(crate) fn has_left(&mut self, leg: LegNo) -> bool {
        self.sip_leg(leg).is_some_and(|sip| sip.state() == LegState::Ended)
    }

    /// An agent who hung up while nobody listened is found by this.
    pub(crate) fn probe_agent(&mut self, leg: LegNo, now: Mono) {
        let probes = self.sip_leg(leg).map(|leg| leg.probe(now)).unwrap_or_default();
        self.sent(leg, probes, LogTime::ZERO, now);
    }

    pub(crate) fn on_caller(&mut self, event: LegEvent, log_now: LogTime, now: Mono) {
        match event {
            LegEvent::Acked => self.caller_acked(),
            LegEvent::AckTimeout => {
                self.propose_end(Ended { by: HangupBy::System, cause: Cause::RECOVERY_ON_TIMER }, log_now);
            }
            LegEvent::Cancelled | LegEvent::HungUp { .. } => self.far_end_hung_up(Call::CALLER_LEG, log_now, now),
            LegEvent::Reinvite { sdp } => self.reinvited(Call::CALLER_LEG, &sdp, now),
            LegEvent::Gone => self.far_end_gone(Call::CALLER_LEG, log_now),
            LegEvent::Ended => self.caller_leg_over(),
            LegEvent::Ringing { .. }
            | LegEvent::Answered { .. }
            | LegEvent::Failed { .. }
            | LegEvent::ReinviteDone { .. } => {}
        }
    }

    /// A probe found no dialog there: the far end hung up while nobody listened.
    pub(crate) fn far_end_gone(&mut self, leg: LegNo, log_now: LogTime) {
        if !self.is_part(leg) {
            return;
        }
        let by = if leg == Call::CALLER_LEG { HangupBy::Caller } else { HangupBy::Agent };
        self.propose_end(Ended { by, cause: Cause::NORMAL }, log_now);
    }
}
