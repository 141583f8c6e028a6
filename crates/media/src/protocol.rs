//! What nodes and relays say to each other. Version 1: once released, a new layout is a new type with a new number.
//!
//! Nodes ask with [`Commands`], [`StatsAsk`] (class relay) and [`ContentPut`] (class content); the relay casts
//! [`Events`] to the node that owns the call. Every command may be repeated without harm.
//!
//! A call here is the *birth call* of its legs, which with the leg's number is the leg's name for ever ([`LegKey`]
//! of `model`), wherever its row goes. Legs of one birth call may stand in several rows, each with its owner, so the epoch
//! fence, the journal and its numbers are the leg's: an owner adopts its legs one by one.
//!
//! [`LegKey`]: strowger_model::LegKey
#![allow(missing_docs, reason = "rkyv's derive makes public fields of its own without a word")]

use std::net::SocketAddr;

use strowger_model::{CallId, Digest, Incarnation, LegNo, MediaAddr, RelayId};

use crate::{Hears, LegSnapshot, LegStats};

/// Carried out in order within a call; answered by [`Answers`], one for each.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Commands {
    /// In the order in which they are carried out.
    pub list: Vec<RelayCommand>,
}

/// Answers in the order of the commands.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Answers {
    /// The relay's, new at each start: with another one, nothing told before counts any more.
    pub incarnation: Incarnation,
    /// As many as there were commands.
    pub list: Vec<RelayAnswer>,
}

/// Cast to the owner as they happen. A gap in a leg's numbers means casts were lost: `Adopt` gives them again.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Events {
    /// Of the relay, as in [`Answers`].
    pub incarnation: Incarnation,
    /// Of any legs of that node, each leg's in order.
    pub list: Vec<RelayEvent>,
}

/// One order of a call's owner.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RelayCommand {
    /// Birth call of the leg it is about.
    pub call: CallId,
    /// The epoch of the row in which the leg stands. One lower than the highest seen for the leg is refused.
    pub epoch: u64,
    /// What is to be done.
    pub op: Op,
}

/// What a relay does for a call.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Op {
    /// Opens a leg's ports. Idempotent by (call, leg): gives the same ports again.
    Open {
        /// Under its number in the birth call.
        leg: LegNo,
    },
    /// Where the far end receives and what. `send: false` is hold: nothing is sent to it; `receive: false`: nothing is
    /// expected from it, and what comes is dropped.
    Remote {
        /// Under its number in the birth call.
        leg: LegNo,
        /// Address and codec, from its SDP.
        media: MediaAddr,
        /// Whether anything is sent to it.
        send: bool,
        /// Whether anything is expected of it.
        receive: bool,
    },
    /// What the far end hears from now on, in place of what it heard. `no` orders the hearings of a leg, over all its
    /// owners (a new one goes on above its snapshot's); one that is not above the newest changes nothing, except that content which was missing begins once it is
    /// there. Sources may be on other relays (each needs its [`Op::Export`]) and need not be open yet.
    Hear {
        /// Under its number in the birth call.
        leg: LegNo,
        /// The whole of it.
        what: Hears,
        /// Above the newest of the leg, or it changes nothing.
        no: u64,
    },
    /// The relays this leg's voice is sent to, in place of those before: those of legs that hear it and are elsewhere. The
    /// relay itself is among them when a leg there that hears it has another birth call, which may be another thread's.
    Export {
        /// Under its number in the birth call.
        leg: LegNo,
        /// All of them; none for a voice that nobody elsewhere hears.
        to: Vec<RelayId>,
    },
    /// Closes a leg's ports for good.
    CloseLeg {
        /// Under its number in the birth call.
        leg: LegNo,
    },
    /// The sender owns the leg now: gives a snapshot, replays the events not yet acknowledged.
    Adopt {
        /// Under its number in the birth call.
        leg: LegNo,
    },
    /// Events up to `seq` were seen.
    Ack {
        /// Whose events, under its number in the birth call.
        leg: LegNo,
        /// Of the newest event that was seen.
        seq: u64,
    },
}

