//! More callers than agents: how fast the next call reaches an agent that came free, and whether anybody was overtaken.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::{load_average, ms, percentile};
use crate::sipp::{Callers, Sipp, Then};
use crate::stage::{Stage, Team, names};
use crate::uas::Agents;

pub const AGENTS: usize = 200;
pub const TALK: Duration = Duration::from_secs(2);
/// Arrivals balance what the agents take, so that the queue stays as long as it is.
const RATE: u64 = 96;
const WINDOW: Duration = Duration::from_secs(12);
/// The first calls of all agents begin at once and are no steady state.
const LEAD_IN: Duration = Duration::from_secs(3);
const DRAIN: Duration = Duration::from_secs(60);
const TARGET_P99_MS: f64 = 20.0;
/// Three spans in whole milliseconds, one of which is read while the clock goes on.
const ROUNDING_MS: i64 = 10;

pub async fn run(
    stage: &Stage,
    agents: Agents,
    mut held: Vec<Sipp>,
    ports: &[u16],
    media_port: u16,
) -> anyhow::Result<Value> {
    let places = stage.queued().await?;
    let team = Team { agents: AGENTS, ports: vec![agents.port], ready: true };
    let calls = RATE * (LEAD_IN + WINDOW).as_secs();
    let callers = Callers { server: stage.sip, ports, rate: RATE, calls, then: Then::Stay, media_port };
    held.push(Sipp::call(&stage.dir, "saturation", &callers)?);
    for name in names(&team) {
        stage.make_ready(&name).await?;
    }
    tokio::time::sleep(LEAD_IN).await;
    let waiting_first = stage.waiting().await?;
    agents.measuring.store(true, Relaxed);
    let before = stage.cpu();
    tokio::time::sleep(WINDOW).await;
    agents.measuring.store(false, Relaxed);
    let used = stage.cpu().since(before);
    let waiting_last = stage.waiting().await?;
    let mut all_left = true;
    for sipp in &mut held {
        all_left &= sipp.finish(DRAIN).await?;
    }
    stage.rest().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut seen = agents.finish();
    let records = stage.records().await?;
    let served = served(&places, &records);
    let again = records.iter().filter(|record| record["offers"].as_u64() > Some(1)).count();
    let (by_offer, by_connect) = (overtaken(&served, |call| call.offered), overtaken(&served, |call| call.connected));
    let gap = |samples: &mut [Duration], percent| ms(percentile(samples, percent));
    let bye = (gap(&mut seen.since_bye, 50), gap(&mut seen.since_bye, 99));
    let ok = (gap(&mut seen.since_ok, 50), gap(&mut seen.since_ok, 99));
    let word = |good: bool| if good { "reached" } else { "SHORT" };
    println!(
        "saturation: {AGENTS} agents, {} ms of talk, {waiting_first} waiting, {waiting_last} at the end; {} INVITEs in \
         {} s, {} repeated, {} to a busy agent; {:.2} cores",
        TALK.as_millis(),
        seen.invites,
        WINDOW.as_secs(),
        seen.repeated,
        seen.double,
        used.all().as_secs_f64() / WINDOW.as_secs_f64()
    );
    println!("{:>36} {:>9} {:>9}", "agent free to next INVITE", "p50 ms", "p99 ms");
    println!("{:>36} {:9.1} {:9.1}", "from the agent's BYE (has the commit)", bye.0, bye.1);
    println!("{:>36} {:9.1} {:9.1}", "from the 200 to that BYE", ok.0, ok.1);
    println!(
        "to reach: p99 <= {TARGET_P99_MS} ms from the BYE: {:.1}, {}",
        bye.1,
        word(!seen.since_bye.is_empty() && bye.1 <= TARGET_P99_MS)
    );
    println!(
        "          0 overtaken, of {} that waited: {by_offer} by offer, {by_connect} by connection ({again} of all calls were offered more than once), {}",
        served.len(),
        word(all_left && !served.is_empty() && by_offer + by_connect == 0)
    );
    Ok(json!({ "agents": AGENTS, "waiting_first": waiting_first, "waiting_last": waiting_last,
        "invites": seen.invites, "repeated": seen.repeated, "double": seen.double, "all_left": all_left,
        "gap_since_bye_p50_ms": bye.0, "gap_since_bye_p99_ms": bye.1, "gap_since_ok_p50_ms": ok.0,
        "gap_since_ok_p99_ms": ok.1, "target_gap_p99_ms": TARGET_P99_MS, "served": served.len(), "offered_again": again,
        "overtaken_by_offer": by_offer, "overtaken_by_connection": by_connect, "load": load_average() }))
}

/// One of those that waited when the agents came.
struct Served {
    place: usize,
    /// Milliseconds of log time since the places were read.
    offered: i64,
    connected: i64,
}

/// Joins the places in the queue, read before anybody was served, with the records. Both tell spans from the entry that
/// put the call into the queue, so differences are exact but for their rounding.
fn served(waiting: &[Value], records: &[Value]) -> Vec<Served> {
    let by_call: HashMap<&str, &Value> =
        records.iter().filter_map(|record| Some((record["call"].as_str()?, record))).collect();
    let one = |call: &Value| {
        let record = by_call.get(call["call"].as_str()?)?;
        let span = |of: &Value, key: &str| of[key].as_u64().and_then(|ms| i64::try_from(ms).ok());
        let connected = span(record, "wait_ms")? - span(call, "wait_ms")?;
        let place = usize::try_from(call["place"].as_u64()?).ok()?;
        Some(Served { place, offered: connected - span(record, "ring_ms")?, connected })
    };
    let mut served: Vec<Served> = waiting.iter().filter_map(one).collect();
    served.sort_by_key(|call| call.place);
    served
}

/// Calls that had an earlier place than another one and were served after it, by more than rounding.
fn overtaken(served: &[Served], moment: impl Fn(&Served) -> i64) -> usize {
    let mut first_behind = i64::MAX;
    let mut count = 0;
    for call in served.iter().rev() {
        count += usize::from(first_behind.saturating_add(ROUNDING_MS) < moment(call));
        first_behind = first_behind.min(moment(call));
    }
    count
}
