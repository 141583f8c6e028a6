//! SIPp as callers and as agents: a far end by other people, with its own idea of what SIP is.

mod rig;

use std::time::{Duration, Instant};

use rig::sipp::{Sipp, free_port, has_sipp};
use rig::{House, Plan, Rig};
use serde_json::Value;

const LOAD_AGENTS: usize = 30;
const LOAD_CALLS: u32 = 60;

fn all_answered(records: &[Value], by: &str) {
    for record in records {
        assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &by.into()), "{record:#}");
    }
}

#[test]
fn sixty_callers_at_three_nodes_reach_thirty_agents_without_one_repeat_too_many() {
    if !has_sipp() {
        return;
    }
    let phones = free_port();
    let house = (0..LOAD_AGENTS).fold(House::new(), |house, at| house.phone_at(&(1001 + at).to_string(), phones));
    let rig = Rig::start(Plan::of(3, 3), &house);
    let mut agents = Sipp::start(&rig.dir, "answers", phones.port(), &["-m", &LOAD_CALLS.to_string()]);
    let stay = Duration::from_millis(1500);
    let mut callers: Vec<Sipp> =
        (1..=3).map(|node| Sipp::callers(&rig, node, "caller", LOAD_CALLS / 3, 7, stay)).collect();
    let repeats: u32 = callers.iter_mut().map(|callers| callers.is_content(LOAD_CALLS / 3)).sum();
    let repeats = repeats + agents.is_content(LOAD_CALLS);
    assert!(repeats <= 6, "{repeats} messages had to be sent again");
    rig.until_at_rest();
    let records = rig.all_records(LOAD_CALLS as usize);
    for record in &records {
        assert_eq!((&record["outcome"], &record["by"]), (&"answered".into(), &"caller".into()), "{record:#}");
        assert_eq!(record["offers"], 1, "{record:#}");
    }
}

#[test]
fn the_log_of_a_call_can_be_picked_out() {
    if !has_sipp() {
        return;
    }
    let phones = free_port();
    let log = "info,strowger_cluster=debug,strowger_relay=debug,openraft=error";
    let rig = Rig::start(Plan { log, ..Plan::of(3, 1) }, &House::new().phone_at("1001", phones));
    let _answers = Sipp::start(&rig.dir, "answers", phones.port(), &[]);
    Sipp::callers(&rig, 2, "caller", 2, 1, Duration::from_millis(1500)).is_content(2);
    rig.until_at_rest();
    let text = |name: &str| std::fs::read_to_string(rig.dir.join(name)).expect("a log");
    let logs = ["node-1.log", "node-2.log", "node-3.log", "relay-1.log"].map(text).concat();
    for record in rig.all_records(2) {
        let field = |key: &str| record[key].as_str().expect("a text").to_owned();
        let (call, sip_call_id) = (field("call"), field("sip_call_id"));
        let is_named = |line: &&str| {
            line.split(|sign: char| !sign.is_ascii_digit() && sign != '-').any(|word| word == call)
                || line.contains(&sip_call_id)
        };
        for line in logs.lines().filter(is_named) {
            let says = |key: &str, value: &str| {
                line.contains(&format!(" {key}={value}")) || line.contains(&format!(" {key}=\"{value}\""))
            };
            assert!(says("call", &call) || says("sip_call_id", &sip_call_id), "{line}");
        }
        let its: Vec<&str> = logs.lines().filter(|line| line.contains(&format!(" call={call} "))).collect();
        for step in ["admitted", "SIP/2.0 200", "INVITE sip:", "method=\"BYE\"", "stage=\"ended\""] {
            assert!(its.iter().any(|line| line.contains(step)), "no {step} in {its:#?}");
        }
    }
    let nobody = |line: &&str| line.contains("strowger_cluster::actor::call") && !line.contains(" call=");
    assert_eq!(logs.lines().find(nobody), None);
}

