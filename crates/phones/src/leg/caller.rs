//! The calling side: dials, waits for an agent's tone, talks, hangs up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Audio, Leg, LegKey, LegTimer, Role, Stage, Voice};
use crate::media::MediaStats;
use crate::options::CallSpec;
use crate::report::{CallerReport, EndedBy};
use crate::sip::GIVE_UP;
use crate::sip::client::{Owner, Purpose, RequestId};
use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::sdp::{Direction, Sdp};
use crate::sip::wire::Wire;
use crate::timers::Timer;

/// RFC 3261 section 14.1: the owner of the Call-ID tries again 2.1 to 4 s after a 491.
const GLARE_WAIT: (Duration, Duration) = (Duration::from_millis(2_100), Duration::from_secs(4));

pub(crate) struct CallerSide {
    call_ref: u64,
    spec: CallSpec,
    invite: Option<RequestId>,
    /// A CANCEL may only follow a provisional answer (RFC 3261 section 9.1).
    proceeding: bool,
    cancel: Cancel,
    pub first_agent_tone_at: Option<Instant>,
    abandoned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    Wanted,
    Sent,
}

impl CallerSide {
    pub fn is(&self, call_ref: u64) -> bool {
        self.call_ref == call_ref
    }

    pub fn tone(&self) -> u16 {
        self.spec.tone
    }

    pub fn report(&self, leg: &Leg, stats: MediaStats) -> CallerReport {
        let (ended_at, ended_by) = leg.ended.unwrap_or((leg.started_at, EndedBy::Timeout));
        CallerReport {
            call_ref: self.call_ref,
            call_id: leg.dialog.call_id.clone(),
            from: self.spec.from.clone(),
            number: self.spec.number.clone(),
            placed_at: leg.started_at,
            answered_at: leg.answered_at,
            final_status: leg.final_status,
            first_agent_tone_at: self.first_agent_tone_at,
            ended_at,
            ended_by,
            abandoned: self.abandoned,
            heard: stats.heard,
            checked_audio: stats.checked,
            my_tone: self.spec.tone,
            rtp: stats.rtp,
            retransmits: leg.retransmits,
            longest_gap_ms: stats.longest_gap_ms,
            stuck: leg.stuck,
        }
    }
}

impl Leg {
    /// Dials. Fails if there is no port for its audio.
    pub fn place(
        wire: &mut Wire,
        key: LegKey,
        call_ref: u64,
        spec: CallSpec,
        socket: usize,
        now: Instant,
    ) -> std::io::Result<Leg> {
        let voice = Voice { law: spec.law, tone: spec.tone, digits: &spec.digits, digits_after: spec.digits_after };
        let audio = Audio::open(wire, key, &voice, now)?;
        let patience = spec.patience;
        let dialog = outgoing_dialog(wire, &spec, wire.address(socket));
        let side = CallerSide {
            call_ref,
            spec,
            invite: None,
            proceeding: false,
            cancel: Cancel::No,
            first_agent_tone_at: None,
            abandoned: false,
        };
        let mut leg = Leg::new(key, socket, dialog, audio, Stage::Calling, Role::Caller(Box::new(side)), now);
        let mut draft = leg.dialog.request("INVITE");
        draft.sdp = Some(leg.audio.offer(Direction::SendRecv));
        let request = wire.request(draft, socket, wire.server, Owner::Leg(key, Purpose::Invite), now);
        if let Role::Caller(side) = &mut leg.role {
            side.invite = Some(request);
        }
        wire.timers.set(now + patience, Timer::Leg(key, LegTimer::Patience));
        Ok(leg)
    }

    pub(super) fn caller_hears_agent(&mut self, wire: &mut Wire, at: Instant) {
        let Role::Caller(side) = &mut self.role else { return };
        if side.first_agent_tone_at.is_some() {
            return;
        }
        side.first_agent_tone_at = Some(at);
        if side.spec.hangs_up {
            wire.timers.set(at + side.spec.talk, Timer::Leg(self.key, LegTimer::Talk));
        }
        if let Some((after, long)) = side.spec.reinvite_hold {
            wire.timers.set(at + after, Timer::Leg(self.key, LegTimer::Hold));
            wire.timers.set(at + after + long, Timer::Leg(self.key, LegTimer::Resume));
        }
    }

    pub(super) fn on_invite_answer(&mut self, wire: &mut Wire, answer: &Message, status: u16, now: Instant) {
        let Role::Caller(side) = &mut self.role else { return };
        match status {
            ..200 => {
                side.proceeding = true;
                if let Some(sdp) = Sdp::parse(&answer.body) {
                    self.audio.hear(wire, &sdp);
                }
                self.send_cancel(wire, now);
            }
            200..300 => {
                self.final_status = status;
                self.answered_at = Some(now);
                self.dialog.establish(answer);
                self.stage = Stage::Talking;
                self.acknowledge(wire, answer.cseq);
                let agreed = Sdp::parse(&answer.body).is_some_and(|sdp| self.audio.hear(wire, &sdp));
                // A 200 that crossed a CANCEL made a call all the same, and so did one without audio.
                if !agreed || self.ended.is_some() {
                    self.bye(wire, EndedBy::Caller, now);
                }
            }
            _ => {
                self.final_status = status;
                self.end(now, EndedBy::Far);
                self.stage = Stage::Over;
            }
        }
    }

