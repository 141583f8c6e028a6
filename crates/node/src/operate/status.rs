//! The cluster at a glance.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use serde_json::Value;

use super::campaigns::print_campaigns;
use super::{At, EXIT_WRONG, block_on, text};

pub fn status(json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let status = block_on(at.client()?.get("/api/v1/status"))??;
    let wrong = wrong(&status);
    if json {
        say!("{status:#}");
    } else {
        print_status(&status);
        print_wrong(&wrong);
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_WRONG) })
}

/// What somebody on duty has to look at, the nearest cause first.
fn wrong(status: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let each = |key: &str| status[key].as_array().into_iter().flatten();
    let me = node(&status["node"]);
    for peer in each("nodes") {
        let name = node(&peer["node"]);
        if peer["up"] != true {
            wrong.push(format!("{name} is down"));
        } else if peer["connected"] != true {
            wrong.push(format!("{me} has no connection to {name}"));
        }
    }
    for relay in each("relays").filter(|relay| relay["connected"] != true) {
        wrong.push(format!("{me} has no connection to {}", text(&relay["relay"])));
    }
    for group in each("groups") {
        let name = text(&group["name"]);
        if group["leader"].is_null() {
            wrong.push(format!("nobody leads {name}: nothing is decided there until a majority of its nodes is up"));
        }
        if group["diverged"] == true {
            wrong.push(format!(
                "{me} has another state of {name} than its leader and ends: keep it stopped, and its data directory \
                 for analysis; a voter with a blank one takes no part"
            ));
        }
    }
    if status["active"] != true {
        wrong.push(format!("{me} is passive: it takes no calls while it does not reach a majority of the nodes"));
    }
    if status["archive"]["lost"].as_u64().unwrap_or_default() > 0 {
        wrong.push(format!(
            "{me} could not archive what the log was: calls of then are not explained; is its disk full?"
        ));
    }
    match status["stuck"].as_u64().unwrap_or_default() {
        0 => {}
        1 => wrong.push("1 deadline has passed and nothing was done".to_owned()),
        stuck => wrong.push(format!("{stuck} deadlines have passed and nothing was done")),
    }
    wrong
}

fn print_wrong(wrong: &[String]) {
    let (red, off) = if std::io::stdout().is_terminal() { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    say!("");
    wrong.iter().for_each(|line| say!("{red}wrong{off}  {line}"));
    if wrong.is_empty() {
        say!("nothing is wrong");
    }
}

fn print_status(status: &Value) {
    let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
    say!("{:<12} {:<6} {:<12} connected", "node", "state", "incarnation");
    for peer in list("nodes") {
        let state = if peer["up"] == true { "up" } else { "DOWN" };
        say!("{:<12} {state:<6} {:<12} {}", node(&peer["node"]), text(&peer["incarnation"]), text(&peer["connected"]));
    }
    say!("\n{:<12} {:<12} {:>6} {:>10}  lag", "group", "leader", "term", "applied");
    for group in list("groups") {
        say!(
            "{:<12} {:<12} {:>6} {:>10}  {}",
            text(&group["name"]),
            node(&group["leader"]),
            text(&group["term"]),
            text(&group["applied"]),
            lag(&group["lag"])
        );
    }
    say!("\n{:<12} connected", "relay");
    list("relays").iter().for_each(|relay| say!("{:<12} {}", text(&relay["relay"]), text(&relay["connected"])));
    say!("\n{:<12} {:<16} {:>8} {:>13} {:>6}", "tenant", "queue", "waiting", "longest wait", "idle");
    for queue in list("queues") {
        let wait = format!("{:.1} s", queue["longest_wait_ms"].as_f64().unwrap_or_default() / 1000.0);
        say!(
            "{:<12} {:<16} {:>8} {wait:>13} {:>6}",
            text(&queue["tenant"]),
            text(&queue["name"]),
            text(&queue["waiting"]),
            text(&queue["idle"])
        );
    }
    let campaigns = list("campaigns");
    if !campaigns.is_empty() {
        say!("");
        print_campaigns(&campaigns);
    }
    say!("\ncalls  {}\nagents {}", counts(&status["calls"]), counts(&status["agents"]));
    say!("past   {}", past(&status["archive"]));
}

/// How much is kept of what the log was, and how far it reaches back.
fn past(archive: &Value) -> String {
    let mib = archive["bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20);
    match archive["reaches_back_s"].as_u64() {
        Some(seconds) => format!("{mib:.1} MiB of {:.1} days on this node", seconds as f64 / 86_400.0),
        None => "as much as the log has".to_owned(),
    }
}

/// As logs and the configuration call it; programs get the number.
fn node(number: &Value) -> String {
    number.as_u64().map_or_else(|| "-".to_owned(), |number| format!("node-{number}"))
}

/// Entries that each follower lacks, and who has not answered; nothing of who has all.
fn lag(of: &Value) -> String {
    let each = of.as_object().into_iter().flatten().filter(|(_, lag)| lag.as_u64() != Some(0));
    let words = each.map(|(node, lag)| match lag.as_u64() {
        Some(lag) => format!("node-{node} {lag}"),
        None => format!("node-{node} silent"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn counts(of: &Value) -> String {
    let each = of.as_object().into_iter().flatten().map(|(name, count)| format!("{count} {}", name.replace('_', " ")));
    let words = each.collect::<Vec<_>>().join(", ");
    if words.is_empty() { "none".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn well() -> Value {
        json!({
            "node": 1, "active": true, "stuck": 0,
            "nodes": [{ "node": 1, "up": true, "connected": true }, { "node": 2, "up": true, "connected": true }],
            "relays": [{ "relay": "relay-1", "connected": true }],
            "groups": [{ "name": "control", "leader": 2, "diverged": false }],
        })
    }

    #[test]
    fn of_a_cluster_that_is_well_nothing_is_wrong() {
        assert_eq!(wrong(&well()), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_down_is_named() {
        for (place, value, told) in [
            ("/nodes/1/up", json!(false), "node-2 is down"),
            ("/nodes/1/connected", json!(false), "node-1 has no connection to node-2"),
            ("/relays/0/connected", json!(false), "node-1 has no connection to relay-1"),
            ("/groups/0/leader", Value::Null, "nobody leads control"),
            ("/groups/0/diverged", json!(true), "node-1 has another state of control"),
            ("/active", json!(false), "node-1 is passive"),
            ("/stuck", json!(2), "2 deadlines have passed"),
        ] {
            let mut status = well();
            *status.pointer_mut(place).unwrap() = value;
            let wrong = wrong(&status);
            assert!(wrong.len() == 1 && wrong[0].starts_with(told), "{place}: {wrong:?}");
        }
    }

    #[test]
    fn counts_and_lags_read_as_words() {
        assert_eq!(counts(&json!({ "not_ready": 2, "idle": 1 })), "1 idle, 2 not ready");
        assert_eq!(counts(&json!({})), "none");
        assert_eq!(lag(&json!({ "2": 0, "3": 7, "4": null })), "node-3 7, node-4 silent");
    }
}
