//! Rates from low to high until calls fail or agents' phones ring late.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::measure::{load_average, ms, percentile};
use crate::sipp::{Callers, Sipp, Then, late};
use crate::stage::{Stage, Team, free_ports};
use crate::{AGENT_PORTS, CALLER_PORTS};

/// Calls/s, agents, and talk in ms: short enough at the upper end that 1000 agents suffice and nobody waits for one.
const RUNGS: [(u64, usize, u64); 8] = [
    (30, 200, 5000),
    (60, 600, 5000),
    (100, 1000, 5000),
    (150, 1000, 5000),
    (200, 1000, 3000),
    (300, 1000, 2500),
    (400, 1000, 1500),
    (500, 1000, 1000),
];
const ARRIVALS: Duration = Duration::from_secs(10);
const TARGET_RATE: u64 = 300;
const TARGET_P99_MS: f64 = 100.0;
const TARGET_CPU_MS: f64 = 3.0;
const GOAL_CPU_MS: f64 = 1.5;
const TARGET_ENTRIES: f64 = 12.0;
const ENOUGH: f64 = 99.9;
const TOO_LATE_MS: f64 = 1000.0;
const IDLE: Duration = Duration::from_secs(3);

struct Rung {
    rate: u64,
    agents: usize,
    talk_ms: u64,
}

pub async fn climb(media_port: u16) -> anyhow::Result<Value> {
    let stage = Stage::open("ladder").await?;
    let ports = free_ports(AGENT_PORTS + CALLER_PORTS)?;
    let (agent_ports, caller_ports) = ports.split_at(AGENT_PORTS);
    let agents = Sipp::answer(&stage.dir, "agents", agent_ports, media_port)?;
    let team = |agents| Team { agents, ports: agent_ports.to_vec(), ready: true };
    stage.apply(&team(RUNGS[0].1)).await?;
    let (before, begun) = (stage.cpu(), Instant::now());
    tokio::time::sleep(IDLE).await;
    let idle = stage.cpu().since(before).all().as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("one queue, 3 nodes and a relay as processes; {} s of arrivals a rung", ARRIVALS.as_secs());
    println!("idle cluster: {idle:.3} cores; `net` is CPU a call without that share");
    println!(
        "{:>5} {:>6} {:>5} | {:>7} | {:>8} {:>8} | {:>8} {:>8} | {:>6} {:>6} | {:>6} | {:>6} {:>6} {:>6} {:>6} | {:>8}",
        "R/s",
        "agents",
        "talk",
        "ok %",
        "agent50",
        "agent99",
        "200 p50",
        "200 p99",
        "wait50",
        "wait99",
        "rexmit",
        "CPU ms",
        "nodes",
        "relay",
        "net",
        "entries"
    );
    let mut rows = Vec::new();
    for (rate, count, talk_ms) in RUNGS {
        stage.apply(&team(count)).await?;
        let rung = Rung { rate, agents: count, talk_ms };
        let row = step(&stage, &agents, caller_ports, &rung, idle, media_port).await?;
        let number = |key: &str| row[key].as_f64().unwrap_or_default();
        println!(
            "{rate:5} {count:6} {talk_ms:5} | {:7.2} | {:5.1} ms {:5.1} ms | {:5.1} ms {:5.1} ms | {:6} {:6} | {:6} | \
             {:6.2} {:6.2} {:6.2} {:6.2} | {:8.1}",
            number("completed_percent"),
            number("agent_p50_ms"),
            number("agent_p99_ms"),
            number("answer_p50_ms"),
            number("answer_p99_ms"),
            number("wait_p50_ms"),
            number("wait_p99_ms"),
            number("retransmissions"),
            number("cpu_ms"),
            number("cpu_nodes_ms"),
            number("cpu_relay_ms"),
            number("cpu_net_ms"),
            number("entries"),
        );
        let is_over = number("completed_percent") < ENOUGH || number("agent_p99_ms") > TOO_LATE_MS;
        rows.push(row);
        if is_over {
            println!("the ladder ends here: not {ENOUGH} % completed, or p99 above {TOO_LATE_MS} ms");
            break;
        }
    }
    Ok(verdict(idle, rows))
}

