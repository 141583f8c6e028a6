//! A phone that registers: comes, stays, moves to another network, goes, loses its power. Its digest is left out: who may
//! register is the edge's to judge.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{Mono, Transport};

use super::text::{Request, Sip};
use super::{Due, Repeat};
use crate::rng::Rng;
use crate::tenant::phone_addr;

/// What a phone asks to be bound for, in seconds: far shorter than a registrar takes from outside, so that much happens.
const LASTS_S: [u64; 3] = [20, 40, 60];
/// Requests that the promise looks at: older ones bind nothing any more.
const REMEMBERED: usize = 32;

/// A phone whose line is gone comes again by another after this.
const AGAIN: Duration = Duration::from_millis(100);

/// A REGISTER that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub addr: SocketAddr,
    /// Zero for one that takes the phone off.
    pub lasts: Duration,
    pub first: Mono,
    /// When it was sent last.
    pub last: Mono,
    /// When it was answered with 200.
    pub answered: Option<Mono>,
}

pub(crate) struct Registering {
    agent: usize,
    way: Transport,
    lasts: Duration,
    /// Counts restarts: each begins a new Call-ID.
    power: u32,
    cseq: u32,
    network: u8,
    /// When it does something about its registration next.
    next: Mono,
    repeat: Option<Repeat>,
    /// Without power until then.
    dark: Option<Mono>,
    told: Vec<Told>,
}

/// What a phone does about its registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    Stay,
    Move,
    Go,
    LosePower,
}

impl Registering {
    pub fn draw(rng: &mut Rng, agent: usize, way: Transport) -> Self {
        Self {
            agent,
            way,
            lasts: Duration::from_secs(rng.pick(&LASTS_S).unwrap_or(LASTS_S[0])),
            power: 0,
            cseq: 0,
            network: 0,
            next: Mono::ZERO + rng.millis(500, 4000),
            repeat: None,
            dark: None,
            told: Vec::new(),
        }
    }

    pub fn told(&self) -> &[Told] {
        &self.told
    }

    pub fn way(&self) -> Transport {
        self.way
    }

    pub fn lost_its_line(&mut self, now: Mono) {
        self.next = self.next.min(now + AGAIN);
    }

    pub fn is_dark(&self) -> bool {
        self.dark.is_some()
    }

    pub fn deadline(&self) -> Mono {
        if let Some(until) = self.dark {
            return until;
        }
        let repeat = self.repeat.as_ref().map(Repeat::deadline);
        repeat.map_or(self.next, |repeat| repeat.min(self.next))
    }

    /// What it does now, if it is time; `busy`: somebody uses it.
    pub fn due(&mut self, now: Mono, busy: bool, calm: bool, rng: &mut Rng) -> Option<Habit> {
        if self.dark.take_if(|until| *until <= now).is_some() {
            (self.power, self.cseq, self.next) = (self.power + 1, 0, now);
        }
        if self.dark.is_some() || now < self.next {
            return None;
        }
        let habit = match rng.below(100) {
            _ if calm || self.told.is_empty() => Habit::Stay,
            0..60 => Habit::Stay,
            60..78 if !busy => Habit::Move,
            78..88 if !busy => Habit::Go,
            88.. => Habit::LosePower,
            _ => Habit::Stay,
        };
        Some(habit)
    }

    /// The address that it has from now on.
    pub fn moves(&mut self) -> SocketAddr {
        self.network = self.network.wrapping_add(1);
        phone_addr(self.agent, self.network)
    }

    pub fn loses_power(&mut self, now: Mono, rng: &mut Rng) {
        self.repeat = None;
        self.dark = Some(now + rng.millis(2000, 40_000));
    }

    /// Says where it is for as long as it asks, or (`off`) that it is not any more.
    pub fn registers(&mut self, addr: SocketAddr, off: bool, now: Mono, rng: &mut Rng) -> Vec<u8> {
        self.cseq += 1;
        let lasts = if off { Duration::ZERO } else { self.lasts };
        self.told.push(Told { addr, lasts, first: now, last: now, answered: None });
        if self.told.len() > REMEMBERED {
            self.told.remove(0);
        }
        let user = format!("agent{}", self.agent + 1);
        let branch = format!("r{}.{}.{}", self.agent, self.power, self.cseq);
        let parameters = format!(";+sip.instance=\"<urn:uuid:{user}>\";expires={}", lasts.as_secs());
        let bytes = Request {
            method: "REGISTER",
            uri: "sip:cluster",
            addr,
            way: self.way,
            branch: &branch,
            from: &format!("<sip:{user}@cluster>;tag=r{}", self.power),
            to: &format!("<sip:{user}@cluster>"),
            call_id: &format!("reg{}-{}@far", self.agent, self.power),
            cseq: self.cseq,
            contact: Some(&format!("sip:{user}@{addr}{}", self.way.uri_parameter())),
            parameters: &parameters,
            body: "",
        }
        .bytes();
        self.repeat = Some(Repeat::of_other(bytes.clone(), now).by(self.way));
        self.next = if off { now + rng.millis(2000, 10_000) } else { now + self.until_refresh(rng) };
        bytes
    }

    /// A REGISTER that was not answered is sent again.
    pub fn repeats(&mut self, now: Mono) -> Option<Vec<u8>> {
        match self.repeat.as_mut()?.due(now) {
            Due::Nothing => None,
            Due::Again(bytes) => {
                self.told.last_mut().into_iter().for_each(|told| told.last = now);
                Some(bytes)
            }
            Due::Over => {
                self.repeat = None;
                None
            }
        }
    }

    /// Whether it was the answer to the last one; another's is of no interest.
    pub fn hears(&mut self, message: &Sip, now: Mono) {
        let ours = message.call_id() == format!("reg{}-{}@far", self.agent, self.power);
        if message.method() != "REGISTER" || !ours || message.cseq() != self.cseq || message.status() < 200 {
            return;
        }
        self.repeat = None;
        if message.status() == 200 {
            self.told.last_mut().into_iter().for_each(|told| told.answered = told.answered.or(Some(now)));
        } else {
            // Not now: it comes again soon, with a request of its own.
            self.next = self.next.min(now + Duration::from_millis(500));
        }
    }

    /// Before half of the time is over.
    fn until_refresh(&self, rng: &mut Rng) -> Duration {
        rng.millis(3000, self.lasts.as_millis() as u64 / 2)
    }
}
