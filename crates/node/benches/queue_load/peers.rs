//! The same load for Strowger and for a stateful proxy: what a call costs in each, and how far each goes.
//!
//! A proxy is the floor under any SIP server: it passes messages on. Strowger ends both legs, holds the call in a queue,
//! picks an agent, and has each step on a majority's disks. A cluster of one node has all of that but the majority.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::CALLER_PORTS;
use crate::measure::{load_average, ms, percentile};
use crate::proxy::Proxy;
use crate::sipp::{Callers, Sipp, Then, late};
use crate::stage::{Cpu, Stage, Team, free_ports};

/// Calls/s. Each server climbs until a rung is not clean.
const RATES: [u64; 9] = [100, 200, 300, 400, 500, 1000, 1500, 2000, 2500];
/// A caller who has no agent by then has none at all: late is lost.
const TALK_MS: u64 = 500;
/// Enough for 1000 calls/s; above that only the proxy has come so far.
const AGENTS: usize = 1000;
const AGENT_SOCKETS: usize = 2;
const ARRIVALS: Duration = Duration::from_secs(10);
/// Of calls completed, and of calls that reached an agent, in per cent.
const CLEAN: f64 = 99.9;
const IDLE: Duration = Duration::from_secs(3);
/// SIPp writes its figures once a second; records and retransmitted BYEs are over by then, too.
const SETTLE: Duration = Duration::from_millis(1500);
/// The design's target, for what Strowger costs without replication.
const TARGET_RATIO: f64 = 2.5;

/// One server under load.
struct Peer<'a> {
    name: &'static str,
    dir: &'a Path,
    port: u16,
    agents: &'a Sipp,
    cpu: &'a dyn Fn() -> Cpu,
}

/// CPU a call in ms: signalling, signalling without the idle share, and everything.
#[derive(Clone, Copy)]
struct Rung {
    rate: u64,
    signalling: f64,
    net: f64,
    all: f64,
}

pub async fn compare(media_port: u16) -> anyhow::Result<Value> {
    if !Proxy::is_installed() {
        println!("peers: SKIPPED, Kamailio is not installed (Debian: kamailio)");
        return Ok(json!({ "skipped": "no kamailio" }));
    }
    println!(
        "peers: {} s of arrivals a rung, {TALK_MS} ms of talk; load average {:.1}",
        ARRIVALS.as_secs(),
        load_average()
    );
    println!(
        "{:>16} {:>5} | {:>7} {:>7} {:>8} {:>6} | {:>9} {:>6} {:>6}",
        "", "R/s", "ok %", "agent %", "200 p99", "rexmit", "signal ms", "net", "all"
    );
    let proxy = proxy(media_port).await?;
    let alone = strowger("one node", 1, media_port).await?;
    let cluster = strowger("three nodes", 3, media_port).await?;
    let best = |rungs: &[Rung]| rungs.last().map_or(0, |rung| rung.rate);
    println!(
        "highest clean rate: Kamailio {}/s, Strowger {}/s on one node, {}/s on three (with the load generator, on this machine)",
        best(&proxy),
        best(&alone),
        best(&cluster)
    );
    let ratios =
        json!({ "one_node": ratio("one node", &alone, &proxy), "three_nodes": ratio("three nodes", &cluster, &proxy) });
    Ok(json!({ "load": load_average(), "best": { "kamailio": best(&proxy), "one_node": best(&alone),
        "three_nodes": best(&cluster) }, "ratios": ratios, "target_ratio": TARGET_RATIO }))
}

async fn proxy(media_port: u16) -> anyhow::Result<Vec<Rung>> {
    let ports = free_ports(AGENT_SOCKETS)?;
    let proxy = Proxy::start(&ports).await?;
    let agents = Sipp::answer(&proxy.dir, "agents", &ports, media_port)?;
    let cpu = || Cpu { nodes: proxy.cpu(), relay: Duration::ZERO };
    let peer = Peer { name: "Kamailio", dir: &proxy.dir, port: proxy.port, agents: &agents, cpu: &cpu };
    climb(&peer, media_port).await
}

