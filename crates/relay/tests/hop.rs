//! Legs on two relays: what crosses from one to the other over real links on loopback.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_audio::tone::Tone;
use strowger_media::{Hears, Law, Op, Refusal, RelayAnswer, What};
use strowger_model::{CallId, LegKey, LegNo, PeerId, RelayId};
use strowger_relay::Relay;
use strowger_relay::hop::HopStats;
use support::relays::{Relays, eventually, relay};
use support::{A, B, CALL, LOOPBACK, PATIENCE, Phone, key};

const ONE: RelayId = RelayId(1);
const TWO: RelayId = RelayId(2);
/// A leg of relay one for other calls' parts of a test.
const C: LegNo = LegNo(2);

async fn pair() -> Relays {
    Relays::start(2).await
}

/// Leg A of relay one and leg B of relay two hear each other.
async fn join(relays: &Relays, call: CallId) {
    let key = |leg| LegKey { call, leg };
    for (relay, leg, peer, other) in [(ONE, A, TWO, B), (TWO, B, ONE, A)] {
        relays.export(relay, key(leg), vec![peer]).await;
        relays.hear(relay, key(leg), Hears::leg(key(other))).await;
    }
}

/// A caller at relay one, an agent at relay two, joined.
async fn call(relays: &Relays) -> (Phone, Phone) {
    let caller = relays.phone(ONE, key(A), Law::Mu).await;
    let agent = relays.phone(TWO, key(B), Law::A).await;
    join(relays, CALL).await;
    (caller, agent)
}

fn hop(of: &Relay) -> HopStats {
    of.hops().remove(0)
}

