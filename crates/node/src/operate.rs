//! What operators type. Answers on standard output, faults with what to do on standard error.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use strowger_api::Client;

/// Where the cluster is and who asks.
#[derive(Args, Clone, Debug)]
pub struct At {
    /// HTTP address of any node.
    #[arg(long, env = "STROWGER_NODE", default_value = "127.0.0.1:8081")]
    node: String,
    /// API token; the first one was printed by the node that founded the cluster.
    #[arg(long, env = "STROWGER_TOKEN", default_value = "", hide_env_values = true)]
    token: String,
}

#[derive(Args, Clone, Debug)]
pub struct Filter {
    #[arg(long)]
    tenant: Option<String>,
    /// answered, served_by_flow, abandoned, overflowed, failed or rejected
    #[arg(long)]
    outcome: Option<String>,
    #[arg(long)]
    queue: Option<String>,
    #[arg(long)]
    agent: Option<String>,
    /// The caller's number.
    #[arg(long)]
    from: Option<String>,
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

impl At {
    pub fn client(&self) -> Client {
        Client::new(&self.node, (!self.token.is_empty()).then(|| self.token.clone()))
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    Ok(runtime.block_on(work))
}

pub fn check_config(dir: &Path) -> anyhow::Result<ExitCode> {
    let files = strowger_config::read_dir(dir)?;
    match strowger_config::parse(&files, &load_prompt) {
        Ok(draft) => {
            println!("{} is good: {} pieces of content", dir.display(), draft.contents().len());
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            eprintln!("{} faults in {}", faults.len(), dir.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn load_prompt(wav: &[u8]) -> Result<(Vec<u8>, strowger_model::Digest), String> {
    let content = strowger_relay::content::from_wav(wav).map_err(|fault| fault.to_string())?;
    Ok((content.bytes, content.digest))
}

pub fn apply(dir: &Path, dry_run: bool, at: &At) -> anyhow::Result<ExitCode> {
    let files = strowger_config::read_dir(dir)?;
    let answer = block_on(at.client().post("/api/v1/config", &strowger_api::archive(&files, dry_run)))??;
    for change in answer["changes"].as_array().into_iter().flatten() {
        println!(
            "{} {} {}: {}",
            text(&change["what"]),
            text(&change["kind"]),
            text(&change["name"]),
            text(&change["detail"])
        );
    }
    let version = &answer["version"];
    println!("{}", if dry_run { "nothing was changed".to_owned() } else { format!("version {version} is in force") });
    Ok(ExitCode::SUCCESS)
}

pub fn status(json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let status = block_on(at.client().get("/api/v1/status"))??;
    if json {
        println!("{status:#}");
    } else {
        print_status(&status);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_status(status: &Value) {
    let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
    println!("{:<12} {:<6} {:<12} connected", "node", "state", "incarnation");
    for node in list("nodes") {
        let state = if node["up"] == true { "up" } else { "DOWN" };
        println!(
            "{:<12} {state:<6} {:<12} {}",
            text(&node["node"]),
            text(&node["incarnation"]),
            text(&node["connected"])
        );
    }
    println!("\n{:<12} {:<12} {:>6} {:>10}  lag", "group", "leader", "term", "applied");
    for group in list("groups") {
        let lag = &group["lag"];
        println!(
            "{:<12} {:<12} {:>6} {:>10}  {}",
            text(&group["name"]),
            text(&group["leader"]),
            text(&group["term"]),
            text(&group["applied"]),
            if lag.as_object().is_some_and(|lag| !lag.is_empty()) { lag.to_string() } else { String::new() }
        );
    }
    println!("\n{:<12} {:<16} {:>8} {:>13} {:>6}", "tenant", "queue", "waiting", "longest wait", "idle");
    for queue in list("queues") {
        let wait = format!("{:.1} s", queue["longest_wait_ms"].as_f64().unwrap_or_default() / 1000.0);
        println!(
            "{:<12} {:<16} {:>8} {wait:>13} {:>6}",
            text(&queue["tenant"]),
            text(&queue["name"]),
            text(&queue["waiting"]),
            text(&queue["idle"])
        );
    }
    println!("\ncalls  {}\nagents {}\nstuck  {}", status["calls"], status["agents"], status["stuck"]);
}

pub fn calls(filter: &Filter, json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let mut query = format!("/api/v1/calls?limit={}", filter.limit);
    for (key, value) in [
        ("tenant", &filter.tenant),
        ("outcome", &filter.outcome),
        ("queue", &filter.queue),
        ("agent", &filter.agent),
        ("from", &filter.from),
    ] {
        if let Some(value) = value {
            query += &format!("&{key}={}", encode(value));
        }
    }
    let answer = block_on(at.client().get(&query))??;
    if json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<10} {:<24} {:<16} {:<14} {:<15} {:<12} {:<8} {:>7} {:>7}",
        "call", "admitted", "from", "to", "outcome", "queue", "agent", "wait s", "talk s"
    );
    for call in answer["calls"].as_array().into_iter().flatten() {
        println!(
            "{:<10} {:<24} {:<16} {:<14} {:<15} {:<12} {:<8} {:>7} {:>7}",
            text(&call["call"]),
            text(&call["admitted"]),
            text(&call["from"]),
            text(&call["to"]),
            text(&call["outcome"]),
            text(&call["queue"]),
            text(&call["agent"]),
            seconds(&call["wait_ms"]),
            seconds(&call["talk_ms"])
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub fn explain(call: &str, json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let answer = block_on(at.client().get(&format!("/api/v1/calls/{}/explain", encode(call))))??;
    if json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let [call, tenant, from, to, state] = ["call", "tenant", "from", "to", "state"].map(|key| text(&answer[key]));
    let outcome = answer["outcome"].as_str().map(|outcome| format!(", {outcome}")).unwrap_or_default();
    println!("call {call} of {tenant}, from {from} to {to}: {state}{outcome}\n");
    println!("{:>9} {:>9}", "after", "index");
    for step in answer["path"].as_array().into_iter().flatten() {
        let after = format!("{:.3} s", step["after_ms"].as_f64().unwrap_or_default() / 1000.0);
        println!("{after:>9} {:>9}  {}", text(&step["index"]), text(&step["text"]));
        print_reasons(&step["why"]);
    }
    if answer["now"].is_object() {
        println!("\nwaits now, on index {}", answer["now"]["basis"]);
        print_reasons(&answer["now"]);
    }
    if answer["told"] != true {
        println!("\nThis node did not see its steps; another may have. Above is what the row and the record keep.");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_reasons(why: &Value) {
    why["text"].as_array().into_iter().flatten().for_each(|line| println!("{:21}{}", "", text(line)));
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{:.1}", ms / 1000.0))
}

/// A value as a query carries it (RFC 3986, 2.1).
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
