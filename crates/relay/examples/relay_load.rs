//! CPU time of the relay's media thread for each packet, at N streams: `relay_load 100 1000 4000`.
//!
//! A bare loop that only receives and sends runs beside it in the same process and at the same rate; the ratio is what the
//! relay adds. Absolute numbers hold for this machine at this moment.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

#[path = "far/mod.rs"]
mod far;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rustix::event::{Timespec, epoll};
use rustix::time::{ClockId, clock_gettime};
use strowger_media::content::from_mu_law;
use strowger_media::{Codec, Gain, Hears, Law, MediaAddr, Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, LegKey, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::content_cache::ContentCache;
use strowger_relay::engine::{Engine, Limits, Options};

use far::{Far, LEGS_A_SOCKET, LOOPBACK, listen, sockets};

struct Measured {
    ns_a_packet: u64,
    core: f64,
    lost: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!(
        "streams   relay ns/pkt   core   lost     bare loop ns/pkt   ratio    music ns/pkt   core    mix of three ns/pkt   core"
    );
    for argument in std::env::args().skip(1) {
        let Ok(streams) = argument.parse::<usize>() else {
            println!("`{argument}` is no number of streams; try: relay_load 100 1000 4000");
            return;
        };
        let streams = streams.max(2) / 2 * 2;
        let relay = bridge(streams).await;
        let bare = bare_loop(streams);
        let music = music(streams).await;
        let mix = mix(streams).await;
        println!(
            "{streams:7} {:14} {:5.1}% {:6.3}% {:18} {:7.2} {:15} {:5.1}% {:22} {:5.1}%",
            relay.ns_a_packet,
            relay.core * 100.0,
            relay.lost * 100.0,
            bare.ns_a_packet,
            relay.ns_a_packet as f64 / bare.ns_a_packet.max(1) as f64,
            music.ns_a_packet,
            music.core * 100.0,
            mix.ns_a_packet,
            mix.core * 100.0,
        );
    }
}

async fn bridge(streams: usize) -> Measured {
    let hear = |call, leg, source| {
        let what = Hears::leg(LegKey { call: CallId(call), leg: LegNo(source) });
        Op::Hear { leg: LegNo(leg), what, no: 1 }
    };
    let (engine, far) = engine_with_legs(streams, 2, |call| vec![hear(call, 0, 1), hear(call, 1, 0)]).await;
    let sample = || (engine.stats().cpu_ns, engine.stats().packets_in);
    measure(&far, true, sample)
}

/// As many legs that hear music and say nothing.
async fn music(streams: usize) -> Measured {
    let content = from_mu_law((0..80_000u32).map(|at| (at % 251) as u8).collect());
    let digest = content.digest;
    let play = |leg| Op::Hear { leg, what: Hears::Content { digest, repeat: true, play: 1 }, no: 1 };
    let (engine, far) = engine_with_legs(streams, 2, |_| vec![play(LegNo(0)), play(LegNo(1))]).await;
    let sample = || (engine.stats().cpu_ns, engine.stats().packets_out);
    measure(&far, false, sample)
}

/// Calls of four; each hears the three others. By packets sent, of which each came in as well.
async fn mix(streams: usize) -> Measured {
    const PARTIES: u16 = 4;
    let hear = |call, leg| {
        let source = |other| (LegKey { call: CallId(call), leg: LegNo(other) }, Gain::UNITY);
        let what = Hears::Legs((0..PARTIES).filter(|other| *other != leg).map(source).collect());
        Op::Hear { leg: LegNo(leg), what, no: 1 }
    };
    let then = |call| (0..PARTIES).map(|leg| hear(call, leg)).collect();
    let (engine, far) = engine_with_legs(streams, PARTIES, then).await;
    let sample = || (engine.stats().cpu_ns, engine.stats().packets_out);
    measure(&far, true, sample)
}

/// Some legs a call; each leg's far end is one of the generator's sockets.
async fn engine_with_legs(streams: usize, legs: u16, then: impl Fn(u64) -> Vec<Op>) -> (Engine, Far) {
    let contents = Arc::new(ContentCache::open(None).expect("a cache in memory"));
    let content = from_mu_law((0..80_000u32).map(|at| (at % 251) as u8).collect());
    contents.put(content.digest, content.bytes).expect("content of the right digest");
    let (events, _) = tokio::sync::mpsc::channel(1);
    let (id, ports) = (RelayId(1), 20_000..40_000);
    let options = Options {
        id,
        address: LOOPBACK,
        advertise: None,
        ports,
        others: Vec::new(),
        refused: Vec::new(),
        threads: 1,
        limits: Limits::default(),
    };
    let engine = Engine::start(options, contents, events).expect("an engine");
    let owner = PeerId::Node(NodeId(1));
    let mut far = Vec::new();
    let sockets = sockets(streams);
    for call in 0..streams as u64 / u64::from(legs) {
        let order = |op| vec![RelayCommand { call: CallId(call), epoch: 1, op }];
        for leg in 0..legs {
            let socket = &sockets[far.len() / LEGS_A_SOCKET];
            let at = socket.local_addr().expect("a bound socket");
            let opened = engine.submit(owner, order(Op::Open { leg: LegNo(leg) })).answers().await;
            let RelayAnswer::Opened { rtp, .. } = opened[0] else { panic!("{opened:?}") };
            let codec = Codec { law: Law::Mu, dtmf_payload_type: None };
            let media = MediaAddr { rtp: at, rtcp: SocketAddr::new(at.ip(), 9), codec };
            let remote = Op::Remote { leg: LegNo(leg), media, send: true, receive: true };
            engine.submit(owner, order(remote)).answers().await;
            far.push((socket.clone(), rtp));
        }
        for op in then(call) {
            engine.submit(owner, order(op)).answers().await;
        }
    }
    (engine, far)
}

fn measure(far: &Far, speak: bool, sample: impl Fn() -> (u64, u64)) -> Measured {
    let window = listen(far, speak, || (sample(), Instant::now()));
    let (((cpu_before, packets_before), began), ((cpu, packets), ended)) = (window.before, window.after);
    let ns_a_packet = (cpu - cpu_before) / (packets - packets_before).max(1);
    let core = (cpu - cpu_before) as f64 / (ended - began).as_nanos() as f64;
    Measured { ns_a_packet, core, lost: window.lost() }
}

/// The yardstick: the same system calls, and nothing else.
fn bare_loop(streams: usize) -> Measured {
    let sockets = sockets(streams);
    let ends: Vec<UdpSocket> = (0..streams).map(|_| UdpSocket::bind((LOOPBACK, 0)).expect("a socket")).collect();
    let far: Far = ends
        .iter()
        .enumerate()
        .map(|(leg, end)| (sockets[leg / LEGS_A_SOCKET].clone(), end.local_addr().expect("a bound socket")))
        .collect();
    let to: Vec<SocketAddr> = far.iter().map(|(socket, _)| socket.local_addr().expect("a bound socket")).collect();
    let (stop, cpu, packets) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| bare_thread(&ends, &to, &stop, &cpu, &packets));
        let measured = measure(&far, true, || (cpu.load(Ordering::Relaxed), packets.load(Ordering::Relaxed)));
        stop.store(true, Ordering::Relaxed);
        measured
    })
}

fn bare_thread(ends: &[UdpSocket], to: &[SocketAddr], stop: &AtomicBool, cpu: &AtomicU64, packets: &AtomicU64) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    for (leg, end) in ends.iter().enumerate() {
        let data = epoll::EventData::new_u64(leg as u64);
        epoll::add(&epoll, end, data, epoll::EventFlags::IN).expect("epoll takes a socket");
    }
    let (mut ready, mut bytes) = (Vec::with_capacity(128), [0; 2048]);
    while !stop.load(Ordering::Relaxed) {
        ready.clear();
        let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let _ = epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut ready), Some(&wait));
        for event in &ready {
            let leg = event.data.u64() as usize;
            if let Ok((length, _)) = ends[leg].recv_from(&mut bytes) {
                let _ = ends[leg ^ 1].send_to(&bytes[..length], to[leg ^ 1]);
                packets.fetch_add(1, Ordering::Relaxed);
            }
        }
        let time = clock_gettime(ClockId::ThreadCPUTime);
        cpu.store(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64, Ordering::Relaxed);
    }
}
