//! One call as one phone sees it: a dialog, a port with audio, and what the books will say about it.

mod agent;
mod called;
mod caller;
mod in_dialog;
mod incoming;

use std::net::SocketAddr;
use std::time::Instant;

pub(crate) use agent::{AgentSide, refusal, refuses};
pub(crate) use called::{CalledSide, Seizure};
pub(crate) use caller::CallerSide;
pub(crate) use in_dialog::refusal_of as in_dialog_refusal;

use crate::law::Law;
use crate::media::{MediaLegSpec, MediaPlan, MediaStats};
use crate::report::{EndedBy, Report};
use crate::sip::client::{Owner, Packet, Purpose};
use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::sdp::{Direction, EVENT_PAYLOAD_TYPE, Sdp, SdpText};
use crate::sip::wire::Wire;

pub(crate) type LegKey = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegTimer {
    /// The caller or the called party has waited long enough for an agent.
    Patience,
    /// It has talked long enough.
    Talk,
    /// The caller puts the call on hold, and takes it back.
    Hold,
    Resume,
    /// A CANCEL was answered by silence.
    CancelOverdue,
    /// The called side says its first word, 180 or a refusal.
    FirstWord,
    /// The agent or the called party lifts the receiver.
    PickUp,
    /// It hangs up, whoever is there.
    HangUp,
    /// The INVITE to a dead number has surely been given up.
    Unheard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The caller's INVITE has no final answer.
    Calling,
    /// The phone of the agent or the called party rings, or is about to.
    Ringing,
    /// This side's 200 waits for its ACK.
    Answered,
    Talking,
    /// A BYE waits for its answer.
    HangingUp,
    /// The carrier's refusal waits for its ACK.
    Refused,
    /// An INVITE that is never answered.
    Dead,
    Over,
}

pub(crate) enum Role {
    Caller(Box<CallerSide>),
    Agent(Box<AgentSide>),
    Called(Box<CalledSide>),
}

impl Role {
    /// Who ends a call that this side ends.
    pub fn ends(&self) -> EndedBy {
        match self {
            Role::Caller(_) => EndedBy::Caller,
            Role::Agent(_) => EndedBy::Agent,
            Role::Called(_) => EndedBy::Called,
        }
    }
}

pub(crate) struct Leg {
    pub key: LegKey,
    pub dialog: Dialog,
    pub stage: Stage,
    pub role: Role,
    /// Its port was given back; the figures are on their way.
    pub closing: bool,
    pub retransmits: u32,
    pub stuck: bool,
    /// Of the voices that may sound together, those that it hears now.
    pub hears: Vec<u16>,
    socket: usize,
    audio: Audio,
    started_at: Instant,
    answered_at: Option<Instant>,
    ended: Option<(Instant, EndedBy)>,
    final_status: u16,
    /// The last ACK of a 2xx, for its repetitions.
    ack: Option<(u32, Packet)>,
    /// A 2xx of this side carried an offer; the ACK has to carry the answer.
    awaits_sdp_in_ack: bool,
    /// A re-INVITE of this side is open, and asked for this direction.
    reinvite: Option<Direction>,
}

/// The leg's side of the session description.
struct Audio {
    slot: usize,
    address: SocketAddr,
    preferred: Law,
    law: Law,
    event_payload_type: Option<u8>,
    direction: Direction,
    number: u64,
    version: u32,
}

/// What a phone is like in every call, and so the same for whoever has it.
struct Voice<'a> {
    law: Law,
    tone: u16,
    digits: &'a str,
    digits_after: std::time::Duration,
}

impl Audio {
    fn open(wire: &mut Wire, key: LegKey, voice: &Voice<'_>, now: Instant) -> std::io::Result<Audio> {
        let plan = MediaPlan { remote: None, law: voice.law, event_payload_type: None, sends: false, receives: false };
        let spec = MediaLegSpec {
            key,
            tone: voice.tone,
            digits: voice.digits.to_owned(),
            digits_after: voice.digits_after,
            ssrc: wire.random.next() as u32,
            plan,
        };
        let (slot, address) = wire.media.open(spec, now)?;
        Ok(Audio {
            slot,
            address,
            preferred: voice.law,
            law: voice.law,
            event_payload_type: None,
            direction: Direction::SendRecv,
            // Fits into 63 bits: some parsers read it as a signed number.
            number: wire.random.next() >> 1,
            version: 0,
        })
    }

