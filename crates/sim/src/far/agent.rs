//! An agent: most calls are answered, some refused, some ignored.

use std::time::Duration;

use strowger_model::Mono;

use super::FarOut;
use super::phone::Phone;
use super::ring::{Manner, Reaction};
use super::text::Sip;
use crate::rng::Rng;
use crate::tenant::phone_addr;

pub(crate) struct AgentPhone {
    pub phone: Phone,
}

impl AgentPhone {
    pub fn new(id: usize) -> Self {
        Self { phone: Phone::new(format!("a{id}"), phone_addr(id)) }
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono, rng: &mut Rng) -> Vec<FarOut> {
        let manner = if self.phone.is_new(message) { manner(rng) } else { Manner::IDLE };
        self.phone.on_message(message, now, manner)
    }
}

fn manner(rng: &mut Rng) -> Manner {
    let does = match rng.below(100) {
        0..75 => Reaction::Answer,
        75..87 => Reaction::Refuse(486),
        // The rest neither answers nor refuses.
        _ => Reaction::RingOn,
    };
    Manner { does, after: rng.millis(50, 3500), talks: rng.millis(300, 15_000) }
}

impl Manner {
    /// Where nothing new is to be decided.
    pub const IDLE: Manner = Manner { does: Reaction::RingOn, after: Duration::ZERO, talks: Duration::ZERO };
}
