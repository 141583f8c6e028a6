//! What README.md promises: its commands are there, the demo says how it went in numbers, and its verdict would find the
//! faults it looks for.

mod rig;

use std::process::Output;

use serde_json::Value;

const KEYS: [&str; 17] = [
    "pids",
    "offered",
    "lost",
    "double_booked",
    "stuck",
    "audio_checked",
    "audio_bad",
    "records_matched",
    "wait_p50_ms",
    "wait_p99_ms",
    "offer_p50_ms",
    "offer_p99_ms",
    "nodes_killed",
    "on_two_relays",
    "dialled",
    "connected",
    "dialled_twice",
];

fn demo(more: &[&str]) -> (Output, Value) {
    let output = rig::strowger().args(["demo", "--calm", "--json"]).args(more).output().expect("the demo runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let verdict = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("no JSON: {said}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output, verdict)
}

fn count(verdict: &Value, key: &str) -> u64 {
    verdict[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {verdict:#}"))
}

/// A short demo in which the cluster breaks its own rules. It spoils about one call in ten.
fn broken(fault: &str) -> Value {
    let (output, verdict) = demo(&["--seconds", "6", "--callers-per-second", "15", "--agents", "60", "--break", fault]);
    assert_eq!(output.status.code(), Some(1), "{fault} was not found: {verdict:#}");
    assert!(verdict["faults"].as_array().is_some_and(|faults| !faults.is_empty()), "{verdict:#}");
    verdict
}

#[test]
fn its_commands_are_the_ones_that_exist() {
    let readme = include_str!("../../../README.md");
    for command in ["cargo run --release -- demo", "./test"] {
        assert!(readme.lines().any(|line| line.starts_with(command)), "README.md has no `{command}`");
    }
    // Every subcommand it names is one the binary knows.
    let named =
        readme.lines().filter_map(|line| line.trim().strip_prefix("target/release/strowger ")?.split(' ').next());
    let named: Vec<&str> = named.collect();
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        let output = rig::strowger().args([name, "--help"]).output().expect("the binary runs");
        assert!(output.status.success(), "`strowger {name}`: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_calm_demo_ends_well_and_says_so_in_numbers() {
    let (output, verdict) = demo(&["--seconds", "8"]);
    assert!(output.status.success(), "{verdict:#}\n{}", String::from_utf8_lossy(&output.stderr));
    for key in KEYS {
        assert!(verdict[key].is_u64() || verdict[key].is_array(), "no {key} in {verdict:#}");
    }
    for key in ["lost", "double_booked", "stuck", "audio_bad", "nodes_killed", "dialled_twice"] {
        assert_eq!(count(&verdict, key), 0, "{key} in {verdict:#}");
    }
    assert!(count(&verdict, "offered") >= 30 && count(&verdict, "audio_checked") >= 10, "{verdict:#}");
    assert_eq!(count(&verdict, "records_matched"), count(&verdict, "offered"), "{verdict:#}");
    assert!(count(&verdict, "wait_p50_ms") <= count(&verdict, "wait_p99_ms"), "{verdict:#}");
    assert_eq!(verdict["pids"].as_array().map(Vec::len), Some(5), "three nodes and two relays: {verdict:#}");
    assert!(count(&verdict, "dialled") >= 10 && count(&verdict, "connected") > 0, "{verdict:#}");
    let talked = count(&verdict, "answered") + count(&verdict, "connected");
    assert!(count(&verdict, "on_two_relays") * 5 >= talked * 2, "fewer than 40 % on two relays: {verdict:#}");
}

#[test]
fn a_lead_called_twice_is_found() {
    assert!(count(&broken("dial_twice"), "dialled_twice") > 0);
}

#[test]
fn a_dropped_call_is_found() {
    assert!(count(&broken("drop_call"), "lost") > 0);
}

#[test]
fn swapped_audio_is_found() {
    assert!(count(&broken("swap_audio"), "audio_bad") > 0);
}

#[test]
fn an_agent_booked_twice_is_found() {
    assert!(count(&broken("double_offer"), "double_booked") > 0);
}