fn verdict(idle: f64, rows: Vec<Value>) -> Value {
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap_or_default();
    let is_good =
        |row: &&Value| number(row, "completed_percent") >= ENOUGH && number(row, "agent_p99_ms") < TARGET_P99_MS;
    let best = rows.iter().filter(is_good).filter_map(|row| row["rate"].as_u64()).max().unwrap_or_default();
    let least = |key: &str| rows.iter().filter(is_good).map(|row| number(row, key)).min_by(f64::total_cmp);
    let (cpu, entries) = (least("cpu_ms"), least("entries"));
    let text = |least: Option<f64>| {
        least.map_or("no good rung".to_owned(), |least| format!("{least:.2} on the best good rung"))
    };
    let word = |good: bool| if good { "reached" } else { "SHORT" };
    println!(
        "to reach: {TARGET_RATE} calls/s with p99 INVITE to agent < {TARGET_P99_MS} ms: {best}/s, {}",
        word(best >= TARGET_RATE)
    );
    println!(
        "          CPU <= {TARGET_CPU_MS} ms a call, {GOAL_CPU_MS} the goal: {}, {}",
        text(cpu),
        word(cpu.is_some_and(|cpu| cpu <= TARGET_CPU_MS))
    );
    println!(
        "          <= {TARGET_ENTRIES} entries a call: {}, {}",
        text(entries),
        word(entries.is_some_and(|entries| entries <= TARGET_ENTRIES))
    );
    json!({ "idle_cores": idle, "target_rate": TARGET_RATE, "best_rate": best, "target_cpu_ms": TARGET_CPU_MS,
        "best_cpu_ms": cpu, "target_entries": TARGET_ENTRIES, "best_entries": entries, "rungs": rows })
}

async fn step(
    stage: &Stage,
    agents: &Sipp,
    ports: &[u16],
    rung: &Rung,
    idle: f64,
    media_port: u16,
) -> anyhow::Result<Value> {
    let calls = rung.rate * ARRIVALS.as_secs();
    let (entries, cpu, begun) = (stage.applied().await?, stage.cpu(), Instant::now());
    let agents_repeated = agents.totals().retransmissions;
    let then = Then::Leave(rung.talk_ms);
    let callers = Callers { server: stage.sip, ports, rate: rung.rate, calls, then, media_port };
    let mut sipp = Sipp::call(&stage.dir, &format!("callers-{}", rung.rate), &callers)?;
    let in_time = sipp.finish(ARRIVALS + Duration::from_millis(rung.talk_ms) + Duration::from_secs(40)).await?;
    let rests = stage.rest().await?;
    let (spent, used) = (begun.elapsed(), stage.cpu().since(cpu));
    let entries = stage.applied().await? - entries;
    // Statistics and records are written once a second or behind the calls.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let totals = sipp.totals();
    let made = totals.calls.max(calls) as f64;
    let repeated = totals.retransmissions + agents.totals().retransmissions - agents_repeated;
    let invited = sipp.moments("I");
    let mut answers: Vec<u64> = late(&invited, sipp.moments("A").iter().map(|(id, at)| (id.as_str(), *at)));
    let rang = agents.moments("R");
    let records = stage.records().await?;
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let mine: Vec<&Value> =
        records.iter().filter(|record| invited.contains_key(&text(record, "sip_call_id"))).collect();
    let mut waits: Vec<u64> = mine.iter().filter_map(|record| record["wait_ms"].as_u64()).collect();
    let joined: Vec<(String, u64)> = mine
        .iter()
        .filter_map(|record| Some((text(record, "sip_call_id"), *rang.get(&text(record, "agent_sip_call_id"))?)))
        .collect();
    let mut rings = late(&invited, joined.iter().map(|(id, at)| (id.as_str(), *at)));
    let answered = mine.iter().filter(|record| record["outcome"] == "answered").count();
    let per_call = |span: Duration| ms(span) / made;
    let micros = |samples: &mut [u64], percent| percentile(samples, percent) as f64 / 1000.0;
    Ok(json!({
        "rate": rung.rate, "agents": rung.agents, "talk_ms": rung.talk_ms, "calls": made, "in_time": in_time,
        "rests": rests, "completed_percent": 100.0 * totals.successful as f64 / made, "answered_by_agents": answered,
        "agent_p50_ms": micros(&mut rings, 50), "agent_p99_ms": micros(&mut rings, 99), "agent_joined": rings.len(),
        "answer_p50_ms": micros(&mut answers, 50), "answer_p99_ms": micros(&mut answers, 99),
        "wait_p50_ms": percentile(&mut waits, 50), "wait_p99_ms": percentile(&mut waits, 99),
        "retransmissions": repeated, "cpu_ms": per_call(used.all()), "cpu_nodes_ms": per_call(used.nodes),
        "cpu_relay_ms": per_call(used.relay),
        "cpu_net_ms": per_call(used.all().saturating_sub(spent.mul_f64(idle))),
        "entries": entries as f64 / made, "cores": used.all().as_secs_f64() / spent.as_secs_f64(),
        "load": load_average(),
    }))
}
