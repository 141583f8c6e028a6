//! The layouts of the protocol's messages, frozen.

use strowger_model::{Wire, schema};

use crate::RelayStats;
use crate::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};

/// The layouts below all others: they are part of each schema text, so a change in `model` is noticed too.
macro_rules! layout {
    ($text:literal) => {
        schema(concat!(
            $text,
            "CallId(u64)LegNo(u16)LegKey{call,leg}RelayId(u16)Incarnation(u64)Digest([u8;32])
            Codec{law:Mu|A,dtmf:Option<u8>}MediaAddr{rtp:SocketAddr,rtcp:SocketAddr,codec:Codec}
            Gain(u16)Hears=Nothing|Content{digest,repeat:bool,play:u64}|Legs(Vec<(LegKey,Gain)>)"
        ))
    };
}

impl Wire for Commands {
    const TYPE: u16 = 0x0501;
    const SCHEMA: u32 = layout!(
        "CommandsV1{list:Vec<{call,epoch:u64,op}>}Op=Open{leg}|Remote{leg,media,send:bool,receive:bool}|
        Hear{leg,what:Hears,no:u64}|Export{leg,to:Vec<RelayId>}|CloseLeg{leg}|Close|Adopt|Ack{seq:u64}"
    );
}

impl Wire for Answers {
    const TYPE: u16 = 0x0502;
    const SCHEMA: u32 = layout!(
        "AnswersV1{incarnation,list:Vec<Done|Opened{rtp,rtcp}|Snapshot{legs:Vec<LegSnapshot>,missed:Vec<RelayEvent>}|
        Closed{legs:Vec<LegStats>}|NeedContent{content}|Refused{why}>}
        LegSnapshot{leg,local,remote:Option<MediaAddr>,latched:Option<SocketAddr>,send,receive,hears,no:u64,
        play:Option<Awaited|Playing|Over>,exports:Vec<RelayId>,dead:bool,packets_in:u64,packets_out:u64,quiet_ms:Option<u64>}
        LegStats{leg,received:u64,sent:u64,lost:u64,jitter_us:u64,quiet_ms:Option<u64>}
        RelayEvent{call,seq:u64,leg,what}
        What=Digit{digit:u8}|PlayDone{play:u64}|DeadMedia{since_ms:u64}|MediaBack|Latched{addr}
        Refusal=Fenced{epoch:u64}|NoSuchCall|NoSuchLeg|Ended|NoPorts|NoSockets|TooManyLegs|BadAddress|
        ForbiddenAddress|SameLeg|BadSources|Stopping|BadRelay"
    );
}

impl Wire for Events {
    const TYPE: u16 = 0x0503;
    const SCHEMA: u32 = layout!(
        "EventsV1{incarnation,list:Vec<RelayEvent>}RelayEvent{call,seq:u64,leg,what}
        What=Digit{digit:u8}|PlayDone{play:u64}|DeadMedia{since_ms:u64}|MediaBack|Latched{addr}"
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
