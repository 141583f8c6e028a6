//! What a call costs in memory while it talks and while it waits, and what music for 1000 costs in CPU.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::measure::load_average;
use crate::saturation;
use crate::sipp::{Callers, Sipp, Then};
use crate::stage::{Stage, Team, free_ports};
use crate::uas::Agents;
use crate::{AGENT_PORTS, CALLER_PORTS};

const STEP: u64 = 500;
const RATE: u64 = 100;
const TARGET_WAITING_KB: f64 = 50.0;
const TARGET_LIVE_KB: f64 = 30.0;
const TARGET_MUSIC_CORES: f64 = 0.3;
/// Longer than both steps take: all are there when memory is read.
const TALK_MS: u64 = 60_000;
const WATCH: Duration = Duration::from_secs(10);
/// Calls that run through before anything is read, so that what is made once does not count.
const WARM_UP: u64 = 60;
const SETTLE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// 500, then 1000 talking calls.
pub async fn live(media_port: u16) -> anyhow::Result<Value> {
    let stage = Stage::open("live").await?;
    let ports = free_ports(AGENT_PORTS + CALLER_PORTS)?;
    let (agent_ports, caller_ports) = ports.split_at(AGENT_PORTS);
    let _agents = Sipp::answer(&stage.dir, "agents", agent_ports, media_port)?;
    stage.apply(&Team { agents: 1000, ports: agent_ports.to_vec(), ready: true }).await?;
    warm_up(&stage, caller_ports, media_port).await?;
    let mut reached = vec![stage.resident_kib()];
    let mut held = Vec::new();
    for step in 1..=2 {
        held.push(hold(&stage, &format!("live-{step}"), media_port, Then::Leave(TALK_MS))?);
        until(&stage, "talking", step * STEP).await?;
        reached.push(stage.resident_kib());
    }
    println!("memory of talking calls, resident KB (three nodes, relay)");
    let figures = slopes("live", &reached);
    let (node, relay) =
        (figures["node_kb"].as_f64().unwrap_or_default(), figures["relay_kb"].as_f64().unwrap_or_default());
    println!(
        "to reach: a live call <= {TARGET_LIVE_KB} KB a role: {node:.1} a node, {relay:.1} in the relay, {}",
        if node.max(relay) <= TARGET_LIVE_KB { "reached" } else { "SHORT" }
    );
    Ok(figures)
}

/// 500, then 1000 waiting calls; then those of saturation come on top.
pub async fn waiting(media_port: u16) -> anyhow::Result<(Value, Value)> {
    let stage = Stage::open("waiting").await?;
    let agents = Agents::start(stage.sip, saturation::TALK)?;
    let caller_ports = free_ports(CALLER_PORTS)?;
    let team = |ready| Team { agents: saturation::AGENTS, ports: vec![agents.port], ready };
    stage.apply(&team(true)).await?;
    warm_up(&stage, &caller_ports, media_port).await?;
    for name in crate::stage::names(&team(true)) {
        stage.make_not_ready(&name).await?;
    }
    let (before, begun) = (stage.cpu(), Instant::now());
    tokio::time::sleep(WATCH / 2).await;
    let idle = stage.cpu().since(before).all().as_secs_f64() / begun.elapsed().as_secs_f64();
    let mut reached = vec![stage.resident_kib()];
    let mut held = Vec::new();
    for step in 1..=2 {
        held.push(hold(&stage, &format!("waiting-{step}"), media_port, Then::Stay)?);
        until(&stage, "queued", step * STEP).await?;
        reached.push(stage.resident_kib());
    }
    println!("memory of waiting calls, resident KB (three nodes, relay)");
    let mut figures = slopes("waiting", &reached);
    let (before, begun) = (stage.cpu(), Instant::now());
    tokio::time::sleep(WATCH).await;
    let spent = begun.elapsed().as_secs_f64();
    let used = stage.cpu().since(before);
    let (nodes, relay) = (used.nodes.as_secs_f64() / spent, used.relay.as_secs_f64() / spent);
    let all = figures["all_kb"].as_f64().unwrap_or_default();
    println!(
        "to reach: a waiting call <= {TARGET_WAITING_KB} KB over all roles: {all:.1}, {}",
        if all <= TARGET_WAITING_KB { "reached" } else { "SHORT" }
    );
    println!(
        "          {} waiting on music <= {TARGET_MUSIC_CORES} cores: {:.2} (relay {relay:.2}, nodes {nodes:.2}; idle \
         {idle:.2}), {}",
        2 * STEP,
        nodes + relay,
        if nodes + relay <= TARGET_MUSIC_CORES { "reached" } else { "SHORT" }
    );
    figures["music_cores"] = json!(nodes + relay);
    figures["music_relay_cores"] = json!(relay);
    figures["idle_cores"] = json!(idle);
    figures["load"] = json!(load_average());
    let saturation = saturation::run(&stage, agents, held, &caller_ports, media_port).await?;
    Ok((figures, saturation))
}

fn hold(stage: &Stage, name: &str, media_port: u16, then: Then) -> anyhow::Result<Sipp> {
    let ports = free_ports(CALLER_PORTS)?;
    let callers = Callers { server: stage.sip, ports: &ports, rate: RATE, calls: STEP, then, media_port };
    Sipp::call(&stage.dir, name, &callers)
}

async fn warm_up(stage: &Stage, ports: &[u16], media_port: u16) -> anyhow::Result<()> {
    let then = Then::Leave(300);
    let callers = Callers { server: stage.sip, ports, rate: 30, calls: WARM_UP, then, media_port };
    Sipp::call(&stage.dir, "warm-up", &callers)?.finish(PATIENCE).await?;
    stage.rest().await?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}

async fn until(stage: &Stage, state: &str, calls: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = stage.status().await?;
        if status["calls"][state].as_u64().unwrap_or_default() >= calls {
            tokio::time::sleep(SETTLE).await;
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not {calls} calls {state}: {}", status["calls"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// KB a call: from none to all of them, and the second half alone, which has no start-up in it.
fn slopes(what: &str, reached: &[(u64, u64)]) -> Value {
    println!("{:>6} {:>10} {:>10} {:>14} {:>14}", "calls", "nodes", "relay", "KB a call", "of the last 500");
    let slope = |from: (u64, u64), to: (u64, u64), calls: u64| {
        let of = |from: u64, to: u64| to.saturating_sub(from) as f64 / calls as f64;
        (of(from.0, to.0), of(from.1, to.1))
    };
    for (at, now) in reached.iter().enumerate() {
        let calls = at as u64 * STEP;
        let (nodes, relay) = slope(reached[0], *now, calls.max(1));
        let (last_nodes, last_relay) = slope(reached[at.saturating_sub(1)], *now, STEP);
        println!("{calls:6} {:10} {:10} {:14.1} {:14.1}", now.0, now.1, nodes + relay, last_nodes + last_relay);
    }
    let (nodes, relay) = slope(reached[0], reached[reached.len() - 1], STEP * (reached.len() as u64 - 1));
    json!({ "of": what, "resident_kb": reached, "all_kb": nodes + relay, "node_kb": nodes / 3.0, "relay_kb": relay })
}