fn tone(frequency: f32) -> Tone {
    Tone::single(frequency, 8000.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tone_crosses_both_ways_over_different_laws() {
    let pair = pair().await;
    let (mut caller, mut agent) = call(&pair).await;
    caller.say(&mut tone(1000.0), 25);
    agent.say(&mut tone(440.0), 25);
    let [thousand, low] = agent.hear_tones([1000.0, 440.0], 25);
    assert!(thousand > 0.95 && low < 0.05, "{thousand} {low}");
    let [thousand, low] = caller.hear_tones([1000.0, 440.0], 25);
    assert!(low > 0.95 && thousand < 0.05, "{thousand} {low}");
    for (relay, peer) in [(&pair.list[0], TWO), (&pair.list[1], ONE)] {
        // What was sent is counted a moment after it left.
        eventually("the count", || hop(relay).packets_out == 25).await;
        let hop = hop(relay);
        assert_eq!((hop.peer, hop.packets_out, hop.packets_in, hop.lost, hop.dropped), (peer, 25, 25, 0, 0), "{hop:?}");
        // 25 frames at once are five datagrams.
        assert!(hop.coalescing() > 2.0 && hop.link.is_some(), "{hop:?}");
        let stats = relay.stats();
        assert_eq!((stats.hop_packets_out, stats.hop_packets_in), (25, 25));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digit_crosses_and_is_told_once() {
    let mut pair = pair().await;
    let (mut caller, agent) = call(&pair).await;
    caller.say(&mut tone(440.0), 1);
    for (end, duration) in [(false, 160), (false, 320), (true, 480), (true, 480), (true, 480)] {
        caller.press(5, end, duration);
    }
    let digit = tokio::time::timeout(PATIENCE, pair.events.recv()).await.unwrap();
    assert_eq!(digit, Some(What::Digit { digit: b'5' }));
    let voice = agent.hear().0;
    assert_eq!((voice.payload_type, voice.marker), (8, true));
    let packets: Vec<_> = (0..5).map(|_| agent.hear()).collect();
    assert!(packets.iter().all(|(header, payload)| header.payload_type == support::DTMF && payload.len() == 4));
    assert!(packets.iter().all(|(header, _)| header.ssrc == voice.ssrc && header.timestamp == packets[0].0.timestamp));
    assert!(pair.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn said_again_taken_back_and_replaced() {
    let pair = pair().await;
    let (mut caller, mut agent) = call(&pair).await;
    let mut other = pair.phone(ONE, key(C), Law::Mu).await;
    caller.say(&mut tone(440.0), 5);
    join(&pair, CALL).await;
    caller.say(&mut tone(440.0), 5);
    // One unbroken stream: saying it again begins nothing anew.
    let [low] = agent.hear_tones([440.0], 10);
    assert!(low > 0.95, "{low}");

    pair.hear(ONE, key(A), Hears::Nothing).await;
    pair.export(ONE, key(A), vec![]).await;
    caller.say(&mut tone(440.0), 3);
    agent.say(&mut tone(440.0), 3);
    assert!(agent.is_deaf() && caller.is_deaf());
    // The agent's relay still sends; here nobody hears that leg.
    eventually("the drops", || hop(&pair.list[0]).dropped == 3).await;

    join(&pair, CALL).await;
    pair.export(ONE, key(A), vec![]).await;
    pair.hear(ONE, key(A), Hears::leg(key(C))).await;
    pair.hear(ONE, key(C), Hears::leg(key(A))).await;
    caller.say(&mut tone(440.0), 3);
    other.say(&mut tone(1000.0), 3);
    let [low] = other.hear_tones([440.0], 3);
    let [thousand] = caller.hear_tones([1000.0], 3);
    assert!(low > 0.9 && thousand > 0.9 && agent.is_deaf(), "{low} {thousand}");
    // And back: the other leg is heard by nobody.
    join(&pair, CALL).await;
    other.say(&mut tone(1000.0), 3);
    caller.say(&mut tone(440.0), 3);
    let [low] = agent.hear_tones([440.0], 3);
    assert!(low > 0.9 && caller.is_deaf(), "{low}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_refused() {
    let pair = pair().await;
    let _call = call(&pair).await;
    for (op, why) in [
        (Op::Export { leg: C, to: vec![TWO] }, Refusal::NoSuchLeg),
        (Op::Export { leg: A, to: (2..18).map(RelayId).collect() }, Refusal::BadRelay),
        (Op::Hear { leg: C, what: Hears::Nothing, no: 1 }, Refusal::NoSuchLeg),
    ] {
        assert_eq!(pair.order(ONE, CALL, op).await, RelayAnswer::Refused { why });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_holds_on_both_sides_and_ends_without_a_hole() {
    let pair = pair().await;
    let (mut caller, mut agent) = call(&pair).await;
    caller.say(&mut tone(440.0), 1);
    let before = agent.hear().0;
    pair.done(TWO, CALL, agent.remote(B, false, false)).await;
    caller.say(&mut tone(440.0), 3);
    agent.say(&mut tone(440.0), 3);
    assert!(agent.is_deaf() && caller.is_deaf());
    pair.done(TWO, CALL, agent.remote(B, true, true)).await;
    caller.say(&mut tone(440.0), 3);
    let after = agent.hear().0;
    assert_eq!((after.sequence, after.ssrc), (before.sequence.wrapping_add(1), before.ssrc));
    agent.hear();
    agent.hear();
    // The caller's own hold: its packets end at its relay, and the agent's relay learns that this was no loss.
    pair.done(ONE, CALL, caller.remote(A, true, false)).await;
    caller.say(&mut tone(440.0), 3);
    pair.done(ONE, CALL, caller.remote(A, true, true)).await;
    caller.say(&mut tone(440.0), 1);
    let last = agent.hear().0;
    assert_eq!((last.sequence, last.marker), (after.sequence.wrapping_add(3), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_unknown_flows_are_counted_and_dropped() {
    let pair = pair().await;
    let (mut caller, agent) = call(&pair).await;
    pair.hear(TWO, key(B), Hears::Nothing).await;
    caller.say(&mut tone(440.0), 4);
    eventually("unknown flows", || hop(&pair.list[1]).dropped == 4).await;
    // A node is a proven peer, and no relay.
    let to = PeerId::Relay(TWO);
    pair.node.open_media(to);
    eventually("a media connection", || pair.node.media_stats(to).is_some()).await;
    pair.node.send_media(to, Bytes::from("voice?")).unwrap();
    eventually("a stranger", || pair.list[1].stats().hop_dropped == 5).await;
    assert!(agent.is_deaf());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_relay_restarts_and_is_joined_again() {
    let mut pair = pair().await;
    let (mut caller, agent) = call(&pair).await;
    caller.say(&mut tone(440.0), 1);
    let first = agent.hear().0;
    let listen = pair.list[1].link_addr();
    let spare = relay(RelayId(3), (LOOPBACK, 0).into(), pair.identities.path()).await;
    std::mem::replace(&mut pair.list[1], spare).close().await;
    // The socket goes with the last task that holds it, a moment later.
    let free = move || while std::net::UdpSocket::bind(listen).is_err() {};
    tokio::task::spawn_blocking(free).await.unwrap();
    pair.list[1] = relay(TWO, listen, pair.identities.path()).await;
    pair.list[1].join_relays(vec![(ONE, pair.list[0].link_addr())]);
    pair.up().await;
    let mut agent = pair.phone(TWO, key(B), Law::A).await;
    join(&pair, CALL).await;
    caller.say(&mut tone(440.0), 5);
    agent.say(&mut tone(1000.0), 5);
    let [low] = agent.hear_tones([440.0], 5);
    let [thousand] = caller.hear_tones([1000.0], 5);
    assert!(low > 0.9 && thousand > 0.9, "{low} {thousand}");
    assert_ne!(first.ssrc, 0);
}

/// 50 legs at 50 packets a second for two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_hop_loses_nothing_and_coalesces() {
    const CALLS: u64 = 50;
    const FRAMES: u64 = 100;
    let pair = pair().await;
    let mut phones = Vec::new();
    for call in 100..100 + CALLS {
        let caller = pair.phone(ONE, LegKey { call: CallId(call), leg: A }, Law::Mu).await;
        let agent = pair.phone(TWO, LegKey { call: CallId(call), leg: B }, Law::Mu).await;
        join(&pair, CallId(call)).await;
        phones.push((caller, agent));
    }
    let heard = std::thread::scope(|scope| {
        let speaker = scope.spawn(|| speak(phones, FRAMES));
        speaker.join().unwrap()
    });
    let (out, came) = (hop(&pair.list[0]), hop(&pair.list[1]));
    let all = (CALLS * FRAMES) as f64;
    // Nothing vanishes. What a machine that stood still made late is dropped on purpose and is no loss; it is counted, and
    // the greater part has to be heard even so.
    assert!((heard + came.late) as f64 >= all * 0.995, "{heard}: {out:?} {came:?}");
    assert!(came.lost as f64 <= all * 0.005 && heard as f64 >= all * 0.75, "{heard}: {out:?} {came:?}");
    assert!(out.coalescing() > 2.0, "{out:?}");
}

/// All callers speak, spread over 20 ms; gives how many packets the agents heard.
fn speak(mut phones: Vec<(Phone, Phone)>, frames: u64) -> u64 {
    let start = Instant::now();
    let mut heard = 0;
    for (_, agent) in &phones {
        agent.socket.set_nonblocking(true).unwrap();
    }
    let count = phones.len();
    for tick in 0..frames * 20 {
        for (caller, _) in phones.iter_mut().skip(tick as usize % 20).step_by(20) {
            caller.send(&[0x55; 160]);
            caller.header.timestamp += 160;
        }
        if tick % 20 == 0 {
            heard += drain(&phones);
        }
        let due = start + Duration::from_millis(tick + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let deadline = Instant::now() + Duration::from_secs(2);
    while heard < count as u64 * frames && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        heard += drain(&phones);
    }
    heard
}

fn drain(phones: &[(Phone, Phone)]) -> u64 {
    let mut bytes = [0; 256];
    let mut of = |agent: &Phone| std::iter::from_fn(|| agent.socket.recv_from(&mut bytes).ok()).count() as u64;
    phones.iter().map(|(_, agent)| of(agent)).sum()
}
