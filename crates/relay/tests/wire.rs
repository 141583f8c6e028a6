//! The protocol on the wire: what was released stays readable, and damage is an error.

use std::net::SocketAddr;

use strowger_link::{open, seal};
use strowger_model::{CallId, Codec, Digest, Law, LegNo, MediaAddr, RelayId};
use strowger_relay::protocol::{Answers, Commands, LegSnapshot, LegStats, Op, Refusal, RelayAnswer, RelayCommand};
use strowger_relay::protocol::{ContentAnswer, ContentPut, ContentRefusal, Events, RelayEvent, RelayStats, What};

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn media() -> MediaAddr {
    let codec = Codec { law: Law::A, dtmf_payload_type: Some(101) };
    MediaAddr { rtp: address(4000), rtcp: address(4001), codec }
}

fn commands() -> Commands {
    let (leg, a, b) = (LegNo(1), LegNo(1), LegNo(2));
    let ops = [
        Op::Open { leg },
        Op::Remote { leg, media: media(), send: true, receive: false },
        Op::Play { leg, content: Digest([5; 32]), repeat: true, id: 6 },
        Op::Stop { leg },
        Op::Bridge { a, b },
        Op::Unbridge { a, b },
        Op::CloseLeg { leg },
        Op::Close,
        Op::Adopt,
        Op::Ack { seq: 7 },
        Op::Join { leg, with: b, peer: RelayId(8) },
        Op::Leave { leg },
    ];
    Commands { list: ops.map(|op| RelayCommand { call: CallId(3), epoch: 4, op }).to_vec() }
}

fn events() -> Vec<RelayEvent> {
    let facts = [
        What::Digit { digit: b'5' },
        What::PlayDone { id: 1 },
        What::DeadMedia { since_ms: 10_000 },
        What::MediaBack,
        What::Latched { addr: "[2001:db8::1]:4002".parse().unwrap() },
    ];
    facts.map(|what| RelayEvent { call: CallId(3), seq: 1, leg: LegNo(1), what }).to_vec()
}

fn answers() -> Answers {
    let stats = LegStats { leg: LegNo(1), received: 1, sent: 2, lost: 3, jitter_us: 4, quiet_ms: Some(5) };
    let snapshot = LegSnapshot {
        leg: LegNo(1),
        local: address(20_000),
        remote: Some(media()),
        latched: None,
        send: true,
        receive: true,
        bridged_to: Some(LegNo(2)),
        playing: Some(9),
        dead: false,
        packets_in: 1,
        packets_out: 2,
        quiet_ms: None,
    };
    let refusals = [
        Refusal::Fenced { epoch: 9 },
        Refusal::NoSuchCall,
        Refusal::NoSuchLeg,
        Refusal::Ended,
        Refusal::NoPorts,
        Refusal::NoSockets,
        Refusal::TooManyLegs,
        Refusal::BadAddress,
        Refusal::SameLeg,
        Refusal::Stopping,
        Refusal::BadRelay,
    ];
    let mut list = vec![
        RelayAnswer::Done,
        RelayAnswer::Opened { rtp: address(20_000), rtcp: address(20_001) },
        RelayAnswer::Snapshot { legs: vec![snapshot], missed: events() },
        RelayAnswer::Closed { legs: vec![stats] },
        RelayAnswer::NeedContent { content: Digest([5; 32]) },
    ];
    list.extend(refusals.map(|why| RelayAnswer::Refused { why }));
    Answers { list }
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
        seal(&Events { list: events() }),
        seal(&put),
        seal(&refused),
        seal(&stats),
    ]
    .map(|bytes| print_of(&bytes));
    let released = [
        4_807_836_497_091_416_903,
        8_086_399_231_932_887_681,
        10_909_750_164_768_672_566,
        766_572_275_912_541_727,
        4_537_161_262_044_402_253,
        5_394_482_144_459_538_716,
    ];
    assert_eq!(prints, released);
}

#[test]
fn all_come_back_as_they_went() {
    assert_eq!(open::<Commands>(&seal(&commands())).unwrap(), commands());
    assert_eq!(open::<Answers>(&seal(&answers())).unwrap(), answers());
    let list = events();
    assert_eq!(open::<Events>(&seal(&Events { list: list.clone() })).unwrap().list, list);
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
