//! Two relays, one call: what crosses from one to the other over real links on loopback.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_audio::tone::Tone;
use strowger_link::{Class, Handler, Identity, Link, Options, Reply, open, seal};
use strowger_model::{CallId, Law, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::hop::HopStats;
use strowger_relay::protocol::{Answers, Commands, Events, Op, Refusal, RelayAnswer, RelayCommand, What};
use strowger_relay::{Relay, RelayConfig};
use support::{A, B, CALL, LOOPBACK, PATIENCE, Phone};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const ONE: RelayId = RelayId(1);
const TWO: RelayId = RelayId(2);
/// A leg of relay one for other calls' parts of a test.
const C: LegNo = LegNo(2);

struct Ear(UnboundedSender<What>);

impl Handler for Ear {
    fn on_cast(&self, _: PeerId, _: Class, body: Bytes) {
        for event in open::<Events>(&body).unwrap().list {
            let _ = self.0.send(event.what);
        }
    }

    fn on_ask(&self, _: PeerId, _: Class, _: Bytes, _: Reply) {}
}

/// Two relays that know each other, and a node that owns the calls.
struct Pair {
    one: Relay,
    two: Relay,
    node: Link,
    events: UnboundedReceiver<What>,
    identities: TempDir,
}

async fn relay(id: RelayId, listen: SocketAddr, identities: &Path) -> Relay {
    let config = RelayConfig {
        id,
        link_listen: listen,
        identity: Identity::development(identities, PeerId::Relay(id)).unwrap(),
        peers: vec![],
        address: LOOPBACK,
        advertise: None,
        ports: 20_000..30_000,
        // Different numbers of threads: calls are spread differently on both sides.
        threads: usize::from(id.0),
        content_dir: None,
        dead_media: None,
    };
    Relay::start(config).await.unwrap()
}

impl Pair {
    async fn new() -> Pair {
        let identities = tempfile::tempdir().unwrap();
        let any = (LOOPBACK, 0).into();
        let (one, two) = (relay(ONE, any, identities.path()).await, relay(TWO, any, identities.path()).await);
        one.join_relays(vec![(TWO, two.link_addr())]);
        two.join_relays(vec![(ONE, one.link_addr())]);
        let (sender, events) = unbounded_channel();
        let me = PeerId::Node(NodeId(1));
        let peers = vec![(PeerId::Relay(ONE), one.link_addr()), (PeerId::Relay(TWO), two.link_addr())];
        let identity = Identity::development(identities.path(), me).unwrap();
        let options = Options { me, listen: any, identity, peers };
        let node = Link::start(options, Arc::new(Ear(sender))).await.unwrap();
        let pair = Pair { one, two, node, events, identities };
        pair.up().await;
        pair
    }

    /// Waits for all connections.
    async fn up(&self) {
        let linked = || self.node.connected(PeerId::Relay(ONE)) && self.node.connected(PeerId::Relay(TWO));
        eventually("the node's links", linked).await;
        // The meter of a hop is made by the first join.
        self.open(ONE, CallId(0), A).await;
        self.open(TWO, CallId(0), B).await;
        self.done(ONE, CallId(0), Op::Join { leg: A, with: B, peer: TWO }).await;
        self.done(TWO, CallId(0), Op::Join { leg: B, with: A, peer: ONE }).await;
        let up = |relay: &Relay| relay.hops().iter().any(|hop| hop.link.is_some());
        eventually("the hop", || up(&self.one) && up(&self.two)).await;
    }

    async fn order(&self, relay: RelayId, call: CallId, op: Op) -> RelayAnswer {
        let body = seal(&Commands { list: vec![RelayCommand { call, epoch: 1, op }] });
        let answer = self.node.ask(PeerId::Relay(relay), Class::Relay, body, PATIENCE).await.unwrap();
        open::<Answers>(&answer).unwrap().list.remove(0)
    }

    async fn done(&self, relay: RelayId, call: CallId, op: Op) {
        assert_eq!(self.order(relay, call, op).await, RelayAnswer::Done);
    }

    async fn open(&self, relay: RelayId, call: CallId, leg: LegNo) -> SocketAddr {
        let answer = self.order(relay, call, Op::Open { leg }).await;
        let RelayAnswer::Opened { rtp, .. } = answer else { panic!("{answer:?}") };
        rtp
    }

    async fn phone(&self, relay: RelayId, call: CallId, leg: LegNo, law: Law) -> Phone {
        let phone = Phone::new(self.open(relay, call, leg).await, law);
        self.done(relay, call, phone.remote(leg, true, true)).await;
        phone
    }

    async fn join(&self, call: CallId) {
        self.done(ONE, call, Op::Join { leg: A, with: B, peer: TWO }).await;
        self.done(TWO, call, Op::Join { leg: B, with: A, peer: ONE }).await;
    }

    /// A caller at relay one, an agent at relay two, joined.
    async fn call(&self) -> (Phone, Phone) {
        let caller = self.phone(ONE, CALL, A, Law::Mu).await;
        let agent = self.phone(TWO, CALL, B, Law::A).await;
        self.join(CALL).await;
        (caller, agent)
    }

    fn hop(&self, of: &Relay) -> HopStats {
        of.hops().remove(0)
    }
}

async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn tone(frequency: f32) -> Tone {
    Tone::single(frequency, 8000.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tone_crosses_both_ways_over_different_laws() {
    let pair = Pair::new().await;
    let (mut caller, mut agent) = pair.call().await;
    caller.say(&mut tone(1000.0), 25);
    agent.say(&mut tone(440.0), 25);
    let [thousand, low] = agent.hear_tones([1000.0, 440.0], 25);
    assert!(thousand > 0.95 && low < 0.05, "{thousand} {low}");
    let [thousand, low] = caller.hear_tones([1000.0, 440.0], 25);
    assert!(low > 0.95 && thousand < 0.05, "{thousand} {low}");
    for (relay, peer) in [(&pair.one, TWO), (&pair.two, ONE)] {
        let hop = pair.hop(relay);
        assert_eq!((hop.peer, hop.packets_out, hop.packets_in, hop.lost, hop.dropped), (peer, 25, 25, 0, 0), "{hop:?}");
        // 25 frames at once are five datagrams.
        assert!(hop.coalescing() > 2.0 && hop.link.is_some(), "{hop:?}");
        let stats = relay.stats();
        assert_eq!((stats.hop_packets_out, stats.hop_packets_in), (25, 25));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digit_crosses_and_is_told_once() {
    let mut pair = Pair::new().await;
    let (mut caller, agent) = pair.call().await;
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
async fn join_again_leave_and_bridge() {
    let pair = Pair::new().await;
    let (mut caller, mut agent) = pair.call().await;
    let mut other = pair.phone(ONE, CALL, C, Law::Mu).await;
    caller.say(&mut tone(440.0), 5);
    pair.join(CALL).await;
    caller.say(&mut tone(440.0), 5);
    // One unbroken stream: saying it again begins nothing anew.
    let [low] = agent.hear_tones([440.0], 10);
    assert!(low > 0.95, "{low}");

    pair.done(ONE, CALL, Op::Leave { leg: A }).await;
    pair.done(ONE, CALL, Op::Leave { leg: A }).await;
    caller.say(&mut tone(440.0), 3);
    agent.say(&mut tone(440.0), 3);
    assert!(agent.is_deaf() && caller.is_deaf());
    // The agent's relay still sends; here nobody is joined with that leg.
    eventually("the drops", || pair.hop(&pair.one).dropped == 3).await;

    pair.join(CALL).await;
    pair.done(ONE, CALL, Op::Bridge { a: A, b: C }).await;
    caller.say(&mut tone(440.0), 3);
    other.say(&mut tone(1000.0), 3);
    let [low] = other.hear_tones([440.0], 3);
    let [thousand] = caller.hear_tones([1000.0], 3);
    assert!(low > 0.9 && thousand > 0.9 && agent.is_deaf(), "{low} {thousand}");
    // And back: the join takes the place of the bridge, on both its sides.
    pair.join(CALL).await;
    other.say(&mut tone(1000.0), 3);
    caller.say(&mut tone(440.0), 3);
    let [low] = agent.hear_tones([440.0], 3);
    assert!(low > 0.9 && caller.is_deaf(), "{low}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_joined_is_refused() {
    let pair = Pair::new().await;
    let _call = pair.call().await;
    for (op, why) in [
        (Op::Join { leg: A, with: A, peer: TWO }, Refusal::SameLeg),
        (Op::Join { leg: A, with: B, peer: ONE }, Refusal::BadRelay),
        (Op::Join { leg: C, with: B, peer: TWO }, Refusal::NoSuchLeg),
        (Op::Leave { leg: C }, Refusal::NoSuchLeg),
    ] {
        assert_eq!(pair.order(ONE, CALL, op).await, RelayAnswer::Refused { why });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_holds_on_both_sides_and_ends_without_a_hole() {
    let pair = Pair::new().await;
    let (mut caller, mut agent) = pair.call().await;
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
    let pair = Pair::new().await;
    let (mut caller, agent) = pair.call().await;
    pair.done(TWO, CALL, Op::Leave { leg: B }).await;
    caller.say(&mut tone(440.0), 4);
    eventually("unknown flows", || pair.hop(&pair.two).dropped == 4).await;
    // A node is a proven peer, and no relay.
    let to = PeerId::Relay(TWO);
    pair.node.open_media(to);
    eventually("a media connection", || pair.node.media_stats(to).is_some()).await;
    pair.node.send_media(to, Bytes::from("voice?")).unwrap();
    eventually("a stranger", || pair.two.stats().hop_dropped == 5).await;
    assert!(agent.is_deaf());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_relay_restarts_and_is_joined_again() {
    let mut pair = Pair::new().await;
    let (mut caller, agent) = pair.call().await;
    caller.say(&mut tone(440.0), 1);
    let first = agent.hear().0;
    let listen = pair.two.link_addr();
    let spare = relay(RelayId(3), (LOOPBACK, 0).into(), pair.identities.path()).await;
    std::mem::replace(&mut pair.two, spare).close().await;
    // The socket goes with the last task that holds it, a moment later.
    let free = move || while std::net::UdpSocket::bind(listen).is_err() {};
    tokio::task::spawn_blocking(free).await.unwrap();
    pair.two = relay(TWO, listen, pair.identities.path()).await;
    pair.two.join_relays(vec![(ONE, pair.one.link_addr())]);
    pair.up().await;
    let mut agent = pair.phone(TWO, CALL, B, Law::A).await;
    pair.join(CALL).await;
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
    let pair = Pair::new().await;
    let mut phones = Vec::new();
    for call in 100..100 + CALLS {
        let caller = pair.phone(ONE, CallId(call), A, Law::Mu).await;
        let agent = pair.phone(TWO, CallId(call), B, Law::Mu).await;
        pair.join(CallId(call)).await;
        phones.push((caller, agent));
    }
    let heard = std::thread::scope(|scope| {
        let speaker = scope.spawn(|| speak(phones, FRAMES));
        speaker.join().unwrap()
    });
    let (out, came) = (pair.hop(&pair.one), pair.hop(&pair.two));
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
