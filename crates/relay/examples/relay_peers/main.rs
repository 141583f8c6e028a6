//! This product's relay beside Debian's rtpengine (package rtpengine-daemon), in user space, both as processes of their own
//! with one media thread, one after the other under the same load:
//! `cargo run --release -p strowger-relay --example relay_peers [100 1000 2500 4000]`.
//!
//! A call is two streams of 50 packets a second. CPU is that of the whole process. Absolute numbers hold for this machine at
//! this moment; the ratio is what to look at. Without rtpengine only the relay is measured.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

#[path = "../far/mod.rs"]
mod far;
mod ours;
mod process;
mod rtpengine;

use std::error::Error;
use std::time::Instant;

use far::{Far, listen};
use process::Process;

const STREAMS: [usize; 4] = [100, 1000, 2500, 4000];
/// Media ports of either relay: below those that the system gives to the generator.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
const TARGET_RATIO: f64 = 0.70;
/// From here on the ratio counts: below, both mostly wake up.
const TARGET_FROM: usize = 1000;
const TARGET_LOSSLESS: usize = 4000;
const TARGET_CALL_BYTES: u64 = 10_000;
const PACKETS_A_SECOND: f64 = 50.0;
/// Where the generator came to send less than this share, it was short of CPU and not the relay: such a row judges nobody.
const ENOUGH_OFFERED: f64 = 0.95;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A relay that was given its calls, and is under load.
struct Figures {
    streams: usize,
    ns_a_packet: f64,
    core: f64,
    lost: f64,
    /// Share of the packets due that the generator came to send.
    offered: f64,
    call_bytes: u64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == ours::AS_RELAY) {
        return ours::serve();
    }
    let wanted: Vec<usize> = arguments.iter().map(|argument| argument.parse()).collect::<Result<_, _>>()?;
    let ladder = if wanted.is_empty() { STREAMS.to_vec() } else { wanted };
    let has_peer = rtpengine::is_installed();
    if !has_peer {
        println!("rtpengine is not installed (Debian: rtpengine-daemon): no comparison, the relay alone");
    }
    println!("streams  relay         ns/packet   core     lost  offered  bytes/call   ratio of ns");
    let mut pairs = Vec::new();
    for streams in ladder.into_iter().map(|streams| streams.max(2) / 2 * 2) {
        let own = measure(streams, ours::start(streams)?);
        print(&own, "strowger", None);
        let peer = if has_peer { Some(measure(streams, rtpengine::start(streams)?)) } else { None };
        if let Some(peer) = &peer {
            print(peer, "rtpengine", Some(own.ns_a_packet / peer.ns_a_packet));
        }
        pairs.push((own, peer));
    }
    verdict(&pairs);
    Ok(())
}

fn measure(streams: usize, (process, far): (Process, Far)) -> Figures {
    let window = listen(&far, true, || (process.cpu_ns(), Instant::now()));
    let ((cpu_before, began), (cpu, ended)) = (window.before, window.after);
    let (spent, span) = ((cpu - cpu_before) as f64, (ended - began).as_secs_f64());
    Figures {
        streams,
        // By packets that came through: what a relay drops is no cheaper.
        ns_a_packet: spent / window.heard.max(1) as f64,
        core: spent / 1e9 / span,
        lost: window.lost(),
        offered: window.sent as f64 / (streams as f64 * PACKETS_A_SECOND * span),
        call_bytes: process.resident_bytes().saturating_sub(process.idle_bytes) / (streams as u64 / 2),
    }
}

fn print(figures: &Figures, name: &str, ratio: Option<f64>) {
    let Figures { streams, ns_a_packet, core, lost, offered, call_bytes } = figures;
    let ratio = ratio.map(|ratio| format!("{ratio:14.2}")).unwrap_or_default();
    println!(
        "{streams:7}  {name:12} {ns_a_packet:10.0} {:5.1}% {:7.3}% {:7.1}% {call_bytes:11}{ratio}",
        core * 100.0,
        lost * 100.0,
        offered * 100.0,
    );
}

fn verdict(pairs: &[(Figures, Option<Figures>)]) {
    let word = |good: bool| if good { "reached" } else { "SHORT" };
    let is_offered = |figures: &Figures| figures.offered >= ENOUGH_OFFERED;
    let (pairs, starved): (Vec<_>, Vec<_>) =
        pairs.iter().partition(|(own, peer)| is_offered(own) && peer.as_ref().is_none_or(is_offered));
    for (own, _) in starved {
        println!(
            "not judged: {} streams, the machine had no CPU to offer them; try again when it is idle",
            own.streams
        );
    }
    let ratios = pairs.iter().filter(|(own, _)| own.streams >= TARGET_FROM);
    let ratio = ratios.filter_map(|(own, peer)| Some(own.ns_a_packet / peer.as_ref()?.ns_a_packet)).reduce(f64::max);
    if let Some(ratio) = ratio {
        println!(
            "to reach: <= {TARGET_RATIO:.2} of rtpengine's CPU a packet at {TARGET_FROM} streams and more: {ratio:.2} at \
             worst, {}",
            word(ratio <= TARGET_RATIO)
        );
    }
    for (own, _) in pairs.iter().filter(|(own, _)| own.streams >= TARGET_LOSSLESS) {
        println!("          no loss at {}: {:.3} %, {}", own.streams, own.lost * 100.0, word(own.lost == 0.0));
    }
    if let Some((own, _)) = pairs.last() {
        let bytes = own.call_bytes;
        println!(
            "          <= {TARGET_CALL_BYTES} bytes a call: {bytes} at {} streams, {}",
            own.streams,
            word(bytes <= TARGET_CALL_BYTES)
        );
    }
}
