//! An agent's phone: rings, is answered, refused or ignored, and hangs up after a while.

use std::net::SocketAddr;

use strowger_model::{LegKey, Mono};

use super::text::{Request, Sip, sdp};
use super::{Due, FarOut, Repeat};
use crate::rng::Rng;
use crate::tenant::phone_addr;

/// Dialogs over and done with that a phone remembers for repeats.
const REMEMBERED: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RingState {
    Ringing,
    /// A refusal is out, its ACK is not in.
    Refused,
    /// A 200 is out, its ACK is not in.
    Answered,
    Talking,
    Leaving,
    Rest,
}

/// One INVITE and what became of it.
pub(crate) struct Ring {
    /// The leg, as the Call-ID names it.
    pub key: Option<LegKey>,
    pub state: RingState,
    invite: Sip,
    tag: String,
    last: Vec<u8>,
    act_at: Option<Mono>,
    answers: bool,
    cseq: u32,
    remote_cseq: u32,
    repeat: Option<Repeat>,
}

pub(crate) struct AgentPhone {
    pub id: usize,
    pub addr: SocketAddr,
    rings: Vec<Ring>,
    count: u32,
}

impl Ring {
    pub fn is_live(&self) -> bool {
        matches!(self.state, RingState::Ringing | RingState::Answered | RingState::Talking)
    }

    fn rest(&mut self) {
        self.state = RingState::Rest;
        self.repeat = None;
        self.act_at = None;
    }
}

impl AgentPhone {
    pub fn new(id: usize) -> Self {
        Self { id, addr: phone_addr(id), rings: Vec::new(), count: 0 }
    }

    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    pub fn deadline(&self) -> Option<Mono> {
        let times = |ring: &Ring| ring.act_at.into_iter().chain(ring.repeat.as_ref().map(Repeat::deadline)).min();
        self.rings.iter().filter_map(times).min()
    }

    pub fn tick(&mut self, now: Mono) -> Vec<FarOut> {
        let mut out = Vec::new();
        for ring in &mut self.rings {
            match ring.repeat.as_mut().map_or(Due::Nothing, |repeat| repeat.due(now)) {
                Due::Nothing => {}
                Due::Again(bytes) => out.push(FarOut::Send(bytes)),
                // Nobody acknowledged the answer: what stands is ended as a dialog (RFC 3261 section 13.3.1.4).
                Due::Over if ring.state == RingState::Answered => hang_up(ring, self.addr, now, &mut out),
                Due::Over => ring.rest(),
            }
            if ring.act_at.take_if(|at| *at <= now).is_some() {
                act(ring, self.addr, now, &mut out);
            }
        }
        out
    }

    /// True if the INVITE in it is one this phone has not seen.
    pub fn is_new(&self, message: &Sip) -> bool {
        message.status() == 0
            && message.method() == "INVITE"
            && message.tag_of_to().is_empty()
            && !self.rings.iter().any(|ring| ring.invite.call_id() == message.call_id())
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono, rng: &mut Rng) -> Vec<FarOut> {
        if self.is_new(message) {
            return self.ring(message, now, rng);
        }
        let Some(ring) = self.rings.iter_mut().find(|ring| ring.invite.call_id() == message.call_id()) else {
            let answered = message.status() == 0 && message.method() != "ACK";
            return if answered { vec![FarOut::Send(message.answer(481, "none", None, ""))] } else { Vec::new() };
        };
        let mut out = Vec::new();
        match (message.status(), message.method()) {
            (0, "INVITE") if message.branch() == ring.invite.branch() => out.push(FarOut::Send(ring.last.clone())),
            // Another copy of what it has (RFC 3261 section 8.2.2.2).
            (0, "INVITE") => out.push(FarOut::Send(message.answer(482, "none", None, ""))),
            (0, "ACK") => acked(ring, now, rng),
            (0, "CANCEL") => cancelled(ring, message, now, &mut out),
            (0, _) => in_dialog(ring, message, &mut out),
            (200.., "BYE") if ring.state == RingState::Leaving => ring.rest(),
            _ => {}
        }
        out
    }

