//! What a packet costs on its way over two relays, in CPU of their threads: by QUIC datagrams, and by plain UDP between the
//! same two relays. `cargo run --release -p strowger-relay --example hop_load 100 500 1000`.
//!
//! Both ways begin and end at a phone's socket, so the difference is the hop. The link's threads are counted, too. Absolute
//! numbers hold for this machine at this moment.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

#[path = "far/mod.rs"]
mod far;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use strowger_link::{Class, Handler, Identity, Link, Reply};
use strowger_media::{Codec, Hears, Law, MediaAddr, Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, LegKey, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::content_cache::ContentCache;
use strowger_relay::engine::{Engine, Limits, Options};
use strowger_relay::hop::Carrier;

use far::{Far, LEGS_A_SOCKET, LOOPBACK, listen, sockets};

const A: LegNo = LegNo(0);
const B: LegNo = LegNo(1);

/// One relay: its media thread, and a thread for its link.
struct Side {
    engine: Arc<Engine>,
    link: Link,
    _hop_sender: Arc<HopSender>,
    link_cpu_ns: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct HopSender(Link);
struct LinkHandler(Arc<Engine>);

fn main() {
    println!(
        "streams   QUIC ns/pkt (media + link)   lost     packets/datagram   delay variation   UDP ns/pkt   lost     ratio"
    );
    let identities = std::env::temp_dir().join(format!("strowger-hop-load-{}", std::process::id()));
    for argument in std::env::args().skip(1) {
        let Ok(streams) = argument.parse::<usize>() else {
            println!("`{argument}` is no number of streams; try: hop_load 100 500 1000");
            return;
        };
        compare(streams.max(2) / 2, &identities);
    }
    let _left_over = std::fs::remove_dir_all(identities);
}

fn compare(calls: usize, identities: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let by_quic = {
        let (one, two) = (Side::start(1, identities), Side::start(2, identities));
        connect(&one, &two);
        let far = runtime.block_on(quic_calls(&one, &two, calls));
        let measured = measure(&far, || one.cpu_ns() + two.cpu_ns(), || one.media_ns() + two.media_ns());
        let hop = one.engine.hops().remove(0);
        println!("        of the hop, one way: late {}, lost {}, dropped {}", hop.late, hop.lost, hop.dropped);
        (measured, hop.coalescing(), hop.jitter_us)
    };
    let by_udp = {
        let (one, two) = (Side::start(1, identities), Side::start(2, identities));
        let far = runtime.block_on(udp_calls(&one, &two, calls));
        measure(&far, || one.media_ns() + two.media_ns(), || one.media_ns() + two.media_ns())
    };
    let (quic, coalescing, jitter_us) = by_quic;
    println!(
        "{:7} {:12} ({:6} + {:6}) {:6.3}% {:18.2} {:14} µs {:12} {:6.3}% {:9.2}",
        calls * 2,
        quic.all_ns,
        quic.media_ns,
        quic.all_ns - quic.media_ns,
        quic.lost * 100.0,
        coalescing,
        jitter_us,
        by_udp.all_ns,
        by_udp.lost * 100.0,
        quic.all_ns as f64 / by_udp.all_ns.max(1) as f64,
    );
}

impl Side {
    fn start(number: u16, identities: &Path) -> Side {
        let contents = Arc::new(ContentCache::open(None).expect("a cache in memory"));
        let (events, _) = tokio::sync::mpsc::channel(1);
        let ports = 20_000..40_000;
        let options = Options {
            id: RelayId(number),
            address: LOOPBACK,
            advertise: None,
            ports,
            others: Vec::new(),
            refused: Vec::new(),
            threads: 1,
            limits: Limits::default(),
        };
        let engine = Arc::new(Engine::start(options, contents, events).expect("an engine"));
        let me = PeerId::Relay(RelayId(number));
        let identity = Identity::development(identities, me).expect("an identity");
        let options = strowger_link::Options { me, listen: (LOOPBACK, 0).into(), identity, layout: 0, peers: vec![] };
        let (stop, link_cpu_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn({
            let (stop, cpu, handler) = (stop.clone(), link_cpu_ns.clone(), Arc::new(LinkHandler(engine.clone())));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    tell.send(Link::start(options, handler).await.expect("a link")).expect("somebody who waits");
                    while !stop.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        let time = clock_gettime(ClockId::ThreadCPUTime);
                        cpu.store(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64, Ordering::Relaxed);
                    }
                });
            }
        });
        let link = told.recv().expect("a link");
        let hop_sender = Arc::new(HopSender(link.clone()));
        engine.carry_with(Arc::<HopSender>::downgrade(&hop_sender));
        Side { engine, link, _hop_sender: hop_sender, link_cpu_ns, stop, thread: Some(thread) }
    }

    fn media_ns(&self) -> u64 {
        self.engine.stats().cpu_ns
    }

    fn cpu_ns(&self) -> u64 {
        self.media_ns() + self.link_cpu_ns.load(Ordering::Relaxed)
    }

    async fn order(&self, call: u64, op: Op) -> RelayAnswer {
        let list = vec![RelayCommand { call: CallId(call), epoch: 1, op }];
        self.engine.submit(PeerId::Node(NodeId(1)), list).answers().await.remove(0)
    }

    async fn open(&self, call: u64, leg: LegNo) -> SocketAddr {
        let answer = self.order(call, Op::Open { leg }).await;
        let RelayAnswer::Opened { rtp, .. } = answer else { panic!("{answer:?}") };
        rtp
    }

    async fn hear(&self, call: u64, leg: LegNo, source: LegNo) {
        let what = Hears::leg(LegKey { call: CallId(call), leg: source });
        assert_eq!(self.order(call, Op::Hear { leg, what, no: 1 }).await, RelayAnswer::Done);
    }

    async fn point(&self, call: u64, leg: LegNo, rtp: SocketAddr) {
        let codec = Codec { law: Law::Mu, dtmf_payload_type: None };
        let media = MediaAddr { rtp, rtcp: SocketAddr::new(rtp.ip(), 9), codec };
        assert_eq!(self.order(call, Op::Remote { leg, media, send: true, receive: true }).await, RelayAnswer::Done);
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has said so already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Carrier for HopSender {
    fn open(&self, to: RelayId) -> bool {
        self.0.open_media(PeerId::Relay(to));
        true
    }

    fn carry(&self, to: RelayId, datagram: Bytes) -> bool {
        self.0.send_media(PeerId::Relay(to), datagram).is_ok()
    }
}

impl Handler for LinkHandler {
    fn on_cast(&self, _: PeerId, _: Class, _: Bytes) {}

    fn on_ask(&self, _: PeerId, _: Class, _: Bytes, _: Reply) {}

    fn on_media(&self, from: PeerId, datagram: Bytes) {
        self.0.take(from, &datagram);
    }
}

fn connect(one: &Side, two: &Side) {
    one.link.add_peer(two.link.me(), two.link.local_addr());
    one.link.open_media(two.link.me());
    while one.link.media_stats(two.link.me()).is_none() || two.link.media_stats(one.link.me()).is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Each call has a leg on either relay; they hear each other.
async fn quic_calls(one: &Side, two: &Side, calls: usize) -> Far {
    let sockets = sockets(calls * 2);
    let mut far = Vec::new();
    for call in 0..calls {
        for (side, leg, with, peer) in [(one, A, B, 2), (two, B, A, 1)] {
            let socket = &sockets[far.len() / LEGS_A_SOCKET];
            let relay = side.open(call as u64, leg).await;
            side.point(call as u64, leg, socket.local_addr().expect("a bound socket")).await;
            side.hear(call as u64, leg, with).await;
            let export = Op::Export { leg, to: vec![RelayId(peer)] };
            assert_eq!(side.order(call as u64, export).await, RelayAnswer::Done);
            far.push((socket.clone(), relay));
        }
    }
    far
}

/// Each call has two legs on either relay, which hear each other; the inner ones are each other's far ends.
async fn udp_calls(one: &Side, two: &Side, calls: usize) -> Far {
    let sockets = sockets(calls * 2);
    let mut far = Vec::new();
    for call in 0..calls as u64 {
        let inner = [one.open(call, B).await, two.open(call, B).await];
        for (side, other) in [(one, inner[1]), (two, inner[0])] {
            let socket = &sockets[far.len() / LEGS_A_SOCKET];
            let relay = side.open(call, A).await;
            side.point(call, A, socket.local_addr().expect("a bound socket")).await;
            side.point(call, B, other).await;
            side.hear(call, A, B).await;
            side.hear(call, B, A).await;
            far.push((socket.clone(), relay));
        }
    }
    far
}

struct Measured {
    /// Per packet from phone to phone.
    all_ns: u64,
    media_ns: u64,
    lost: f64,
}

fn measure(far: &Far, all: impl Fn() -> u64, media: impl Fn() -> u64) -> Measured {
    let window = listen(far, true, || (all(), media()));
    let ((all_before, media_before), (all, media)) = (window.before, window.after);
    let heard = window.heard.max(1);
    Measured { all_ns: (all - all_before) / heard, media_ns: (media - media_before) / heard, lost: window.lost() }
}
