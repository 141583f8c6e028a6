//! The called side: rings, answers, hangs up, or does none of that.

use std::sync::Arc;
use std::time::Instant;

use super::{Audio, Leg, LegKey, LegTimer, Role, Stage, Voice};
use crate::media::MediaStats;
use crate::options::{AgentBehaviour, AgentSpec};
use crate::report::{AgentReport, EndedBy, RtpCounts};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, user_of};
use crate::sip::sdp::{Direction, Sdp};
use crate::sip::wire::{Answer, Source, Wire};
use crate::timers::Timer;

pub(crate) struct AgentSide {
    pub overlapped: bool,
    spec: Arc<AgentSpec>,
    /// Kept for its answers.
    invite: Message,
    source: Source,
    offer: Option<Sdp>,
    /// A BYE may not go out before the ACK came in (RFC 3261 section 15).
    hang_up_wanted: Option<EndedBy>,
}

impl AgentSide {
    pub fn report(&self, leg: &Leg, stats: MediaStats) -> AgentReport {
        let (ended_at, ended_by) = leg.ended.unwrap_or((leg.started_at, EndedBy::Timeout));
        AgentReport {
            answered_at: leg.answered_at,
            final_status: leg.final_status,
            ended_at,
            ended_by,
            heard: stats.heard,
            checked_audio: stats.checked,
            rtp: stats.rtp,
            overlapped: self.overlapped,
            retransmits: leg.retransmits,
            longest_gap_ms: stats.longest_gap_ms,
            stuck: leg.stuck,
            ..refusal(&self.spec, &self.invite, leg.final_status, leg.started_at)
        }
    }

    pub fn is_cancelled_by(&self, cancel: &Message) -> bool {
        self.invite.branch == cancel.branch
    }
}

/// The report of an INVITE that was refused at once.
pub(crate) fn refusal(spec: &AgentSpec, invite: &Message, status: u16, now: Instant) -> AgentReport {
    AgentReport {
        user: spec.user.clone(),
        call_id: invite.call_id.clone(),
        invited_at: now,
        answered_at: None,
        final_status: status,
        ended_at: now,
        ended_by: EndedBy::Agent,
        heard: Vec::new(),
        checked_audio: Default::default(),
        my_tone: spec.tone,
        rtp: RtpCounts::default(),
        overlapped: false,
        caller_id: invite.header("from").map(user_of).unwrap_or_default(),
        headers: invite.x_headers(),
        retransmits: 0,
        longest_gap_ms: 0,
        stuck: false,
    }
}

/// What an agent's phone says to an INVITE it does not ring for.
pub(crate) fn refuses(spec: &AgentSpec, invite: &Message) -> Option<u16> {
    if spec.behaviour == AgentBehaviour::Busy {
        return Some(486);
    }
    let speakable = invite.body.is_empty() || Sdp::parse(&invite.body).is_some_and(|sdp| !sdp.laws.is_empty());
    (!speakable).then_some(488)
}

impl Leg {
    /// Begins to ring. Fails if there is no port for its audio.
    pub fn ring(
        wire: &mut Wire,
        key: LegKey,
        spec: Arc<AgentSpec>,
        invite: Message,
        source: Source,
        now: Instant,
    ) -> std::io::Result<Leg> {
        let voice = Voice { law: spec.law, tone: spec.tone, digits: &spec.digits, digits_after: spec.digits_after };
        let audio = Audio::open(wire, key, &voice, now)?;
        let contact = format!("<sip:{}@{}>", spec.user, wire.address(source.socket));
        let dialog = Dialog::incoming(&invite, wire.random.token(), contact);
        if spec.behaviour == AgentBehaviour::Answer {
            wire.timers.set(now + spec.ring, Timer::Leg(key, LegTimer::PickUp));
        }
        let offer = Sdp::parse(&invite.body);
        let side = AgentSide { overlapped: false, spec, invite, source, offer, hang_up_wanted: None };
        let mut leg = Leg::new(key, source.socket, dialog, audio, Stage::Ringing, Role::Agent(Box::new(side)), now);
        leg.answer_invite(wire, 180, None, now);
        Ok(leg)
    }

    pub(super) fn pick_up(&mut self, wire: &mut Wire, now: Instant) {
        let Role::Agent(side) = &mut self.role else { return };
        if self.stage != Stage::Ringing {
            return;
        }
        let hangs_up_after = side.spec.hangs_up_after;
        let sdp = match &side.offer {
            Some(offer) => {
                self.audio.hear(wire, offer);
                self.audio.answer(offer)
            }
            None => {
                self.awaits_sdp_in_ack = true;
                self.audio.offer(Direction::SendRecv)
            }
        };
        self.answered_at = Some(now);
        self.final_status = 200;
        self.stage = Stage::Answered;
        self.answer_invite(wire, 200, Some(sdp), now);
        if let Some(after) = hangs_up_after {
            wire.timers.set(now + after, Timer::Leg(self.key, LegTimer::HangUp));
        }
    }

    /// CANCEL: 200 to it, 487 to the INVITE; nothing more if it was answered already (RFC 3261 section 9.2).
    pub fn on_cancel(&mut self, wire: &mut Wire, cancel: &Message, source: Source, now: Instant) {
        let to_tag = Some(self.dialog.local_tag.clone());
        wire.answer(cancel, source, Answer { to_tag, ..Answer::status(200) }, now);
        if self.stage == Stage::Ringing {
            self.decline(wire, 487, EndedBy::Far, now);
        }
    }

    pub(super) fn decline(&mut self, wire: &mut Wire, status: u16, by: EndedBy, now: Instant) {
        self.answer_invite(wire, status, None, now);
        self.final_status = status;
        self.end(now, by);
        self.stage = Stage::Over;
    }

    pub(super) fn hang_up_after_ack(&mut self, by: EndedBy) {
        if let Role::Agent(side) = &mut self.role {
            side.hang_up_wanted = Some(by);
        }
    }

    /// The ACK of this side's 2xx.
    pub fn on_ack(&mut self, wire: &mut Wire, ack: &Message, now: Instant) {
        if self.awaits_sdp_in_ack {
            self.awaits_sdp_in_ack = false;
            if let Some(sdp) = Sdp::parse(&ack.body) {
                self.audio.hear(wire, &sdp);
            }
        }
        if self.stage != Stage::Answered {
            return;
        }
        self.stage = Stage::Talking;
        if let Role::Agent(side) = &mut self.role
            && let Some(by) = side.hang_up_wanted.take()
        {
            self.bye(wire, by, now);
        }
    }

    fn answer_invite(&mut self, wire: &mut Wire, status: u16, sdp: Option<String>, now: Instant) {
        let Role::Agent(side) = &self.role else { return };
        let answer = Answer {
            status,
            to_tag: Some(self.dialog.local_tag.clone()),
            contact: (status < 300).then(|| self.dialog.contact().to_owned()),
            sdp,
            leg: Some(self.key),
        };
        wire.answer(&side.invite, side.source, answer, now);
    }
}
