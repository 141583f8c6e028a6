//! What nodes and relays say to each other. Version 1, frozen: a new layout is a new type with a new number.
//!
//! Nodes ask with [`Commands`], [`StatsAsk`] (class relay) and [`ContentPut`] (class content); the relay casts
//! [`Events`] to the node that owns the call. Every command may be repeated without harm.

use std::net::SocketAddr;

use strowger_link::{Wire, schema};
use strowger_model::{CallId, Digest, LegNo, MediaAddr, RelayId};

macro_rules! wire {
    ($($(#[$doc:meta])* pub enum $name:ident $body:tt)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            pub enum $name $body
        )*
    };
    ($($(#[$doc:meta])* pub struct $name:ident $body:tt)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            pub struct $name $body
        )*
    };
}

wire! {
    /// Carried out in order within a call; answered by [`Answers`], one for each.
    pub struct Commands {
        pub list: Vec<RelayCommand>,
    }
    /// Answers in the order of the commands.
    pub struct Answers {
        pub list: Vec<RelayAnswer>,
    }
    /// Cast to the owner as they happen. A gap in a call's numbers means casts were lost: `Adopt` gives them again.
    pub struct Events {
        pub list: Vec<RelayEvent>,
    }
    pub struct RelayCommand {
        pub call: CallId,
        /// The owner's epoch. One lower than the highest seen for the call is refused.
        pub epoch: u64,
        pub op: Op,
    }
    /// What a new owner needs to go on.
    pub struct LegSnapshot {
        pub leg: LegNo,
        /// Our RTP address, as advertised.
        pub local: SocketAddr,
        pub remote: Option<MediaAddr>,
        /// Where its media really comes from, once some came.
        pub latched: Option<SocketAddr>,
        pub send: bool,
        pub receive: bool,
        pub bridged_to: Option<LegNo>,
        /// Id of the play under way.
        pub playing: Option<u64>,
        /// Whether `DeadMedia` was said and not yet `MediaBack`.
        pub dead: bool,
        pub packets_in: u64,
        pub packets_out: u64,
        /// Since the last RTP packet; none if there never was one.
        pub quiet_ms: Option<u64>,
    }
    /// A leg's sums at its end.
    pub struct LegStats {
        pub leg: LegNo,
        /// RTP packets accepted from the far end.
        pub received: u64,
        /// RTP packets sent to it.
        pub sent: u64,
        pub lost: u64,
        pub jitter_us: u64,
        /// Since the last RTP packet; none if there never was one.
        pub quiet_ms: Option<u64>,
    }
    pub struct RelayEvent {
        pub call: CallId,
        /// Counts from 1 within the call, without gaps.
        pub seq: u64,
        pub leg: LegNo,
        pub what: What,
    }
    /// G.711 µ-law at 8 kHz; the relay makes A-law of it where a leg wants that. Answered by [`ContentAnswer`].
    pub struct ContentPut {
        /// SHA-256 of `bytes`; checked.
        pub digest: Digest,
        pub bytes: Vec<u8>,
    }
    pub struct ContentAnswer {
        /// None: stored, or was there already.
        pub refused: Option<ContentRefusal>,
    }
    /// Answered by [`RelayStats`].
    pub struct StatsAsk {
        pub reserved: u8,
    }
    /// Sums since the relay started, and what it holds now.
    #[derive(Default)]
    pub struct RelayStats {
        pub calls: u64,
        pub legs: u64,
        /// RTP accepted and sent.
        pub packets_in: u64,
        pub packets_out: u64,
        pub lost: u64,
        /// Out of order or twice.
        pub late: u64,
        /// Datagrams from addresses no leg expects.
        pub strangers: u64,
        /// Datagrams that were no packet the leg agreed to.
        pub malformed: u64,
        /// Packets the kernel did not take.
        pub send_failures: u64,
        pub dead_media: u64,
        /// Calls closed because nobody wanted them any more.
        pub orphans: u64,
        /// Events that a full backlog or journal did not take; a gap in the numbers tells the owner.
        pub events_dropped: u64,
        /// 20 ms frames left out because the machine stood still for too long.
        pub frames_skipped: u64,
        /// CPU time of the media threads.
        pub cpu_ns: u64,
        pub content_bytes: u64,
        /// RTP to and from other relays.
        pub hop_packets_out: u64,
        pub hop_packets_in: u64,
        /// Came too late to be heard.
        pub hop_late: u64,
        pub hop_lost: u64,
        /// Not sent, or not meant for any leg here.
        pub hop_dropped: u64,
    }
}

wire! {
    pub enum Op {
        /// Opens a leg's ports. Idempotent by (call, leg): gives the same ports again.
        Open { leg: LegNo },
        /// Where the far end receives and what. `send: false` is hold: nothing is sent to it; `receive: false`: nothing is
        /// expected from it, and what comes is dropped.
        Remote { leg: LegNo, media: MediaAddr, send: bool, receive: bool },
        /// Replaces what plays on the leg. Ids grow: an id that is not above the newest does nothing, also after that play
        /// ended, and one that waited for its content is over with the next Play, Stop or Bridge.
        Play { leg: LegNo, content: Digest, repeat: bool, id: u64 },
        Stop { leg: LegNo },
        /// Each hears the other; what played on either stops.
        Bridge { a: LegNo, b: LegNo },
        Unbridge { a: LegNo, b: LegNo },
        CloseLeg { leg: LegNo },
        /// Ends the whole call.
        Close,
        /// The sender owns the call now: gives a snapshot, replays the events not yet acknowledged.
        Adopt,
        /// Events up to `seq` were seen.
        Ack { seq: u64 },
        /// The far ends of `leg` and of the call's leg `with`, which is on relay `peer`, hear each other; that relay is told
        /// the same of its leg. Takes the place of a bridge or join of `leg`; what played on it stops.
        Join { leg: LegNo, with: LegNo, peer: RelayId },
        /// Undoes it.
        Leave { leg: LegNo },
    }
    pub enum RelayAnswer {
        Done,
        Opened { rtp: SocketAddr, rtcp: SocketAddr },
        Snapshot { legs: Vec<LegSnapshot>, missed: Vec<RelayEvent> },
        /// To `Close` and `CloseLeg`.
        Closed { legs: Vec<LegStats> },
        /// To `Play`: put the content, then play again.
        NeedContent { content: Digest },
        Refused { why: Refusal },
    }
    pub enum Refusal {
        /// Somebody with this higher epoch owns the call.
        Fenced { epoch: u64 },
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
        /// A leg cannot be bridged to itself.
        SameLeg,
        /// The relay is shutting down.
        Stopping,
        /// A leg cannot be joined with one on the same relay: bridge them.
        BadRelay,
    }
    pub enum What {
        /// ASCII, `0`–`9`, `*`, `#`, `A`–`D`; once for each key press.
        Digit { digit: u8 },
        /// A play that does not repeat came to its end.
        PlayDone { id: u64 },
        /// Neither RTP nor RTCP for so long, though the leg should send.
        DeadMedia { since_ms: u64 },
        MediaBack,
        /// Media comes from another port than the one signalled; ours goes there now.
        Latched { addr: SocketAddr },
    }
    pub enum ContentRefusal {
        /// The bytes have another SHA-256.
        Mismatch,
        Empty,
        TooLong,
        /// Everything held is being played.
        Full,
    }
}

impl RelayAnswer {
    pub(crate) fn refused(why: Refusal) -> Self {
        RelayAnswer::Refused { why }
    }
}

/// The layouts below all others: they are part of each schema text, so a change in `model` is noticed too.
macro_rules! layout {
    ($text:literal) => {
        schema(concat!(
            $text,
            "CallId(u64)LegNo(u16)Digest([u8;32])Codec{law:Mu|A,dtmf:Option<u8>}",
            "MediaAddr{rtp:SocketAddr,rtcp:SocketAddr,codec:Codec}"
        ))
    };
}

impl Wire for Commands {
    const TYPE: u16 = 0x0501;
    const SCHEMA: u32 = layout!(
        "CommandsV1{list:Vec<{call,epoch:u64,op}>}Op=Open{leg}|Remote{leg,media,send:bool,receive:bool}|
        Play{leg,content:Digest,repeat:bool,id:u64}|Stop{leg}|Bridge{a,b}|Unbridge{a,b}|CloseLeg{leg}|Close|Adopt|Ack{seq:u64}|
        Join{leg,with,peer:u16}|Leave{leg}"
    );
}

impl Wire for Answers {
    const TYPE: u16 = 0x0502;
    const SCHEMA: u32 = layout!(
        "AnswersV1{list:Vec<Done|Opened{rtp,rtcp}|Snapshot{legs:Vec<LegSnapshot>,missed:Vec<RelayEvent>}|
        Closed{legs:Vec<LegStats>}|NeedContent{content}|Refused{why}>}
        LegSnapshot{leg,local,remote:Option<MediaAddr>,latched:Option<SocketAddr>,send,receive,bridged_to:Option<LegNo>,
        playing:Option<u64>,dead:bool,packets_in:u64,packets_out:u64,quiet_ms:Option<u64>}
        LegStats{leg,received:u64,sent:u64,lost:u64,jitter_us:u64,quiet_ms:Option<u64>}
        RelayEvent{call,seq:u64,leg,what}
        What=Digit{digit:u8}|PlayDone{id:u64}|DeadMedia{since_ms:u64}|MediaBack|Latched{addr}
        Refusal=Fenced{epoch:u64}|NoSuchCall|NoSuchLeg|Ended|NoPorts|NoSockets|TooManyLegs|BadAddress|SameLeg|Stopping|BadRelay"
    );
}

impl Wire for Events {
    const TYPE: u16 = 0x0503;
    const SCHEMA: u32 = layout!(
        "EventsV1{list:Vec<RelayEvent>}RelayEvent{call,seq:u64,leg,what}
        What=Digit{digit:u8}|PlayDone{id:u64}|DeadMedia{since_ms:u64}|MediaBack|Latched{addr}"
    );
}

impl Wire for ContentPut {
    const TYPE: u16 = 0x0504;
    const SCHEMA: u32 = layout!("ContentPutV1{digest,bytes:Vec<u8>}");
}

impl Wire for ContentAnswer {
    const TYPE: u16 = 0x0505;
    const SCHEMA: u32 = layout!("ContentAnswerV1{refused:Option<Mismatch|Empty|TooLong|Full>}");
}

impl Wire for StatsAsk {
    const TYPE: u16 = 0x0506;
    const SCHEMA: u32 = layout!("StatsAskV1{reserved:u8}");
}

impl Wire for RelayStats {
    const TYPE: u16 = 0x0507;
    const SCHEMA: u32 = layout!(
        "RelayStatsV1{calls,legs,packets_in,packets_out,lost,late,strangers,malformed,send_failures,dead_media,orphans,
        events_dropped,frames_skipped,cpu_ns,content_bytes,
        hop_packets_out,hop_packets_in,hop_late,hop_lost,hop_dropped:u64}"
    );
}