    fn offer(&mut self, direction: Direction) -> String {
        self.print(&[self.preferred, self.preferred.other()], Some(EVENT_PAYLOAD_TYPE), direction)
    }

    /// Answers an offer that [`Self::hear`] has agreed to.
    fn answer(&mut self, offer: &Sdp) -> String {
        self.print(&[self.law], self.event_payload_type, self.direction.meets(offer.direction))
    }

    /// Takes in the other side's offer or answer. False: there is no law in common.
    fn hear(&mut self, wire: &Wire, sdp: &Sdp) -> bool {
        let Some(law) = sdp.agree(self.preferred) else { return false };
        self.law = law;
        self.event_payload_type = sdp.event_payload_type;
        let both = self.direction.meets(sdp.direction);
        wire.media.plan(
            self.slot,
            MediaPlan {
                remote: Some(sdp.remote),
                law,
                event_payload_type: self.event_payload_type,
                sends: both.sends(),
                receives: both.receives(),
            },
        );
        true
    }

    fn print(&mut self, laws: &[Law], event_payload_type: Option<u8>, direction: Direction) -> String {
        self.version += 1;
        let (address, number, version) = (self.address, self.number, self.version);
        SdpText { address, number, version, laws, event_payload_type, direction }.print()
    }
}

impl Leg {
    fn new(key: LegKey, socket: usize, dialog: Dialog, audio: Audio, stage: Stage, role: Role, now: Instant) -> Self {
        Self {
            key,
            dialog,
            stage,
            role,
            closing: false,
            retransmits: 0,
            stuck: false,
            hears: Vec::new(),
            socket,
            audio,
            started_at: now,
            answered_at: None,
            ended: None,
            final_status: 0,
            ack: None,
            awaits_sdp_in_ack: false,
            reinvite: None,
        }
    }

    pub fn is_dead(&self) -> bool {
        matches!(&self.role, Role::Called(side) if side.is_dead())
    }

    pub fn slot(&self) -> usize {
        self.audio.slot
    }

    /// What it plays.
    pub fn tone(&self) -> u16 {
        match &self.role {
            Role::Caller(side) => side.tone(),
            Role::Agent(side) => side.tone(),
            Role::Called(side) => side.tone(),
        }
    }

    /// An answer to one of this leg's requests.
    pub fn on_answer(&mut self, wire: &mut Wire, purpose: Purpose, answer: &Message, now: Instant) {
        let status = answer.status().unwrap_or_default();
        match purpose {
            Purpose::Invite => self.on_invite_answer(wire, answer, status, now),
            Purpose::Reinvite => self.on_reinvite_answer(wire, answer, status, now),
            Purpose::Bye if status >= 200 => self.stage = Stage::Over,
            Purpose::Bye | Purpose::Cancel => {}
        }
    }

    /// One of this leg's requests was given up.
    pub fn on_unanswered(&mut self, wire: &mut Wire, purpose: Purpose, now: Instant) {
        match purpose {
            Purpose::Cancel => {}
            Purpose::Reinvite => self.hang_up(wire, EndedBy::Timeout, now),
            Purpose::Bye => {
                self.overdue(now);
                self.stage = Stage::Over;
            }
            Purpose::Invite => {
                self.overdue(now);
                self.final_status = 408;
                self.stage = Stage::Over;
            }
        }
    }

    /// The ear is certain that an agent speaks.
    pub fn on_agent_tone(&mut self, wire: &mut Wire, at: Instant) {
        match self.role {
            Role::Caller(_) => self.caller_hears_agent(wire, at),
            Role::Called(_) => self.called_hears_agent(wire, at),
            Role::Agent(_) => {}
        }
    }

