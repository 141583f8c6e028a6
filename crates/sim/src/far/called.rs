//! A called party behind the trunk: answers, is busy, declines, lets it ring, is not there at all.

use strowger_model::{E164, Mono, Transport};

use super::FarOut;
use super::hold::{Habits, Manners};
use super::phone::Phone;
use super::ring::{Manner, Reaction};
use super::text::Sip;
use crate::rng::Rng;
use crate::tenant::called_addr;

/// What a number is, whoever calls it and how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// People: now they answer, now they do not.
    Used,
    /// Not a number of anybody's.
    Unknown,
    /// Nothing ever comes back.
    Silent,
}

pub(crate) struct Called {
    pub number: E164,
    pub phone: Phone,
    line: Line,
    manners: Manners,
}

impl Called {
    pub fn draw(rng: &mut Rng, at: usize, number: E164, manners: Manners) -> Self {
        let line = match rng.below(12) {
            0 => Line::Unknown,
            1 => Line::Silent,
            _ => Line::Used,
        };
        Self { number, phone: Phone::new(format!("l{at}"), called_addr(at), Transport::Udp), line, manners }
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono, rng: &mut Rng) -> Vec<FarOut> {
        let manner = match self.line {
            Line::Silent => Manner { does: Reaction::Mute, ..Manner::IDLE },
            Line::Unknown => Manner { does: Reaction::RefuseAtOnce(404), ..Manner::IDLE },
            Line::Used if self.phone.is_new(message) => manner(rng, self.manners),
            Line::Used => Manner::IDLE,
        };
        self.phone.on_message(message, now, manner)
    }
}

fn manner(rng: &mut Rng, manners: Manners) -> Manner {
    let (does, talks) = match rng.below(100) {
        0..45 => (Reaction::Answer, rng.millis(300, 20_000)),
        // Who hears that nobody speaks hangs up.
        45..55 => (Reaction::Answer, rng.millis(0, 200)),
        55..67 => (Reaction::RefuseAtOnce(486), rng.millis(0, 0)),
        67..77 => (Reaction::Refuse(603), rng.millis(0, 0)),
        77..80 => (Reaction::RefuseAtOnce(503), rng.millis(0, 0)),
        _ => (Reaction::RingOn, rng.millis(0, 0)),
    };
    Manner { does, after: rng.millis(0, 3500), talks, habits: Habits::draw(rng, manners) }
}
