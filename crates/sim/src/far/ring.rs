//! One INVITE at a phone and what becomes of it: correct SIP of the called side, whatever its owner wants.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{LegKey, Mono, Transport};

use super::hold::{Habits, Session, Voice, Word};
use super::text::{Request, Sip};
use super::{Due, FarOut, Repeat};

/// Without a word from the cluster a phone with a line stops by itself.
const RINGS_AT_MOST: Duration = Duration::from_secs(45);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RingState {
    /// Nobody is there: not a word, whatever comes.
    Mute,
    Ringing,
    /// A refusal is out, its ACK is not in.
    Refused,
    /// A 200 is out, its ACK is not in.
    Answered,
    Talking,
    Leaving,
    Rest,
}

/// What a phone's owner will do about one INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Manner {
    pub does: Reaction,
    /// How long it rings before that.
    pub after: Duration,
    /// From the ACK to hanging up.
    pub talks: Duration,
    /// What it does about its media meanwhile.
    pub habits: Habits,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reaction {
    Answer,
    Refuse(u16),
    /// Refused without ringing.
    RefuseAtOnce(u16),
    RingOn,
    Mute,
}

pub(crate) struct Ring {
    /// The leg, as the Call-ID names it.
    pub key: Option<LegKey>,
    pub state: RingState,
    pub invite: Sip,
    addr: SocketAddr,
    way: Transport,
    manner: Manner,
    tag: String,
    last: Vec<u8>,
    act_at: Option<Mono>,
    cseq: u32,
    remote_cseq: u32,
    repeat: Option<Repeat>,
    session: Session,
}

impl Ring {
    /// `at`: where the phone is, and how it speaks.
    pub fn new(
        invite: &Sip,
        at: (SocketAddr, Transport),
        tag: String,
        manner: Manner,
        now: Mono,
        out: &mut Vec<FarOut>,
    ) -> Self {
        let (addr, way) = at;
        let mut ring = Self {
            key: invite.key(),
            state: RingState::Ringing,
            invite: invite.clone(),
            addr,
            way,
            manner,
            last: invite.answer(180, &tag, Some(&contact(addr, way)), ""),
            tag,
            act_at: None,
            cseq: 0,
            remote_cseq: invite.cseq(),
            repeat: None,
            session: Session::new(manner.habits),
        };
        match manner.does {
            Reaction::Mute => ring.state = RingState::Mute,
            Reaction::RefuseAtOnce(status) => ring.refuse(status, now, out),
            Reaction::RingOn => {
                out.push(FarOut::Send(ring.last.clone()));
                // A CANCEL may be lost with its line.
                ring.act_at = way.is_reliable().then(|| now + RINGS_AT_MOST);
            }
            Reaction::Answer | Reaction::Refuse(_) => {
                out.push(FarOut::Send(ring.last.clone()));
                ring.act_at = Some(now + manner.after);
            }
        }
        ring
    }

    /// What is said once more when the line is gone.
    pub fn begins_again(&self) -> impl Iterator<Item = FarOut> {
        self.repeat.as_ref().and_then(Repeat::once_more).into_iter().chain(self.session.once_more())
    }

    /// What it is to who listens, or was when it left.
    pub fn voice(&self) -> Voice {
        self.session.voice()
    }

    pub fn is_live(&self) -> bool {
        matches!(self.state, RingState::Ringing | RingState::Answered | RingState::Talking)
    }

