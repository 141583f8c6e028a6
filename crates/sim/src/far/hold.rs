//! What a far end does about its media while it talks: it holds the call and takes it up again by re-INVITE or UPDATE, in
//! the ways that phones have, or it is gone without a word.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{Mono, Transport};

use super::text::Sip;
use super::{Due, FarOut, Repeat};
use crate::rng::Rng;

/// Of a thousand far ends in a world where some do: those that hold; of these, those whose offer meets one of ours and
/// those that say so by UPDATE (RFC 3311); and those that are gone without a word.
const HOLD: u64 = 350;
const GLARE: u64 = 400;
const UPDATE: u64 = 300;
const VANISH: u64 = 150;
/// So often one holds at the most.
const TIMES: u64 = 2;
/// An offer that met another is made again after this (RFC 3261 section 14.1): who made the Call-ID waits for longer.
const AGAIN: Duration = Duration::from_millis(900);
const AGAIN_BY_OWNER: Duration = Duration::from_millis(2500);

/// What some far ends of a world do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Manners {
    pub hold: bool,
    pub vanish: bool,
}

/// What a far end's description says of its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Media {
    Both,
    /// Held, with music of its own, or without (RFC 3264 section 8.4).
    SendOnly,
    Inactive,
    /// Held as old phones do (RFC 2543 section B.5).
    NoAddress,
}

/// What one far end does in one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Habits {
    times: u64,
    by: Media,
    /// From the answer, or from the end of the last hold, to the next.
    after: Duration,
    lasts: Duration,
    glares: bool,
    by_update: bool,
    vanishes: Option<Duration>,
}

impl Habits {
    pub const NONE: Habits = Habits {
        times: 0,
        by: Media::Both,
        after: Duration::ZERO,
        lasts: Duration::ZERO,
        glares: false,
        by_update: false,
        vanishes: None,
    };

    pub fn draw(rng: &mut Rng, manners: Manners) -> Self {
        let mut habits = Self::NONE;
        if manners.hold && rng.chance(HOLD) {
            habits.times = rng.between(1, TIMES);
            habits.by = rng.pick(&[Media::SendOnly, Media::Inactive, Media::NoAddress]).unwrap_or(Media::Inactive);
            (habits.after, habits.lasts) = (rng.millis(0, 6000), rng.millis(100, 14_000));
            habits.glares = rng.chance(GLARE);
            habits.by_update = rng.chance(UPDATE);
        }
        // Of who holds nothing is due: if it is gone, nobody can tell.
        if manners.vanish && habits.times == 0 && rng.chance(VANISH) {
            habits.vanishes = Some(rng.millis(0, 15_000));
        }
        habits
    }
}

/// What a far end is to whoever listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Voice {
    Speaks,
    /// It need not speak.
    Holds,
    /// An offer of its own is open, or was when it hung up: what holds is not agreed.
    Asks,
}

/// What is to be done about an answer to its offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Nothing,
    Acknowledge,
    AcknowledgeRefusal,
    /// The dialog is gone for the other side.
    HangUp,
}

/// The media of one dialog that stands.
pub(crate) struct Session {
    habits: Habits,
    /// What both sides agreed on.
    media: Media,
    version: u32,
    next: Option<Mono>,
    gone_at: Option<Mono>,
    asked: Option<Asked>,
    /// It ended with an offer that was open.
    is_unsure: bool,
    /// The CSeq of the other side's offer that met one of its own.
    met: Option<u32>,
}

/// An offer of its own that is open.
struct Asked {
    cseq: u32,
    media: Media,
    repeat: Repeat,
}

impl Session {
    pub fn new(habits: Habits) -> Self {
        Self {
            habits,
            media: Media::Both,
            version: 1,
            next: None,
            gone_at: None,
            asked: None,
            is_unsure: false,
            met: None,
        }
    }

    /// The dialog stands.
    pub fn begin(&mut self, now: Mono) {
        self.next = (self.habits.times > 0).then(|| now + self.habits.after);
        self.gone_at = self.habits.vanishes.map(|after| now + after);
    }

    pub fn end(&mut self) {
        self.is_unsure |= self.asked.is_some();
        (self.next, self.gone_at, self.asked) = (None, None, None);
    }

    pub fn deadline(&self) -> Option<Mono> {
        let asked = self.asked.as_ref().map(|asked| asked.repeat.deadline());
        let next = self.next.filter(|_| asked.is_none());
        [asked, next, self.gone_at].into_iter().flatten().min()
    }

    pub fn vanishes(&mut self, now: Mono) -> bool {
        self.gone_at.take_if(|at| *at <= now).is_some()
    }