/// What came of one order.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum RelayAnswer {
    /// Carried out, or found to be so already.
    Done,
    /// To `Open`: the ports, as advertised.
    Opened {
        /// Where the far end sends media.
        rtp: SocketAddr,
        /// Where it sends reports.
        rtcp: SocketAddr,
    },
    /// To `Adopt`: the leg, and its events not yet acknowledged.
    Snapshot {
        /// What the relay does for it.
        leg: Box<LegSnapshot>,
        /// Oldest first.
        missed: Vec<RelayEvent>,
    },
    /// To `CloseLeg`.
    Closed {
        /// Its sums.
        leg: LegStats,
    },
    /// To `Hear`: put the content, then say the same again. Until then the far end hears nothing.
    NeedContent {
        /// By its digest, as `Hear` named it.
        content: Digest,
    },
    /// Not carried out; nothing has changed.
    Refused {
        /// For the owner's log, or its next order.
        why: Refusal,
    },
}

/// Why an order was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Refusal {
    /// Somebody with this higher epoch owns the leg.
    Fenced {
        /// Of the owner the relay obeys.
        epoch: u64,
    },
    /// Never opened here, or forgotten.
    NoSuchCall,
    /// The call is here, and has no such leg.
    NoSuchLeg,
    /// The call or leg is closed and does not open again.
    Ended,
    /// All ports of the range are taken.
    NoPorts,
    /// The operating system gives no more sockets.
    NoSockets,
    /// More live legs than a call may have on one relay.
    TooManyLegs,
    /// An address media cannot be sent to: unspecified, multicast, port 0, or of the other IP version.
    BadAddress,
    /// An address media is not sent to, for RTP or for RTCP: the relay's own, loopback, or a network that it is told to leave alone.
    ForbiddenAddress,
    /// A leg does not hear itself.
    SameLeg,
    /// More than [`MAX_SOURCES`](crate::MAX_SOURCES), or one of them twice.
    BadSources,
    /// The relay is shutting down.
    Stopping,
    /// Voice cannot be sent there: the relay has no link to others, or there are too many.
    BadRelay,
}

/// Something that happened to a leg.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RelayEvent {
    /// Birth call of the leg.
    pub call: CallId,
    /// Counts from 1 for each leg, without gaps.
    pub seq: u64,
    /// Under its number in the birth call.
    pub leg: LegNo,
    /// What happened.
    pub what: What,
}

/// What a relay tells of a leg by itself.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum What {
    /// ASCII, `0`–`9`, `*`, `#`, `A`–`D`; once for each key press.
    Digit {
        /// The key.
        digit: u8,
    },
    /// Content that does not repeat came to its end; said again to a later `Hear` of the same play.
    PlayDone {
        /// As numbered by the `Hear` that began it.
        play: u64,
    },
    /// Neither RTP nor RTCP for so long, though the leg should send.
    DeadMedia {
        /// Milliseconds since the last packet.
        since_ms: u64,
    },
    /// After `DeadMedia`: packets come again.
    MediaBack,
    /// Media comes from another port than before, or than was signalled; ours goes there now.
    Latched {
        /// Where it comes from.
        addr: SocketAddr,
    },
}

/// G.711 µ-law at 8 kHz; the relay makes A-law of it where a leg wants that. Answered by [`ContentAnswer`].
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ContentPut {
    /// SHA-256 of `bytes`; checked.
    pub digest: Digest,
    /// At most [`MAX_PIECE_BYTES`](crate::content::MAX_PIECE_BYTES).
    pub bytes: Vec<u8>,
}

/// Whether a piece is there now.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ContentAnswer {
    /// None: stored, or was there already.
    pub refused: Option<ContentRefusal>,
}

/// Why a piece was not stored.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum ContentRefusal {
    /// The bytes have another SHA-256.
    Mismatch,
    /// No bytes.
    Empty,
    /// Beyond [`MAX_PIECE_BYTES`](crate::content::MAX_PIECE_BYTES).
    TooLong,
    /// Everything held is being played.
    Full,
}

/// Answered by [`RelayStats`](crate::RelayStats).
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct StatsAsk {
    /// Always 0, for a question to come.
    pub reserved: u8,
}

impl Op {
    /// The leg it is about.
    pub fn leg(&self) -> LegNo {
        match *self {
            Op::Open { leg }
            | Op::Remote { leg, .. }
            | Op::Hear { leg, .. }
            | Op::Export { leg, .. }
            | Op::CloseLeg { leg }
            | Op::Adopt { leg }
            | Op::Ack { leg, .. } => leg,
        }
    }
}

impl RelayAnswer {
    /// An order that was not carried out.
    pub fn refused(why: Refusal) -> Self {
        RelayAnswer::Refused { why }
    }
}
