//! An agent's telephone: rings, answers, hangs up, or does none of that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::incoming::{Incoming, is_speakable};
use super::{Audio, Leg, LegKey, LegTimer, Role, Stage, Voice};
use crate::media::MediaStats;
use crate::options::{AgentBehaviour, AgentSpec};
use crate::report::{AgentReport, EndedBy, RtpCounts};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, user_of};
use crate::sip::wire::{Source, Wire};
use crate::timers::Timer;

pub(crate) struct AgentSide {
    pub incoming: Incoming,
    pub overlapped: bool,
    spec: Arc<AgentSpec>,
}

impl AgentSide {
    pub fn tone(&self) -> u16 {
        self.spec.tone
    }

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
            ..refusal(&self.spec, &self.incoming.invite, leg.final_status, leg.started_at)
        }
    }

    pub fn once_answered(&self) -> Option<(Duration, LegTimer)> {
        self.spec.hangs_up_after.map(|after| (after, LegTimer::HangUp))
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
    (!is_speakable(invite)).then_some(488)
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
        let side = AgentSide { incoming: Incoming::new(invite, source), overlapped: false, spec };
        let mut leg = Leg::new(key, source.socket, dialog, audio, Stage::Ringing, Role::Agent(Box::new(side)), now);
        leg.answer_invite(wire, 180, None, now);
        Ok(leg)
    }
}