    pub(super) fn on_reinvite_answer(&mut self, wire: &mut Wire, answer: &Message, status: u16, now: Instant) {
        match status {
            ..200 => {}
            200..300 => {
                self.dialog.retarget(answer);
                self.acknowledge(wire, answer.cseq);
                if let Some(direction) = self.reinvite.take() {
                    self.audio.direction = direction;
                }
                if let Some(sdp) = Sdp::parse(&answer.body) {
                    self.audio.hear(wire, &sdp);
                }
            }
            491 => {
                let again = match self.reinvite.take() {
                    Some(Direction::SendRecv) => LegTimer::Resume,
                    _ => LegTimer::Hold,
                };
                let wait = wire.random.between(GLARE_WAIT.0, GLARE_WAIT.1);
                wire.timers.set(now + wait, Timer::Leg(self.key, again));
            }
            // RFC 3261 section 12.2.1.2: the far end knows of no such call.
            408 | 481 => {
                self.end(now, EndedBy::Far);
                self.stage = Stage::Over;
            }
            _ => self.reinvite = None,
        }
    }

    /// A caller or a called party leaves when it has heard no agent yet.
    pub(super) fn lose_patience(&mut self, wire: &mut Wire, now: Instant) {
        if self.first_agent_tone_at().is_some() || self.ended.is_some() {
            return;
        }
        if let Role::Caller(side) = &mut self.role {
            side.abandoned = true;
        }
        self.hang_up(wire, self.role.ends(), now);
    }

    pub(super) fn cancel(&mut self, wire: &mut Wire, by: EndedBy, now: Instant) {
        self.end(now, by);
        let Role::Caller(side) = &mut self.role else { return };
        if side.cancel == Cancel::No {
            side.cancel = Cancel::Wanted;
        }
        self.send_cancel(wire, now);
    }

    pub(super) fn give_up_cancel(&mut self, wire: &mut Wire, now: Instant) {
        if self.stage == Stage::Calling {
            if let Some(invite) = self.open_invite() {
                wire.forget(invite);
            }
            self.overdue(now);
            self.final_status = 408;
            self.stage = Stage::Over;
        }
    }

    /// Puts the call on hold or takes it back.
    pub(super) fn reoffer(&mut self, wire: &mut Wire, direction: Direction, now: Instant) {
        let settled = self.reinvite.is_none() && self.audio.direction == direction;
        if self.stage != Stage::Talking || settled || self.reinvite == Some(direction) {
            return;
        }
        if self.reinvite.is_some() {
            // The one before is still open: the same wait as after a collision.
            let timer = if direction == Direction::SendRecv { LegTimer::Resume } else { LegTimer::Hold };
            wire.timers.set(now + GLARE_WAIT.0, Timer::Leg(self.key, timer));
            return;
        }
        self.reinvite = Some(direction);
        let mut draft = self.dialog.request("INVITE");
        draft.sdp = Some(self.audio.offer(direction));
        let destination = self.dialog.next_hop(wire.server);
        wire.request(draft, self.socket, destination, Owner::Leg(self.key, Purpose::Reinvite), now);
    }

    fn send_cancel(&mut self, wire: &mut Wire, now: Instant) {
        let Role::Caller(side) = &mut self.role else { return };
        if side.cancel != Cancel::Wanted || !side.proceeding {
            return;
        }
        let Some(invite) = side.invite else { return };
        side.cancel = Cancel::Sent;
        wire.cancel(invite, self.socket, Owner::Leg(self.key, Purpose::Cancel), now);
        wire.timers.set(now + GIVE_UP, Timer::Leg(self.key, LegTimer::CancelOverdue));
    }

    /// The INVITE's transaction, to be dropped with the leg.
    pub fn open_invite(&self) -> Option<RequestId> {
        match &self.role {
            Role::Caller(side) if self.final_status < 300 => side.invite,
            _ => None,
        }
    }
}

fn outgoing_dialog(wire: &mut Wire, spec: &CallSpec, here: SocketAddr) -> Dialog {
    let call_id = format!("{}@{}", wire.random.token(), here.ip());
    let local = format!("<sip:{}@{}>", spec.from, here.ip());
    let target = format!("sip:{}@{}", spec.number, wire.server);
    let contact = format!("<sip:{}@{here}>", spec.from);
    let tag = wire.random.token();
    Dialog::outgoing(call_id, &local, tag, format!("<{target}>"), target, contact)
}
