//! The called party of a call that the product places: the carrier's side of it, and the person behind it.

use std::time::{Duration, Instant};

use super::incoming::{Incoming, is_speakable};
use super::{Audio, Leg, LegKey, LegTimer, Role, Stage, Voice};
use crate::called::{CalledRole, CalledSpec};
use crate::media::MediaStats;
use crate::report::{CalledReport, EndedBy, RtpCounts};
use crate::sip::GIVE_UP;
use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::wire::{Source, Wire};
use crate::timers::Timer;

/// A line of the carrier taken by an INVITE.
#[derive(Clone)]
pub(crate) struct Seizure {
    pub number: String,
    pub from: String,
    pub spec: CalledSpec,
    pub invites: u32,
    /// The number was on another call already.
    pub engaged: bool,
}

pub(crate) struct CalledSide {
    pub incoming: Incoming,
    pub overlapped: bool,
    pub first_agent_tone_at: Option<Instant>,
    seizure: Seizure,
    /// What it will say instead of ringing.
    refusal: Option<u16>,
    rang_at: Option<Instant>,
}

impl Seizure {
    /// The report of an INVITE that was refused at once.
    pub fn refused(&self, invite: &Message, status: u16, now: Instant) -> CalledReport {
        CalledReport {
            number: self.number.clone(),
            call_id: invite.call_id.clone(),
            from: self.from.clone(),
            role: self.spec.role,
            invites: self.invites,
            invited_at: now,
            rang_at: None,
            answered_at: None,
            final_status: status,
            first_agent_tone_at: None,
            ended_at: now,
            ended_by: EndedBy::Called,
            heard: Vec::new(),
            checked_audio: Duration::ZERO,
            my_tone: self.spec.tone,
            rtp: RtpCounts::default(),
            overlapped: self.engaged,
            retransmits: 0,
            longest_gap_ms: 0,
            stuck: false,
        }
    }

    fn refusal(&self, invite: &Message) -> Option<u16> {
        // Engaged comes first: a person who talks on one line is busy for every other.
        let engaged = self.engaged.then_some(486);
        engaged.or(self.spec.role.refusal()).or_else(|| (!is_speakable(invite)).then_some(488))
    }
}

impl CalledSide {
    pub fn tone(&self) -> u16 {
        self.seizure.spec.tone
    }

    pub fn report(&self, leg: &Leg, stats: MediaStats) -> CalledReport {
        let (ended_at, ended_by) = leg.ended.unwrap_or((leg.started_at, EndedBy::Timeout));
        CalledReport {
            rang_at: self.rang_at,
            answered_at: leg.answered_at,
            first_agent_tone_at: self.first_agent_tone_at,
            ended_at,
            ended_by,
            heard: stats.heard,
            checked_audio: stats.checked,
            rtp: stats.rtp,
            overlapped: self.overlapped,
            retransmits: leg.retransmits,
            longest_gap_ms: stats.longest_gap_ms,
            stuck: leg.stuck,
            ..self.seizure.refused(&self.incoming.invite, leg.final_status, leg.started_at)
        }
    }

    pub fn is_dead(&self) -> bool {
        self.seizure.spec.role == CalledRole::Dead && !self.seizure.engaged
    }

    pub fn once_answered(&self) -> Option<(Duration, LegTimer)> {
        match self.seizure.spec.role {
            CalledRole::Answers { patience, .. } => Some((patience, LegTimer::Patience)),
            CalledRole::AnswersAndLeaves { stays, .. } => Some((stays, LegTimer::HangUp)),
            _ => None,
        }
    }

    /// The Q.850 cause that goes with a refusal.
    pub fn cause_of(&self, status: u16) -> Option<u8> {
        match self.seizure.spec.role {
            CalledRole::Unreachable { cause } if status == 503 => Some(cause),
            _ => None,
        }
    }
}

impl Leg {
    /// Takes a call for one of the carrier's numbers. Fails if there is no port for its audio.
    pub fn seize(
        wire: &mut Wire,
        key: LegKey,
        seizure: Seizure,
        invite: Message,
        source: Source,
        now: Instant,
    ) -> std::io::Result<Leg> {
        let CalledSpec { role, law, tone, post_dial_delay } = seizure.spec;
        let voice = Voice { law, tone, digits: "", digits_after: Duration::ZERO };
        let audio = Audio::open(wire, key, &voice, now)?;
        let contact = format!("<sip:{}@{}>", seizure.number, wire.address(source.socket));
        let dialog = Dialog::incoming(&invite, wire.random.token(), contact);
        let refusal = seizure.refusal(&invite);
        let side = CalledSide {
            overlapped: seizure.engaged,
            first_agent_tone_at: None,
            refusal,
            rang_at: None,
            seizure,
            incoming: Incoming::new(invite, source),
        };
        let is_dead = side.is_dead();
        let stage = if is_dead { Stage::Dead } else { Stage::Ringing };
        let mut leg = Leg::new(key, source.socket, dialog, audio, stage, Role::Called(Box::new(side)), now);
        if is_dead {
            leg.heard_again(now);
            wire.timers.set(now + GIVE_UP, Timer::Leg(key, LegTimer::Unheard));
            return Ok(leg);
        }
        leg.answer_invite(wire, 100, None, now);
        wire.timers.set(now + post_dial_delay, Timer::Leg(key, LegTimer::FirstWord));
        if let Some(after) = role.answers_after().filter(|_| refusal.is_none()) {
            wire.timers.set(now + after, Timer::Leg(key, LegTimer::PickUp));
        }
        Ok(leg)
    }

    /// The network has found the number: it rings, or it does not.
    pub(super) fn say_first_word(&mut self, wire: &mut Wire, now: Instant) {
        let Role::Called(side) = &mut self.role else { return };
        if self.stage != Stage::Ringing {
            return;
        }
        if let Some(status) = side.refusal {
            return self.decline(wire, status, EndedBy::Called, now);
        }
        side.rang_at = Some(now);
        self.answer_invite(wire, 180, None, now);
    }

    pub(super) fn called_hears_agent(&mut self, wire: &mut Wire, at: Instant) {
        let Role::Called(side) = &mut self.role else { return };
        if side.first_agent_tone_at.is_some() {
            return;
        }
        side.first_agent_tone_at = Some(at);
        if let CalledRole::Answers { talk, .. } = side.seizure.spec.role {
            wire.timers.set(at + talk, Timer::Leg(self.key, LegTimer::Talk));
        }
    }

    /// An INVITE that is never answered came, or came again: until now somebody still waits for it.
    pub fn heard_again(&mut self, now: Instant) {
        if self.stage == Stage::Dead {
            self.ended = Some((now, EndedBy::Called));
        }
    }

    /// Whoever dialled a dead number must have given it up by now.
    pub(super) fn wait_for_silence(&mut self, wire: &mut Wire, now: Instant) {
        let quiet_at = self.ended.map_or(now, |(last, _)| last + GIVE_UP);
        if now < quiet_at {
            wire.timers.set(quiet_at, Timer::Leg(self.key, LegTimer::Unheard));
        } else {
            self.bury_dead();
        }
    }

    pub fn bury_dead(&mut self) {
        if self.stage == Stage::Dead {
            self.stage = Stage::Over;
        }
    }
}
