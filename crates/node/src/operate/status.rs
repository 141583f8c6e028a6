//! The cluster at a glance.

use std::process::ExitCode;

use serde_json::Value;

use super::campaigns::print_campaigns;
use super::{At, block_on, text};

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
    let campaigns = list("campaigns");
    if !campaigns.is_empty() {
        println!();
        print_campaigns(&campaigns);
    }
    println!("\ncalls  {}\nagents {}\nstuck  {}", status["calls"], status["agents"], status["stuck"]);
}
