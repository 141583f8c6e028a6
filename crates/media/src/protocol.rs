//! What nodes and relays say to each other. Version 1: once released, a new layout is a new type with a new number.
//!
//! Nodes ask with [`Commands`], [`StatsAsk`] (class relay) and [`ContentPut`] (class content); the relay casts
//! [`Events`] to the node that owns the call. Every command may be repeated without harm.
//!
//! A call here is the *birth call* of its legs, which with the leg's number is the leg's name for ever ([`LegKey`]
//! of `model`), wherever its row goes: the epoch fence, the journal and its numbers are the birth call's. An owner that got
//! legs of several birth calls into one row adopts each of them.
//!
//! [`LegKey`]: strowger_model::LegKey

use std::net::SocketAddr;

use strowger_model::{CallId, Digest, Incarnation, LegNo, MediaAddr, RelayId};

use crate::{Hears, LegSnapshot, LegStats};

/// Carried out in order within a call; answered by [`Answers`], one for each.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Commands {
    pub list: Vec<RelayCommand>,
}

/// Answers in the order of the commands.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Answers {
    /// The relay's, new at each start: with another one, nothing told before counts any more.
    pub incarnation: Incarnation,
    pub list: Vec<RelayAnswer>,
}

/// Cast to the owner as they happen. A gap in a call's numbers means casts were lost: `Adopt` gives them again.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Events {
    pub incarnation: Incarnation,
    pub list: Vec<RelayEvent>,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RelayCommand {
    /// Birth call of the leg it is about.
    pub call: CallId,
    /// The owner's epoch. One lower than the highest seen for the call is refused.
    pub epoch: u64,
    pub op: Op,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Op {
    /// Opens a leg's ports. Idempotent by (call, leg): gives the same ports again.
    Open {
        leg: LegNo,
    },
    /// Where the far end receives and what. `send: false` is hold: nothing is sent to it; `receive: false`: nothing is
    /// expected from it, and what comes is dropped.
    Remote {
        leg: LegNo,
        media: MediaAddr,
        send: bool,
        receive: bool,
    },
    /// What the far end hears from now on, in place of what it heard. `no` orders the hearings of a leg, over all its
    /// owners (a new one goes on above its snapshot's); one that is not above the newest changes nothing, except that content which was missing begins once it is
    /// there. Sources may be on other relays (each needs its [`Op::Export`]) and need not be open yet.
    Hear {
        leg: LegNo,
        what: Hears,
        no: u64,
    },
    /// The relays this leg's voice is sent to, in place of those before: those of legs that hear it and are elsewhere. The
    /// relay itself is among them when a leg there that hears it has another birth call, which may be another thread's.
    Export {
        leg: LegNo,
        to: Vec<RelayId>,
    },
    CloseLeg {
        leg: LegNo,
    },
    /// Ends all legs of the call.
    Close,
    /// The sender owns the call now: gives a snapshot, replays the events not yet acknowledged.
    Adopt,
    /// Events up to `seq` were seen.
    Ack {
        seq: u64,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum RelayAnswer {
    Done,
    Opened {
        rtp: SocketAddr,
        rtcp: SocketAddr,
    },
    /// To `Adopt`: the live legs, and the events not yet acknowledged.
    Snapshot {
        legs: Vec<LegSnapshot>,
        missed: Vec<RelayEvent>,
    },
    /// To `Close` and `CloseLeg`.
    Closed {
        legs: Vec<LegStats>,
    },
    /// To `Hear`: put the content, then say the same again. Until then the far end hears nothing.
    NeedContent {
        content: Digest,
    },
    Refused {
        why: Refusal,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Refusal {
    /// Somebody with this higher epoch owns the call.
    Fenced {
        epoch: u64,
    },
    NoSuchCall,
    NoSuchLeg,
    /// The call or leg is closed and does not open again.
    Ended,
    /// All ports of the range are taken.
    NoPorts,
    /// The operating system gives no more sockets.
    NoSockets,
    TooManyLegs,
    /// An address media cannot be sent to: unspecified, multicast, port 0, or of the other IP version.
    BadAddress,
    /// A leg does not hear itself.
    SameLeg,
    /// More than [`MAX_SOURCES`](crate::MAX_SOURCES), or one of them twice.
    BadSources,
    /// The relay is shutting down.
    Stopping,
    /// Voice cannot be sent there: the relay has no link to others, or there are too many.
    BadRelay,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RelayEvent {
    pub call: CallId,
    /// Counts from 1 within the call, without gaps.
    pub seq: u64,
    pub leg: LegNo,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum What {
    /// ASCII, `0`–`9`, `*`, `#`, `A`–`D`; once for each key press.
    Digit {
        digit: u8,
    },
    /// Content that does not repeat came to its end; said again to a later `Hear` of the same play.
    PlayDone {
        play: u64,
    },
    /// Neither RTP nor RTCP for so long, though the leg should send.
    DeadMedia {
        since_ms: u64,
    },
    MediaBack,
    /// Media comes from another port than the one signalled; ours goes there now.
    Latched {
        addr: SocketAddr,
    },
}

/// G.711 µ-law at 8 kHz; the relay makes A-law of it where a leg wants that. Answered by [`ContentAnswer`].
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ContentPut {
    /// SHA-256 of `bytes`; checked.
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ContentAnswer {
    /// None: stored, or was there already.
    pub refused: Option<ContentRefusal>,
}

#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum ContentRefusal {
    /// The bytes have another SHA-256.
    Mismatch,
    Empty,
    TooLong,
    /// Everything held is being played.
    Full,
}

/// Answered by [`RelayStats`](crate::RelayStats).
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct StatsAsk {
    pub reserved: u8,
}

impl Op {
    /// The leg it is about; none if it is about the whole call.
    pub fn leg(&self) -> Option<LegNo> {
        match *self {
            Op::Open { leg }
            | Op::Remote { leg, .. }
            | Op::Hear { leg, .. }
            | Op::Export { leg, .. }
            | Op::CloseLeg { leg } => Some(leg),
            Op::Close | Op::Adopt | Op::Ack { .. } => None,
        }
    }
}

impl RelayAnswer {
    pub fn refused(why: Refusal) -> Self {
        RelayAnswer::Refused { why }
    }
}