    pub fn first_agent_tone_at(&self) -> Option<Instant> {
        match &self.role {
            Role::Caller(side) => side.first_agent_tone_at,
            Role::Called(side) => side.first_agent_tone_at,
            Role::Agent(_) => None,
        }
    }

    /// A final answer of this side was never acknowledged (RFC 3261 section 13.3.1.4: then end the call).
    pub fn on_unacknowledged(&mut self, wire: &mut Wire, now: Instant) {
        if self.stage == Stage::Refused {
            self.overdue(now);
            self.stage = Stage::Over;
        }
        if matches!(self.stage, Stage::Answered | Stage::Talking) {
            self.stage = Stage::Talking;
            self.hang_up(wire, EndedBy::Timeout, now);
        }
    }

    pub fn on_timer(&mut self, wire: &mut Wire, timer: LegTimer, now: Instant) {
        match timer {
            LegTimer::FirstWord => self.say_first_word(wire, now),
            LegTimer::PickUp => self.pick_up(wire, now),
            LegTimer::HangUp => self.hang_up(wire, self.role.ends(), now),
            LegTimer::Patience => self.lose_patience(wire, now),
            LegTimer::Talk if self.stage == Stage::Talking => self.hang_up(wire, self.role.ends(), now),
            LegTimer::Hold => self.reoffer(wire, Direction::SendOnly, now),
            LegTimer::Resume => self.reoffer(wire, Direction::SendRecv, now),
            LegTimer::CancelOverdue => self.give_up_cancel(wire, now),
            LegTimer::Unheard => self.wait_for_silence(wire, now),
            LegTimer::Talk => {}
        }
    }

    /// Ends the call the way its stage allows.
    pub fn hang_up(&mut self, wire: &mut Wire, by: EndedBy, now: Instant) {
        match self.stage {
            Stage::Calling => self.cancel(wire, by, now),
            Stage::Ringing => self.decline(wire, 480, by, now),
            Stage::Answered => self.hang_up_after_ack(by),
            Stage::Talking => self.bye(wire, by, now),
            Stage::HangingUp | Stage::Refused | Stage::Dead | Stage::Over => {}
        }
    }

    /// Closes the books with no word on the wire.
    pub fn abort(&mut self, now: Instant) {
        if self.stage == Stage::Dead {
            return;
        }
        self.end(now, EndedBy::Timeout);
        self.stage = Stage::Over;
    }

    /// The 2xx came again, so the ACK was lost.
    pub fn acknowledge_again(&mut self, wire: &Wire, answer: &Message) {
        if let Some((_, ack)) = self.ack.as_ref().filter(|(cseq, _)| *cseq == answer.cseq) {
            self.retransmits += 1;
            wire.send(ack);
        }
    }

    pub fn report(&mut self, stats: MediaStats) -> Report {
        match &self.role {
            Role::Caller(side) => Report::Caller(side.report(self, stats)),
            Role::Agent(side) => Report::Agent(side.report(self, stats)),
            Role::Called(side) => Report::Called(side.report(self, stats)),
        }
    }

    fn bye(&mut self, wire: &mut Wire, by: EndedBy, now: Instant) {
        self.end(now, by);
        self.stage = Stage::HangingUp;
        let draft = self.dialog.request("BYE");
        let destination = self.dialog.next_hop(wire.server);
        wire.request(draft, self.socket, destination, Owner::Leg(self.key, Purpose::Bye), now);
    }

    fn acknowledge(&mut self, wire: &mut Wire, cseq: u32) {
        let packet = wire.ack(&self.dialog.ack(cseq), self.socket, self.dialog.next_hop(wire.server));
        self.ack = Some((cseq, packet));
    }

    /// The first end counts.
    fn end(&mut self, now: Instant, by: EndedBy) {
        self.ended.get_or_insert((now, by));
    }

    /// The far end fell silent; when this side ended it stands.
    fn overdue(&mut self, now: Instant) {
        let at = self.ended.map_or(now, |(at, _)| at);
        self.ended = Some((at, EndedBy::Timeout));
    }
}