    /// Nothing more will come of it by itself.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, RingState::Rest | RingState::Mute)
    }

    pub fn deadline(&self) -> Option<Mono> {
        let repeat = self.repeat.as_ref().map(Repeat::deadline);
        [self.act_at, repeat, self.session.deadline()].into_iter().flatten().min()
    }

    pub fn tick(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        match self.repeat.as_mut().map_or(Due::Nothing, |repeat| repeat.due(now)) {
            Due::Nothing => {}
            Due::Again(bytes) => out.push(FarOut::Send(bytes)),
            // Nobody acknowledged the answer: what stands is ended as a dialog (RFC 3261 section 13.3.1.4).
            Due::Over if self.state == RingState::Answered => self.hang_up(now, out),
            Due::Over => self.rest(),
        }
        if self.session.vanishes(now) {
            self.rest();
            self.state = RingState::Mute;
            return out.push(FarOut::Vanish(self.key));
        }
        self.minds_media(now, out);
        if self.act_at.take_if(|at| *at <= now).is_some() {
            self.act(now, out);
        }
    }

    /// Holds, talks again, or says so once more.
    fn minds_media(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        match self.session.repeats(now) {
            Due::Nothing => {}
            Due::Again(bytes) => out.push(FarOut::Send(bytes)),
            Due::Over => self.hang_up(now, out),
        }
        if let Some(offer) = self.session.offers(self.addr, now) {
            self.cseq += 1;
            let method = self.session.method();
            let bytes = self.request(method, method, self.cseq, &offer);
            out.push(FarOut::Send(bytes.clone()));
            self.session.asked(self.cseq, bytes, self.way, now);
        }
    }

    /// What the other side says to an offer of its own.
    fn on_agreed(&mut self, message: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        let cseq = message.cseq();
        let word = self.session.answered(message, false, now);
        let of = match word {
            Word::Nothing => None,
            Word::Acknowledge => Some("ACK"),
            Word::AcknowledgeRefusal | Word::HangUp => Some("INVITE").filter(|method| *method == message.method()),
        };
        out.extend(of.map(|of| FarOut::Send(self.request("ACK", of, cseq, ""))));
        if word == Word::HangUp {
            self.hang_up(now, out);
        }
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        if self.state == RingState::Mute {
            return;
        }
        match (message.status(), message.method()) {
            (0, "INVITE") if message.branch() == self.invite.branch() => out.push(FarOut::Send(self.last.clone())),
            (0, "INVITE") if self.takes(message) => self.move_media(message, now, out),
            // Another copy of what it has (RFC 3261 section 8.2.2.2).
            (0, "INVITE") => out.push(FarOut::Send(message.answer(482, "none", None, ""))),
            (0, "ACK") => self.acked(now),
            (0, "CANCEL") => self.cancelled(message, now, out),
            (0, _) => self.in_dialog(message, out),
            (200.., "BYE") if self.state == RingState::Leaving => self.rest(),
            (100.., "INVITE" | "UPDATE") if self.state != RingState::Rest => self.on_agreed(message, now, out),
            _ => {}
        }
    }

    /// What its owner wanted to do with it: answer, refuse, or hang up.
    fn act(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        match (self.state, self.manner.does) {
            (RingState::Ringing, Reaction::Refuse(status)) => self.refuse(status, now, out),
            (RingState::Ringing, Reaction::RingOn) => self.refuse(480, now, out),
            (RingState::Ringing, _) => {
                self.state = RingState::Answered;
                let sdp = self.session.sdp(self.addr);
                self.last = self.invite.answer(200, &self.tag, Some(&contact(self.addr, self.way)), &sdp);
                out.push(FarOut::Send(self.last.clone()));
                self.repeat = Some(Repeat::of_other(self.last.clone(), now));
            }
            (RingState::Talking, _) => self.hang_up(now, out),
            _ => {}
        }
    }

    fn refuse(&mut self, status: u16, now: Mono, out: &mut Vec<FarOut>) {
        self.state = RingState::Refused;
        self.act_at = None;
        self.last = self.invite.answer(status, &self.tag, None, "");
        out.push(FarOut::Send(self.last.clone()));
        self.repeat = Some(Repeat::of_other(self.last.clone(), now).by(self.way));
    }

    fn acked(&mut self, now: Mono) {
        match self.state {
            RingState::Refused => self.rest(),
            RingState::Answered => {
                self.state = RingState::Talking;
                self.repeat = None;
                self.act_at = Some(now + self.manner.talks);
                self.session.begin(now);
            }
            _ => {}
        }
    }

    fn cancelled(&mut self, message: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        let matched = message.branch() == self.invite.branch();
        out.push(FarOut::Send(message.answer(if matched { 200 } else { 481 }, &self.tag, None, "")));
        if matched && self.state == RingState::Ringing {
            self.refuse(487, now, out);
        }
    }

    /// Whether a request of its dialog is of its time, and the dialog stands.
    fn takes(&self, message: &Sip) -> bool {
        let is_ours = message.tag_of_to() == self.tag && message.tag_of_from() == self.invite.tag_of_from();
        let is_up = matches!(self.state, RingState::Answered | RingState::Talking | RingState::Leaving);
        is_ours && is_up && message.cseq() >= self.remote_cseq
    }

    /// Its media goes elsewhere from now on (RFC 3261 section 14.2). The INVITE is repeated until it is answered.
    fn move_media(&mut self, invite: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        self.remote_cseq = invite.cseq();
        if self.session.meets(invite, now) {
            return out.push(FarOut::Send(invite.answer(491, &self.tag, None, "")));
        }
        let sdp = self.session.sdp(self.addr);
        out.push(FarOut::Send(invite.answer(200, &self.tag, Some(&contact(self.addr, self.way)), &sdp)));
    }

    fn in_dialog(&mut self, message: &Sip, out: &mut Vec<FarOut>) {
        let ours = message.tag_of_to() == self.tag && message.tag_of_from() == self.invite.tag_of_from();
        let alive = matches!(self.state, RingState::Answered | RingState::Talking | RingState::Leaving);
        let status = match message.method() {
            _ if !ours => 481,
            _ if message.cseq() < self.remote_cseq => 500,
            "BYE" if alive || self.state == RingState::Rest => {
                self.rest();
                200
            }
            "OPTIONS" if alive => 200,
            _ if !alive => 481,
            _ => 488,
        };
        if ours {
            self.remote_cseq = self.remote_cseq.max(message.cseq());
        }
        out.push(FarOut::Send(message.answer(status, &self.tag, None, "")));
    }

    fn hang_up(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        self.state = RingState::Leaving;
        self.act_at = None;
        self.session.end();
        self.cseq += 1;
        let bytes = self.request("BYE", "BYE", self.cseq, "");
        out.push(FarOut::Send(bytes.clone()));
        self.repeat = Some(Repeat::of_other(bytes, now).by(self.way));
    }

    /// `of`: whose branch it has; the ACK of a refusal has that of its INVITE.
    fn request(&self, method: &str, of: &str, cseq: u32, body: &str) -> Vec<u8> {
        let contact = contact(self.addr, self.way);
        Request {
            method,
            uri: self.invite.contact(),
            addr: self.addr,
            way: self.way,
            branch: &format!("{}.{cseq}.{of}", self.tag),
            from: &format!("{};tag={}", self.invite.header("To"), self.tag),
            to: self.invite.header("From"),
            call_id: self.invite.call_id(),
            cseq,
            contact: matches!(method, "INVITE" | "UPDATE").then_some(&contact),
            parameters: "",
            body,
        }
        .bytes()
    }

    fn rest(&mut self) {
        self.state = RingState::Rest;
        self.session.end();
        self.repeat = None;
        self.act_at = None;
    }
}

fn contact(addr: SocketAddr, way: Transport) -> String {
    format!("sip:phone@{addr}{}", way.uri_parameter())
}
