//! Calls: their records, and why one went where it went.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{At, block_on, encode, seconds, text};

#[derive(Args, Clone, Debug)]
pub struct Filter {
    /// Only this tenant's.
    #[arg(long)]
    tenant: Option<String>,
    /// answered, served_by_flow, abandoned, overflowed, failed, rejected or not_reached
    #[arg(long)]
    outcome: Option<String>,
    /// Only calls that waited in this queue last.
    #[arg(long)]
    queue: Option<String>,
    /// Only calls that this agent talked to.
    #[arg(long)]
    agent: Option<String>,
    /// Only outbound calls of this campaign.
    #[arg(long)]
    campaign: Option<String>,
    /// The caller's number.
    #[arg(long)]
    from: Option<String>,
    /// How many at most, 1 to 10000.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

pub fn calls(filter: &Filter, json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let mut query = format!("/api/v1/calls?limit={}", filter.limit);
    for (key, value) in [
        ("tenant", &filter.tenant),
        ("outcome", &filter.outcome),
        ("queue", &filter.queue),
        ("agent", &filter.agent),
        ("campaign", &filter.campaign),
        ("from", &filter.from),
    ] {
        if let Some(value) = value {
            query += &format!("&{key}={}", encode(value));
        }
    }
    let answer = block_on(at.client()?.get(&query))??;
    if json {
        say!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    print_calls(answer["calls"].as_array().map_or(&[], Vec::as_slice));
    Ok(ExitCode::SUCCESS)
}

fn print_calls(calls: &[Value]) {
    // What campaigns leave is shown where there is some.
    let any_dialled = calls.iter().any(|call| call["campaign"].is_string());
    let dialled = |campaign: &str, result: &str| {
        if any_dialled { format!("  {campaign:<14} {result}") } else { String::new() }
    };
    say!(
        "{:<10} {:<24} {:<16} {:<14} {:<15} {:<12} {:<8} {:>7} {:>7}{}",
        "call",
        "admitted",
        "from",
        "to",
        "outcome",
        "queue",
        "agent",
        "wait s",
        "talk s",
        dialled("campaign", "dialled")
    );
    for call in calls {
        say!(
            "{:<10} {:<24} {:<16} {:<14} {:<15} {:<12} {:<8} {:>7} {:>7}{}",
            text(&call["call"]),
            text(&call["admitted"]),
            text(&call["from"]),
            text(&call["to"]),
            text(&call["outcome"]),
            text(&call["queue"]),
            text(&call["agent"]),
            seconds(&call["wait_ms"]),
            seconds(&call["talk_ms"]),
            dialled(&text(&call["campaign"]), &dial_result(call))
        );
    }
}

/// The result, and what the far end said when it was no call.
fn dial_result(call: &Value) -> String {
    match call["sip_status"].as_u64() {
        Some(status) if status != 0 => format!("{} (SIP {status})", text(&call["dial_result"])),
        _ => text(&call["dial_result"]),
    }
}

pub fn explain(call: &str, json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let answer = block_on(at.client()?.get(&format!("/api/v1/calls/{}/explain", encode(call))))??;
    if json {
        say!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let [call, tenant, from, to, state] = ["call", "tenant", "from", "to", "state"].map(|key| text(&answer[key]));
    let outcome = answer["outcome"].as_str().map(|outcome| format!(", {outcome}")).unwrap_or_default();
    let result = answer["dial_result"].as_str().map(|result| format!(", {result}")).unwrap_or_default();
    say!("call {call} of {tenant}, from {from} to {to}: {state}{outcome}{result}\n");
    say!("{:>9} {:>9}", "after", "index");
    for step in answer["path"].as_array().into_iter().flatten() {
        let after = format!("{:.3} s", step["after_ms"].as_f64().unwrap_or_default() / 1000.0);
        say!("{after:>9} {:>9}  {}", text(&step["index"]), text(&step["text"]));
        print_reasons(&step["why"]);
    }
    if answer["now"].is_object() {
        say!("\nwaits now, on index {}", answer["now"]["basis"]);
        print_reasons(&answer["now"]);
    }
    if answer["told"] != true {
        let missing = answer["missing"].as_str().map(|part| format!(" ({part})")).unwrap_or_default();
        say!(
            "\nThis node neither saw its steps nor keeps the log of then{missing}; another may (--node). Above is what \
             the row and the record keep."
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print_reasons(why: &Value) {
    why["text"].as_array().into_iter().flatten().for_each(|line| say!("{:21}{}", "", text(line)));
}
