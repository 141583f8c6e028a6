//! A phone that is called: all INVITEs it has, each with what became of it.

use std::net::SocketAddr;

use strowger_model::{Mono, Transport};

use super::FarOut;
use super::ring::{Manner, Reaction, Ring};
use super::text::Sip;

/// Dialogs over and done with that a phone remembers for repeats.
const REMEMBERED: usize = 64;

pub(crate) struct Phone {
    pub addr: SocketAddr,
    pub way: Transport,
    /// Of its own tags.
    name: String,
    rings: Vec<Ring>,
    count: u32,
}

impl Phone {
    pub fn new(name: String, addr: SocketAddr, way: Transport) -> Self {
        Self { addr, way, name, rings: Vec::new(), count: 0 }
    }

    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// Without power: it knows of nothing any more.
    pub fn forget(&mut self) {
        self.rings.clear();
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.rings.iter().filter_map(Ring::deadline).min()
    }

    pub fn tick(&mut self, now: Mono) -> Vec<FarOut> {
        let mut out = Vec::new();
        self.rings.iter_mut().for_each(|ring| ring.tick(now, &mut out));
        out
    }

    /// Its line is gone.
    pub fn begins_again(&self) -> Vec<FarOut> {
        self.rings.iter().flat_map(Ring::begins_again).collect()
    }

    /// True if the INVITE in it is one this phone has not seen.
    pub fn is_new(&self, message: &Sip) -> bool {
        message.is_first_invite() && !self.rings.iter().any(|ring| ring.invite.call_id() == message.call_id())
    }

    /// `manner`: what its owner does about an INVITE that is new.
    pub fn on_message(&mut self, message: &Sip, now: Mono, manner: Manner) -> Vec<FarOut> {
        let mut out = Vec::new();
        if self.is_new(message) {
            self.ring(message, now, manner, &mut out);
        } else if let Some(ring) = self.rings.iter_mut().find(|ring| ring.invite.call_id() == message.call_id()) {
            ring.on_message(message, now, &mut out);
        } else if message.status() == 0 && message.method() != "ACK" && manner.does != Reaction::Mute {
            out.push(FarOut::Send(message.answer(481, "none", None, "")));
        }
        out
    }

    fn ring(&mut self, invite: &Sip, now: Mono, manner: Manner, out: &mut Vec<FarOut>) {
        self.count += 1;
        let busy = self.rings.iter().any(Ring::is_live);
        if self.rings.len() >= REMEMBERED
            && let Some(at) = self.rings.iter().position(Ring::is_at_rest)
        {
            self.rings.remove(at);
        }
        let does = if busy { Reaction::RefuseAtOnce(486) } else { manner.does };
        let tag = format!("{}-{}", self.name, self.count);
        self.rings.push(Ring::new(invite, (self.addr, self.way), tag, Manner { does, ..manner }, now, out));
    }
}
