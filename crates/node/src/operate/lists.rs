//! What there is: queues, and the configuration in force.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{At, block_on, encode, seconds, text};

#[derive(Args, Clone, Debug)]
pub struct ListQuery {
    /// Only this tenant's.
    #[arg(long)]
    tenant: Option<String>,
    /// The whole answer, for programs.
    #[arg(long)]
    json: bool,
}

/// Prints what is at a path, line by line, unless a program asks.
pub fn list(path: &str, query: &ListQuery, at: &At, print: impl FnOnce(&Value)) -> anyhow::Result<ExitCode> {
    let tenant = query.tenant.as_ref().map_or_else(String::new, |tenant| format!("?tenant={}", encode(tenant)));
    let answer = block_on(at.client()?.get(&format!("{path}{tenant}")))??;
    if query.json {
        say!("{answer:#}");
    } else {
        print(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

pub fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Names that are one value of a line, with commas between them.
pub fn names(list: &Value) -> String {
    each(list).map(text).collect::<Vec<_>>().join(",")
}

pub fn queues(query: &ListQuery, at: &At) -> anyhow::Result<ExitCode> {
    list("/api/v1/queues", query, at, |answer| {
        say!(
            "{:<12} {:<16} {:>8} {:>14} {:>17} {:>5}",
            "tenant",
            "queue",
            "waiting",
            "called waiting",
            "longest wait (s)",
            "idle"
        );
        for line in each(&answer["queues"]) {
            let [tenant, name, waiting, called, idle] =
                ["tenant", "name", "waiting", "called_waiting", "idle"].map(|key| text(&line[key]));
            let longest = seconds(&line["longest_wait_ms"]);
            say!("{tenant:<12} {name:<16} {waiting:>8} {called:>14} {longest:>17} {idle:>5}");
        }
    })
}

/// The configuration in force concerns all tenants.
pub fn in_force(json: bool, at: &At) -> anyhow::Result<ExitCode> {
    list("/api/v1/config", &ListQuery { tenant: None, json }, at, |answer| {
        say!("version {}", answer["version"]);
        for (kind, key) in [("tenant", "tenants"), ("trunk", "trunks")] {
            each(&answer[key]).for_each(|name| say!("{kind:<8} {}", text(name)));
        }
        if let Some(behind @ 1..) = answer["shards_behind"].as_u64() {
            say!("{behind} shards have not taken it over yet");
        }
    })
}
