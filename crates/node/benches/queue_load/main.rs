//! One queue under load: a ladder of rates, the memory of live and of waiting calls, saturation, and a proxy to compare
//! with. The product is the real binary, three nodes and a relay; callers and agents are SIPp, but for the agents of
//! saturation.
//!
//! `cargo bench -p strowger-node --bench queue_load [-- ladder|live|waiting|peers]`
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod ladder;
#[path = "../measure/mod.rs"]
mod measure;
mod memory;
mod peers;
mod proxy;
mod saturation;
mod sipp;
mod stage;
mod uas;

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use measure::{fdatasync_ms, load_average, percentile};
use sipp::{Callers, Sipp, Then};
use stage::free_ports;

/// Ports from which callers call, so that each node gets some of them.
pub const CALLER_PORTS: usize = 6;
pub const AGENT_PORTS: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if !sipp::is_installed() {
        println!("queue_load: skipped, SIPp is not installed (Debian: sip-tester)");
        return Ok(());
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    // Nobody reads it: the kernel drops what does not fit, and no ICMP error disturbs the relay.
    let sink = UdpSocket::bind("127.0.0.1:0")?;
    let media_port = sink.local_addr()?.port();
    let load = load_average();
    let floor = floor(media_port).await?;
    let mut all = json!({ "bench": "queue_load", "load": load, "floor": floor });
    if wants("ladder") {
        all["ladder"] = ladder::climb(media_port).await?;
    }
    if wants("live") {
        all["live"] = memory::live(media_port).await?;
    }
    if wants("waiting") {
        let (waiting, saturation) = memory::waiting(media_port).await?;
        all["waiting"] = waiting;
        all["saturation"] = saturation;
    }
    if wants("peers") {
        all["peers"] = peers::compare(media_port).await?;
    }
    let number = |key: &str| floor[key].as_f64().unwrap_or_default();
    println!(
        "beside: SIPp to SIPp directly, INVITE to INVITE, p50 {} us, p99 {} us; fdatasync of 256 B p50 {:.2} ms, p99 \
         {:.2} ms; load average before {load:.2}",
        number("direct_p50_us"),
        number("direct_p99_us"),
        number("fdatasync_p50_ms"),
        number("fdatasync_p99_ms")
    );
    println!("{all}");
    Ok(())
}

/// The same callers and agents with nothing between them, and the disk.
async fn floor(media_port: u16) -> anyhow::Result<Value> {
    let dir = std::env::temp_dir().join(format!("strowger-queue-load-floor-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let figures = measure_floor(&dir, media_port).await;
    let _left_behind = std::fs::remove_dir_all(&dir);
    figures
}

async fn measure_floor(dir: &Path, media_port: u16) -> anyhow::Result<Value> {
    let (sync_p50, sync_p99) = fdatasync_ms(dir)?;
    let ports = free_ports(2)?;
    let agents = Sipp::answer(dir, "agents", &ports[..1], media_port)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let callers =
        Callers { server: ports[0], ports: &ports[1..], rate: 100, calls: 300, then: Then::Leave(500), media_port };
    let mut calls = Sipp::call(dir, "callers", &callers)?;
    calls.finish(Duration::from_secs(15)).await?;
    let begun = calls.moments("I");
    let rang = agents.moments("R");
    let mut took: Vec<u64> =
        rang.iter().filter_map(|(id, at)| begun.get(id).map(|begun| at.saturating_sub(*begun))).collect();
    Ok(json!({ "direct_p50_us": percentile(&mut took, 50), "direct_p99_us": percentile(&mut took, 99),
        "direct_calls": took.len(), "fdatasync_p50_ms": sync_p50, "fdatasync_p99_ms": sync_p99 }))
}