    fn ring(&mut self, invite: &Sip, now: Mono, rng: &mut Rng) -> Vec<FarOut> {
        self.count += 1;
        let busy = self.rings.iter().any(Ring::is_live);
        if self.rings.len() >= REMEMBERED
            && let Some(at) = self.rings.iter().position(|ring| ring.state == RingState::Rest)
        {
            self.rings.remove(at);
        }
        let tag = format!("a{}-{}", self.id, self.count);
        let mut ring = Ring {
            key: invite.key(),
            state: RingState::Ringing,
            invite: invite.clone(),
            last: invite.answer(180, &tag, Some(&contact(self.addr)), ""),
            tag,
            act_at: None,
            answers: false,
            cseq: 0,
            remote_cseq: invite.cseq(),
            repeat: None,
        };
        let mut out = Vec::new();
        if busy {
            refuse(&mut ring, 486, now, &mut out);
        } else {
            out.push(FarOut::Send(ring.last.clone()));
            let habit = rng.below(100);
            ring.answers = habit < 75;
            // The rest neither answers nor refuses.
            ring.act_at = (habit < 87).then(|| now + rng.millis(50, 3500));
        }
        self.rings.push(ring);
        out
    }
}

/// What its owner wanted to do with it: answer, refuse, or hang up.
fn act(ring: &mut Ring, addr: SocketAddr, now: Mono, out: &mut Vec<FarOut>) {
    match ring.state {
        RingState::Ringing if ring.answers => {
            ring.state = RingState::Answered;
            ring.last = ring.invite.answer(200, &ring.tag, Some(&contact(addr)), &sdp(addr));
            out.push(FarOut::Send(ring.last.clone()));
            ring.repeat = Some(Repeat::of_other(ring.last.clone(), now));
        }
        RingState::Ringing => refuse(ring, 486, now, out),
        RingState::Talking => hang_up(ring, addr, now, out),
        _ => {}
    }
}

fn refuse(ring: &mut Ring, status: u16, now: Mono, out: &mut Vec<FarOut>) {
    ring.state = RingState::Refused;
    ring.act_at = None;
    ring.last = ring.invite.answer(status, &ring.tag, None, "");
    out.push(FarOut::Send(ring.last.clone()));
    ring.repeat = Some(Repeat::of_other(ring.last.clone(), now));
}

fn acked(ring: &mut Ring, now: Mono, rng: &mut Rng) {
    match ring.state {
        RingState::Refused => ring.rest(),
        RingState::Answered => {
            ring.state = RingState::Talking;
            ring.repeat = None;
            ring.act_at = Some(now + rng.millis(300, 15_000));
        }
        _ => {}
    }
}

fn cancelled(ring: &mut Ring, message: &Sip, now: Mono, out: &mut Vec<FarOut>) {
    let matched = message.branch() == ring.invite.branch();
    out.push(FarOut::Send(message.answer(if matched { 200 } else { 481 }, &ring.tag, None, "")));
    if matched && ring.state == RingState::Ringing {
        refuse(ring, 487, now, out);
    }
}

fn in_dialog(ring: &mut Ring, message: &Sip, out: &mut Vec<FarOut>) {
    let ours = message.tag_of_to() == ring.tag && message.tag_of_from() == ring.invite.tag_of_from();
    let alive = matches!(ring.state, RingState::Answered | RingState::Talking | RingState::Leaving);
    let status = match message.method() {
        _ if !ours => 481,
        _ if message.cseq() < ring.remote_cseq => 500,
        "BYE" if alive || ring.state == RingState::Rest => {
            ring.rest();
            200
        }
        "OPTIONS" if alive => 200,
        _ if !alive => 481,
        _ => 488,
    };
    if ours {
        ring.remote_cseq = ring.remote_cseq.max(message.cseq());
    }
    out.push(FarOut::Send(message.answer(status, &ring.tag, None, "")));
}

fn hang_up(ring: &mut Ring, addr: SocketAddr, now: Mono, out: &mut Vec<FarOut>) {
    ring.state = RingState::Leaving;
    ring.act_at = None;
    ring.cseq += 1;
    let bytes = Request {
        method: "BYE",
        uri: ring.invite.contact(),
        addr,
        branch: &format!("{}.{}", ring.tag, ring.cseq),
        from: &format!("{};tag={}", ring.invite.header("To"), ring.tag),
        to: ring.invite.header("From"),
        call_id: ring.invite.call_id(),
        cseq: ring.cseq,
        contact: None,
        body: "",
    }
    .bytes();
    out.push(FarOut::Send(bytes.clone()));
    ring.repeat = Some(Repeat::of_other(bytes, now));
}

fn contact(addr: SocketAddr) -> String {
    format!("sip:phone@{addr}")
}
