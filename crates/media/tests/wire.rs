//! The protocol on the wire: what was released stays readable, and damage is an error.

use std::net::SocketAddr;

use strowger_link::{open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, ContentRefusal, Events};
use strowger_media::{
    Codec, Gain, Hears, Law, LegSnapshot, LegStats, MediaAddr, Op, PlayState, Refusal, RelayAnswer, RelayCommand,
    RelayEvent, RelayStats, What,
};
use strowger_model::{CallId, Digest, Incarnation, LegKey, LegNo, RelayId};

const INCARNATION: Incarnation = Incarnation(11);

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn media() -> MediaAddr {
    let codec = Codec { law: Law::A, dtmf_payload_type: Some(101) };
    MediaAddr { rtp: address(4000), rtcp: address(4001), codec }
}

fn hearings() -> [Hears; 3] {
    let source = |call, leg| LegKey { call: CallId(call), leg: LegNo(leg) };
    [
        Hears::Nothing,
        Hears::Content { digest: Digest([5; 32]), repeat: true, play: 6 },
        Hears::Legs(vec![(source(3, 2), Gain::UNITY), (source(4, 0), Gain(77))]),
    ]
}

fn commands() -> Commands {
    let leg = LegNo(1);
    let mut ops = vec![
        Op::Open { leg },
        Op::Remote { leg, media: media(), send: true, receive: false },
        Op::Export { leg, to: vec![RelayId(8), RelayId(9)] },
        Op::CloseLeg { leg },
        Op::Adopt { leg },
        Op::Ack { leg, seq: 7 },
    ];
    ops.extend(hearings().map(|what| Op::Hear { leg, what, no: 10 }));
    Commands { list: ops.into_iter().map(|op| RelayCommand { call: CallId(3), epoch: 4, op }).collect() }
}

fn events() -> Vec<RelayEvent> {
    let facts = [
        What::Digit { digit: b'5' },
        What::PlayDone { play: 1 },
        What::DeadMedia { since_ms: 10_000 },
        What::MediaBack,
        What::Latched { addr: "[2001:db8::1]:4002".parse().unwrap() },
    ];
    facts.map(|what| RelayEvent { call: CallId(3), seq: 1, leg: LegNo(1), what }).to_vec()
}

fn snapshots() -> Vec<LegSnapshot> {
    let plays = [None, Some(PlayState::Over), None];
    let snapshot = |(hears, play)| LegSnapshot {
        leg: LegNo(1),
        local: address(20_000),
        remote: Some(media()),
        latched: None,
        send: true,
        receive: true,
        hears,
        no: 12,
        play,
        exports: vec![RelayId(8)],
        dead: false,
        packets_in: 1,
        packets_out: 2,
        quiet_ms: None,
    };
    hearings().into_iter().zip(plays).map(snapshot).collect()
}

fn answers() -> Answers {
    let stats = LegStats { leg: LegNo(1), received: 1, sent: 2, lost: 3, jitter_us: 4, quiet_ms: Some(5) };
    let refusals = [
        Refusal::Fenced { epoch: 9 },
        Refusal::NoSuchCall,
        Refusal::NoSuchLeg,
        Refusal::Ended,
        Refusal::NoPorts,
        Refusal::NoSockets,
        Refusal::TooManyLegs,
        Refusal::BadAddress,
        Refusal::ForbiddenAddress,
        Refusal::SameLeg,
        Refusal::BadSources,
        Refusal::Stopping,
        Refusal::BadRelay,
    ];
    let mut list = vec![
        RelayAnswer::Done,
        RelayAnswer::Opened { rtp: address(20_000), rtcp: address(20_001) },
        RelayAnswer::Closed { leg: stats },
        RelayAnswer::NeedContent { content: Digest([5; 32]) },
    ];
    list.extend(snapshots().into_iter().map(|leg| RelayAnswer::Snapshot { leg: Box::new(leg), missed: events() }));
    list.extend(refusals.map(RelayAnswer::refused));
    Answers { incarnation: INCARNATION, list }
}

/// FNV-1a over the sealed bytes. If it moves, released relays and nodes no longer understand each other: make a v2.
fn print_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn golden_bytes() {
    let put = ContentPut { digest: Digest([1; 32]), bytes: vec![1, 2, 3] };
    let refused = ContentAnswer { refused: Some(ContentRefusal::Full) };
    let stats = RelayStats { calls: 1, content_bytes: 15, hop_dropped: 20, ..RelayStats::default() };
    let prints = [
        seal(&commands()),
        seal(&answers()),
        seal(&Events { incarnation: INCARNATION, list: events() }),
        seal(&put),
        seal(&refused),
        seal(&stats),
    ]
    .map(|bytes| print_of(&bytes));
    let released = [
        5_175_835_149_897_086_662,
        15_109_606_962_848_931_625,
        961_178_673_845_412_927,
        6_919_116_826_551_297_611,
        8_081_971_473_582_036_458,
        1_047_248_768_045_714_924,
    ];
    assert_eq!(prints, released);
}

#[test]
fn all_come_back_as_they_went() {
    assert_eq!(open::<Commands>(&seal(&commands())).unwrap(), commands());
    assert_eq!(open::<Answers>(&seal(&answers())).unwrap(), answers());
    let events = Events { incarnation: INCARNATION, list: events() };
    assert_eq!(open::<Events>(&seal(&events)).unwrap(), events);
}

#[test]
fn damage_is_an_error() {
    let whole = seal(&commands());
    for at in 0..whole.len() {
        assert!(open::<Commands>(&whole[..at]).is_err());
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        assert!(open::<Commands>(&bytes).is_err());
    }
    assert!(open::<Answers>(&whole).is_err());
}