async fn strowger(name: &'static str, nodes: usize, media_port: u16) -> anyhow::Result<Vec<Rung>> {
    let stage = Stage::of("peers", nodes).await?;
    let ports = free_ports(AGENT_SOCKETS)?;
    let agents = Sipp::answer(&stage.dir, "agents", &ports, media_port)?;
    stage.apply(&Team { agents: AGENTS, ports, ready: true }).await?;
    let cpu = || stage.cpu();
    let peer = Peer { name, dir: &stage.dir, port: stage.sip, agents: &agents, cpu: &cpu };
    climb(&peer, media_port).await
}

/// The clean rungs.
async fn climb(peer: &Peer<'_>, media_port: u16) -> anyhow::Result<Vec<Rung>> {
    let ports = free_ports(CALLER_PORTS)?;
    tokio::time::sleep(SETTLE).await;
    let before = (peer.cpu)();
    tokio::time::sleep(IDLE).await;
    let idle = (peer.cpu)().since(before).nodes.div_f64(IDLE.as_secs_f64());
    let mut rungs = Vec::new();
    for rate in RATES {
        let Some(rung) = step(peer, rate, &ports, idle, media_port).await? else { break };
        rungs.push(rung);
    }
    Ok(rungs)
}

/// None if it was not clean. `idle`: CPU a second without calls.
async fn step(
    peer: &Peer<'_>,
    rate: u64,
    ports: &[u16],
    idle: Duration,
    media_port: u16,
) -> anyhow::Result<Option<Rung>> {
    let calls = rate * ARRIVALS.as_secs();
    let (answered, begun, cpu) = (peer.agents.totals(), Instant::now(), (peer.cpu)());
    let callers = Callers { server: peer.port, ports, rate, calls, then: Then::Leave(TALK_MS), media_port };
    let mut sipp = Sipp::call(peer.dir, &format!("callers-{rate}"), &callers)?;
    let in_time = sipp.finish(2 * ARRIVALS).await?;
    tokio::time::sleep(SETTLE).await;
    let (used, spent) = ((peer.cpu)().since(cpu), begun.elapsed());
    let (totals, agents) = (sipp.totals(), peer.agents.totals());
    let percent = |part: u64| 100.0 * part as f64 / calls as f64;
    let (ok, reached) = (percent(totals.successful), percent(agents.successful - answered.successful));
    let mut answers = late(&sipp.moments("I"), sipp.moments("A").iter().map(|(id, at)| (id.as_str(), *at)));
    let per_call = |span: Duration| ms(span) / calls as f64;
    let net = used.nodes.saturating_sub(idle.mul_f64(spent.as_secs_f64()));
    let rung = Rung { rate, signalling: per_call(used.nodes), net: per_call(net), all: per_call(used.all()) };
    println!(
        "{:>16} {rate:5} | {ok:7.2} {reached:7.2} {:5.1} ms {:6} | {:9.3} {:6.3} {:6.3}",
        peer.name,
        percentile(&mut answers, 99) as f64 / 1000.0,
        totals.retransmissions + agents.retransmissions - answered.retransmissions,
        rung.signalling,
        rung.net,
        rung.all
    );
    Ok((in_time && ok >= CLEAN && reached >= CLEAN).then_some(rung))
}

/// At every rate that both did cleanly: the more calls, the more of them share a commit, and the cheaper each is.
fn ratio(name: &str, ours: &[Rung], theirs: &[Rung]) -> Value {
    println!("CPU a call, Strowger on {name} / Kamailio; the design wants {TARGET_RATIO} without consensus");
    let pairs = ours.iter().filter_map(|our| Some((our, theirs.iter().find(|their| their.rate == our.rate)?)));
    let rows = pairs.map(|(our, their)| {
        let [signalling, net, all] = [our.signalling, our.net, our.all].map(|ms| ms / their.signalling);
        println!(
            "{:>16} {:5} | signalling {signalling:.1}, without the idle share {net:.1}; with the relay {all:.1}",
            "", our.rate
        );
        json!({ "rate": our.rate, "signalling": signalling, "net": net, "all": all, "ours_ms": our.signalling,
            "kamailio_ms": their.signalling })
    });
    rows.collect()
}
