//! An agent: most calls are answered, some refused, some ignored.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{Mono, Transport};

use super::FarOut;
use super::hold::{Habits, Manners};
use super::phone::Phone;
use super::registering::{Habit, Registering};
use super::ring::{Manner, Reaction};
use super::text::Sip;
use crate::rng::Rng;
use crate::tenant::phone_addr;

pub(crate) struct AgentPhone {
    pub phone: Phone,
    /// None: it is always there.
    pub line: Option<Registering>,
    manners: Manners,
}

impl AgentPhone {
    pub fn new(id: usize, line: Option<Registering>, manners: Manners) -> Self {
        let way = line.as_ref().map_or(Transport::Udp, Registering::way);
        Self { phone: Phone::new(format!("a{id}"), phone_addr(id, 0), way), line, manners }
    }

    /// Nobody is at an address that the phone had, or while it has no power.
    pub fn is_at(&self, addr: SocketAddr) -> bool {
        self.phone.addr == addr && !self.line.as_ref().is_some_and(Registering::is_dark)
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.phone.deadline().into_iter().chain(self.line.as_ref().map(Registering::deadline)).min()
    }

    /// `calm`: it stays from now on. What it did about its registration, too.
    pub fn tick(&mut self, now: Mono, calm: bool, rng: &mut Rng) -> (Vec<FarOut>, Option<Habit>) {
        let mut out = self.phone.tick(now);
        let Some(line) = &mut self.line else { return (out, None) };
        let busy = self.phone.rings().iter().any(|ring| !ring.is_at_rest());
        let habit = line.due(now, busy, calm, rng);
        match habit {
            None => out.extend(line.repeats(now).map(FarOut::Send)),
            Some(Habit::LosePower) => {
                line.loses_power(now, rng);
                self.phone.forget();
                out.clear();
            }
            Some(habit) => {
                if habit == Habit::Move {
                    self.phone.addr = line.moves();
                }
                out.push(FarOut::Send(line.registers(self.phone.addr, habit == Habit::Go, now, rng)));
            }
        }
        (out, habit)
    }

    /// Its line is gone: it says again what is not answered, and registers by another soon.
    pub fn begins_again(&mut self, now: Mono) -> Vec<FarOut> {
        self.line.iter_mut().for_each(|line| line.lost_its_line(now));
        self.phone.begins_again()
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono, rng: &mut Rng) -> Vec<FarOut> {
        if let Some(line) = &mut self.line {
            line.hears(message, now);
        }
        let manner = if self.phone.is_new(message) { manner(rng, self.manners) } else { Manner::IDLE };
        self.phone.on_message(message, now, manner)
    }
}

fn manner(rng: &mut Rng, manners: Manners) -> Manner {
    let does = match rng.below(100) {
        0..75 => Reaction::Answer,
        75..87 => Reaction::Refuse(486),
        // The rest neither answers nor refuses.
        _ => Reaction::RingOn,
    };
    let (after, talks) = (rng.millis(50, 3500), rng.millis(300, 15_000));
    Manner { does, after, talks, habits: Habits::draw(rng, manners) }
}

impl Manner {
    /// Where nothing new is to be decided.
    pub const IDLE: Manner =
        Manner { does: Reaction::RingOn, after: Duration::ZERO, talks: Duration::ZERO, habits: Habits::NONE };
}