    pub fn voice(&self) -> Voice {
        match self.media {
            _ if self.asked.is_some() || self.is_unsure => Voice::Asks,
            Media::Both => Voice::Speaks,
            Media::SendOnly | Media::Inactive | Media::NoAddress => Voice::Holds,
        }
    }

    /// What it says of its media, as it is agreed.
    pub fn sdp(&self, addr: SocketAddr) -> String {
        described(addr, self.media, self.version)
    }

    /// What it offers now: to hold, or to talk again.
    pub fn offers(&mut self, addr: SocketAddr, now: Mono) -> Option<String> {
        if self.asked.is_some() || self.next.take_if(|at| *at <= now).is_none() {
            return None;
        }
        self.version += 1;
        Some(described(addr, self.wants(), self.version))
    }

    /// By which method it offers.
    pub fn method(&self) -> &'static str {
        if self.habits.by_update { "UPDATE" } else { "INVITE" }
    }

    /// It was offered.
    pub fn asked(&mut self, cseq: u32, bytes: Vec<u8>, way: Transport, now: Mono) {
        let repeat = if self.habits.by_update { Repeat::of_other(bytes, now) } else { Repeat::of_invite(bytes, now) };
        self.asked = Some(Asked { cseq, media: self.wants(), repeat: repeat.by(way) });
    }

    /// An offer that nobody answers for all its time ends the call (RFC 3261 section 14.1).
    pub fn repeats(&mut self, now: Mono) -> Due {
        self.asked.as_mut().map_or(Due::Nothing, |asked| asked.repeat.due(now))
    }

    pub fn once_more(&self) -> Option<FarOut> {
        self.asked.as_ref().and_then(|asked| asked.repeat.once_more())
    }

    /// `owner`: whether it made the Call-ID. What answers an UPDATE is not acknowledged.
    pub fn answered(&mut self, message: &Sip, owner: bool, now: Mono) -> Word {
        match self.judge(message, owner, now) {
            Word::Acknowledge | Word::AcknowledgeRefusal if message.method() == "UPDATE" => Word::Nothing,
            word => word,
        }
    }

    fn judge(&mut self, message: &Sip, owner: bool, now: Mono) -> Word {
        let Some(asked) = self.asked.as_mut().filter(|asked| asked.cseq == message.cseq()) else {
            // Every copy of an answer is acknowledged (RFC 3261 sections 13.2.2.4 and 17.1.1.2).
            return match message.status() {
                ..200 => Word::Nothing,
                200..300 => Word::Acknowledge,
                _ => Word::AcknowledgeRefusal,
            };
        };
        let media = asked.media;
        if message.status() < 200 {
            asked.repeat = Repeat::wait(now);
            return Word::Nothing;
        }
        self.asked = None;
        match message.status() {
            200..300 => {
                self.agrees(media, now);
                Word::Acknowledge
            }
            408 | 481 => Word::HangUp,
            // Now is not the time (RFC 3261 section 14.1): later.
            491 | 500 | 503 => {
                self.version += 1;
                self.next = Some(now + if owner { AGAIN_BY_OWNER } else { AGAIN });
                Word::AcknowledgeRefusal
            }
            _ => {
                self.version += 1;
                Word::AcknowledgeRefusal
            }
        }
    }

    /// Whether an offer of the other side's meets one of its own, open or about to be: it is answered 491.
    pub fn meets(&mut self, invite: &Sip, now: Mono) -> bool {
        let cseq = invite.cseq();
        if self.met != Some(cseq) && (self.asked.is_some() || self.next.is_some() && self.habits.glares) {
            self.met = Some(cseq);
            self.habits.glares = false;
            self.next = self.next.map(|next| next.min(now));
        }
        self.met == Some(cseq)
    }

    fn wants(&self) -> Media {
        if self.media == Media::Both { self.habits.by } else { Media::Both }
    }

    fn agrees(&mut self, media: Media, now: Mono) {
        self.media = media;
        if media != Media::Both {
            self.next = Some(now + self.habits.lasts);
            return;
        }
        self.habits.times -= 1;
        self.next = (self.habits.times > 0).then(|| now + self.habits.after);
    }
}

/// What a phone says of its media.
pub(crate) fn described(addr: SocketAddr, media: Media, version: u32) -> String {
    let home = addr.ip();
    let ip = if media == Media::NoAddress { "0.0.0.0".to_owned() } else { home.to_string() };
    let direction = match media {
        Media::Both | Media::NoAddress => "",
        Media::SendOnly => "a=sendonly\r\n",
        Media::Inactive => "a=inactive\r\n",
    };
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {home}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8\r\n{direction}"
    )
}
