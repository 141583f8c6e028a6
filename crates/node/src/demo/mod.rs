//! The demo: three nodes and two relays as processes of this binary, callers, agents and called parties that really
//! speak SIP and RTP, and a verdict computed from what those far ends saw, joined with the product's own records.

mod dialled;
mod judge;
mod outbound;
mod screen;
mod stage;
mod tenants;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use strowger_api::Client;
use strowger_phones::{Phones, Report};

use self::judge::Judge;
use self::stage::Stage;

/// How long the calls that are there at the end may take to finish.
const FINISH: Duration = Duration::from_secs(75);
/// How long the processes may take until they serve.
const READY: Duration = Duration::from_secs(30);

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How long callers come; those that are there at the end finish.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Mean rate; bursts reach twice of it.
    #[arg(long, default_value_t = 4.0)]
    callers_per_second: f64,
    /// Who takes their calls.
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Print one JSON object at the end instead of a table.
    #[arg(long)]
    json: bool,
    /// Kill no node.
    #[arg(long)]
    calm: bool,
    /// Another seed gives other callers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plant a fault that the verdict must find (test only).
    #[arg(long = "break", value_enum)]
    fault: Option<Fault>,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
#[value(rename_all = "snake_case")]
enum Fault {
    DropCall,
    SwapAudio,
    DoubleOffer,
    DialTwice,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::DropCall => "drop_call",
            Fault::SwapAudio => "swap_audio",
            Fault::DoubleOffer => "double_offer",
            Fault::DialTwice => "dial_twice",
        }
    }
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(options.agents >= 4, "the demo has four tenants: --agents must be 4 or more");
    ensure!(options.callers_per_second > 0.0, "--callers-per-second must be above 0");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(play(options))
}

async fn play(options: &Options) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::open(options.fault.map(Fault::name))?;
    let client = stage.client();
    stage.until_ready(READY).await?;
    let agents = tenants::agents(options.agents);
    let files = tenants::files(&agents, stage.trunk_ports(), stage.carrier());
    let archive = strowger_api::archive(&files, false);
    client.post("/api/v1/config", &archive).await.context("applying the demo's tenants")?;
    let phones = Phones::start(stage.phones(options.seed)).context("starting the phones")?;
    agents.iter().for_each(|agent| phones.add_agent(agent.spec.clone()));
    until(READY, || phones.registered() == agents.len()).await.with_context(|| {
        format!(
            "only {} of {} agents are registered; see the logs in {}",
            phones.registered(),
            agents.len(),
            stage.dir()
        )
    })?;
    phones.open_carrier(outbound::called);
    outbound::import(&client).await?;
    note!("wallboard {}", stage.wallboard());
    let (reports, killed) = traffic(options, &phones, &mut stage).await?;
    let judge = Judge::new(options.seconds, options.callers_per_second, reports, killed, stage.pids());
    let (records, status) = books(&client, &judge).await?;
    phones.stop();
    let verdict = judge.verdict(&records, &status);
    if options.json {
        say!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        screen::verdict(&verdict);
    }
    if !verdict.is_good() {
        note!("strowger: the demo found faults; the logs of its processes are in {}", stage.keep());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Callers come, a node may die half way, callers finish.
async fn traffic(options: &Options, phones: &Phones, stage: &mut Stage) -> anyhow::Result<(Vec<Report>, u32)> {
    let mut arrivals = traffic::Arrivals::new(options.callers_per_second, options.seconds, options.seed);
    let begun = Instant::now();
    let length = Duration::from_secs(options.seconds);
    let mut reports = Vec::new();
    let mut killed = 0;
    let mut shown = Duration::ZERO;
    while begun.elapsed() < length || !arrivals.is_over() {
        for call in arrivals.due(begun.elapsed()) {
            phones.place_call(call);
        }
        reports.extend(phones.take_reports());
        if !options.calm && killed == 0 && begun.elapsed() * 2 > length {
            stage.kill_a_node()?;
            killed = 1;
        }
        if begun.elapsed() >= shown {
            shown += Duration::from_secs(1);
            screen::live(begun.elapsed(), length, &phones.live(), killed);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    outbound::stop(&stage.client()).await?;
    let deadline = Instant::now() + FINISH;
    while phones.calls_in_progress() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
        reports.extend(phones.take_reports());
        if begun.elapsed() >= shown {
            shown += Duration::from_secs(1);
            screen::live(begun.elapsed(), length, &phones.live(), killed);
        }
    }
    screen::end_live();
    reports.extend(phones.finish(Duration::from_secs(1)));
    Ok((reports, killed))
}

/// The product's own books, once they are complete: every call has its record and no agent is busy any more.
async fn books(client: &Client, judge: &Judge) -> anyhow::Result<(Vec<serde_json::Value>, serde_json::Value)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let records = all_records(client).await?;
        let status = client.get("/api/v1/status").await?;
        let rests = judge::at_rest(&status);
        if (judge.has_all(&records) && rests) || Instant::now() > deadline {
            return Ok((records, status));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn all_records(client: &Client) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut all = Vec::new();
    let mut query = "/api/v1/calls?limit=5000".to_owned();
    loop {
        let answer = client.get(&query).await?;
        let page = answer["calls"].as_array().cloned().unwrap_or_default();
        let next = answer["next"].as_str().map(ToOwned::to_owned);
        all.extend(page);
        match next {
            Some(after) => query = format!("/api/v1/calls?limit=5000&after={}", crate::operate::encode(&after)),
            None => return Ok(all),
        }
    }
}

async fn until(within: Duration, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + within;
    while !holds() {
        ensure!(Instant::now() < deadline, "not within {} s", within.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