#[test]
fn callers_who_cancel_get_487_and_leave_a_record() {
    if !has_sipp() {
        return;
    }
    let rig = Rig::start(Plan::of(3, 1), &House::new());
    // Without a media port there is no 200, so each CANCEL comes in time for certain.
    rig.freeze_relay(true);
    let mut callers = Sipp::callers(&rig, 2, "cancel", 5, 50, Duration::ZERO);
    let begun = Instant::now();
    let repeats = callers.is_content(5);
    rig.freeze_relay(false);
    assert!(repeats <= 2, "{repeats} messages had to be sent again in {:?}", begun.elapsed());
    rig.until_at_rest();
    let records = rig.all_records(5);
    assert!(records.iter().all(|record| record["outcome"] == "abandoned"), "{records:#?}");
}

#[test]
fn callers_who_lose_patience_in_the_queue_are_abandoned() {
    if !has_sipp() {
        return;
    }
    let rig = Rig::start(Plan::of(1, 1), &House::new());
    let stay = Duration::from_millis(700);
    Sipp::callers(&rig, 1, "caller", 5, 50, stay).is_content(5);
    rig.until_at_rest();
    let records = rig.all_records(5);
    for record in &records {
        assert_eq!((&record["outcome"], &record["by"]), (&"abandoned".into(), &"caller".into()), "{record:#}");
        let waited = record["wait_ms"].as_u64().expect("a wait");
        assert!((600..3000).contains(&waited), "{record:#}");
    }
}

#[test]
fn a_busy_agent_is_passed_over_and_the_next_one_gets_the_call() {
    if !has_sipp() {
        return;
    }
    let (busy, good) = (free_port(), free_port());
    let mut house = House::new().phone_at("1001", busy).phone_at("1002", good);
    house.queue = "miss_pause_ms = 60000\nmax_misses = 0\n".to_owned();
    let rig = Rig::start(Plan::of(1, 1), &house);
    let mut refuses = Sipp::start(&rig.dir, "busy", busy.port(), &["-m", "1"]);
    let _answers = Sipp::start(&rig.dir, "answers", good.port(), &[]);
    Sipp::callers(&rig, 1, "caller", 1, 1, Duration::from_millis(1500)).is_content(1);
    refuses.is_content(1);
    assert_eq!(rig.agent("1001")["state"], "paused", "who refused a call is left alone for a while");
    // And while that lasts the next call does not go there.
    Sipp::callers(&rig, 1, "caller", 1, 1, Duration::from_millis(1500)).is_content(1);
    let records = rig.all_records(2);
    all_answered(&records, "1002");
    let offers: Vec<u64> = records.iter().filter_map(|record| record["offers"].as_u64()).collect();
    assert_eq!(offers, [2, 1]);
}

#[test]
fn an_agent_who_never_answers_is_cancelled_and_after_some_misses_not_ready() {
    if !has_sipp() {
        return;
    }
    let (silent, good) = (free_port(), free_port());
    let mut house = House::new().phone_at("1001", silent).phone_at("1002", good);
    house.queue = "ring_timeout_ms = 1000\nmiss_pause_ms = 100\nmax_misses = 2\n".to_owned();
    let rig = Rig::start(Plan::of(1, 1), &house);
    let mut rings = Sipp::start(&rig.dir, "silent", silent.port(), &["-m", "2"]);
    let _answers = Sipp::start(&rig.dir, "answers", good.port(), &[]);
    let stay = Duration::from_millis(3000);
    let is_out = || rig.agent("1001")["state"] == "not_ready";
    let mut calls = 0;
    while !is_out() && calls < 6 {
        Sipp::callers(&rig, 1, "caller", 1, 1, stay).is_content(1);
        calls += 1;
    }
    assert!(is_out(), "{:#}", rig.agent("1001"));
    assert!(!rig.agent("1001")["reason"].is_null());
    rings.is_content(2);
    rig.until_at_rest();
    let records = rig.all_records(calls);
    all_answered(&records, "1002");
    let offers: u64 = records.iter().filter_map(|record| record["offers"].as_u64()).sum();
    assert_eq!(offers, records.len() as u64 + 2, "two offers were missed, no more");
}
