//! Far ends: simple phones that speak correct SIP, with their own few lines of it.

mod agent;
mod called;
mod caller;
mod hold;
mod phone;
mod registering;
mod ring;
mod text;

use std::time::Duration;

use strowger_model::{LegKey, Mono, Transport};

pub(crate) use agent::AgentPhone;
pub(crate) use called::Called;
pub(crate) use caller::{Caller, CallerState};
pub(crate) use hold::{Manners, Media, Voice, described};
pub(crate) use phone::Phone;
pub(crate) use registering::{Habit, Registering};
pub(crate) use ring::Ring;
pub(crate) use text::Sip;

/// RFC 3261, table 4.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(32);

/// What a far end does.
#[derive(Clone, Debug)]
pub(crate) enum FarOut {
    Send(Vec<u8>),
    /// Presses a key; it travels as media to that port of a relay.
    Press {
        rtp: std::net::SocketAddr,
        digit: char,
    },
    /// It is gone from that call without a word: nothing comes of it any more, no media either.
    Vanish(Option<LegKey>),
}

/// A message that is sent again until it is answered.
#[derive(Clone, Debug)]
struct Repeat {
    bytes: Vec<u8>,
    next: Mono,
    interval: Duration,
    longest: Duration,
    until: Mono,
}

enum Due {
    Nothing,
    Again(Vec<u8>),
    Over,
}

impl Repeat {
    /// Timers A and B.
    fn of_invite(bytes: Vec<u8>, now: Mono) -> Self {
        Self { bytes, next: now + T1, interval: T1, longest: PATIENCE, until: now + PATIENCE }
    }

    fn of_other(bytes: Vec<u8>, now: Mono) -> Self {
        Self { longest: T2, ..Self::of_invite(bytes, now) }
    }

    /// What is said by a line is not said again (RFC 3261 section 17.1.2.2).
    fn by(self, way: Transport) -> Self {
        if way.is_reliable() { Self { next: Mono::MAX, ..self } } else { self }
    }

    /// What is not answered when the line is lost is said once more.
    fn once_more(&self) -> Option<FarOut> {
        (!self.bytes.is_empty()).then(|| FarOut::Send(self.bytes.clone()))
    }

    /// No more sending, only the end.
    fn wait(now: Mono) -> Self {
        Self { next: Mono::MAX, ..Self::of_invite(Vec::new(), now) }
    }

    fn deadline(&self) -> Mono {
        self.next.min(self.until)
    }

    fn due(&mut self, now: Mono) -> Due {
        if now >= self.until {
            return Due::Over;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(self.longest);
        self.next = now + self.interval;
        Due::Again(self.bytes.clone())
    }
}
