//! What became of a call is told as it was, long after everything was started again and the log was purged.

mod rig;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rig::sipp::{Sipp, free_port, has_sipp};
use rig::{House, Plan, Rig, TOKEN, strowger, until_within};
use serde_json::{Value, json};

const NODES: u16 = 3;
/// The home of the only shard.
const LEADER: u16 = 2;
const SNAPSHOT_ENTRIES: u32 = 60;
const SOME_TIME: Duration = Duration::from_secs(60);

fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.code(), said)
}

fn explained(rig: &Rig, number: u16, call: &str) -> String {
    let (code, text) = said(strowger().args(["explain", call, "--node", &rig.http(number), "--token", TOKEN]));
    assert_eq!(code, Some(0), "{text}");
    text
}

/// Whether the archive of the only shard has this entry.
fn has_archived(dir: &Path, index: u64) -> bool {
    let files = std::fs::read_dir(dir.join("raft/archive/group-1")).into_iter().flatten().flatten();
    let last = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".entries")?.split_once('-')?.1.parse::<u64>().ok()
    };
    files.filter_map(last).any(|last| last >= index)
}

#[test]
fn a_call_is_explained_in_the_same_words_when_every_node_was_started_again() {
    if !has_sipp() {
        return;
    }
    let (busy, good) = (free_port(), free_port());
    let mut house = House::new().phone_at("1001", busy).phone_at("1002", good);
    house.queue = "miss_pause_ms = 60000\nmax_misses = 0\n".to_owned();
    let mut rig = Rig::start(Plan { snapshot_entries: SNAPSHOT_ENTRIES, ..Plan::of(NODES, 1) }, &house);
    let _refuses = Sipp::start(&rig.dir, "busy", busy.port(), &[]);
    let _answers = Sipp::start(&rig.dir, "answers", good.port(), &[]);
    Sipp::callers(&rig, 1, "caller", 1, 1, Duration::from_millis(1500)).is_content(1);
    rig.until_at_rest();
    let call = rig.all_records(1)[0]["call"].as_str().expect("a number").to_owned();
    let index: u64 = call.split_once('-').expect("SHARD-INDEX").1.parse().expect("an index");
    // Of the shard's leader: a follower may have seen the entries in larger steps.
    let before = explained(&rig, LEADER, &call);
    assert!(before.contains("offered to 1001") && before.contains("offered to 1002"), "{before}");
    assert!(!before.contains("neither saw"), "{before}");

    let is_archived = || {
        // The log goes on.
        for _ in 0..10 {
            rig.post("/api/v1/agents/house/1002/not-ready", &json!({ "reason": "break" }));
            rig.post("/api/v1/agents/house/1002/ready", &Value::Null);
        }
        (1..=NODES).all(|number| has_archived(&rig.dir.join(format!("node-{number}")), index + 40))
    };
    until_within(SOME_TIME, "the log of then was purged", is_archived);
    (1..=NODES).for_each(|number| rig.kill(number));
    (1..=NODES).for_each(|number| rig.restart(number));
    (1..=NODES).for_each(|number| rig.until_ready(number));
    for number in 1..=NODES {
        assert_eq!(explained(&rig, number, &call), before, "at node {number}");
    }
    let status = rig.try_get(2, "/api/v1/status").expect("an answer");
    assert!(status["archive"]["bytes"].as_u64() > Some(0) && status["archive"]["lost"] == 0, "{status:#}");
    assert!(rig.metrics(2).contains("strowger_archive_bytes "), "for those who watch its disk");

    let data_dir = rig.dir.join("node-3");
    let (code, told) = said(strowger().arg("replay").arg(&data_dir));
    assert!(code == Some(0) && told.contains("shard-0") && told.contains("came out as they were"), "{told}");
    rig.kill(3);
    std::fs::remove_dir_all(data_dir.join("raft/archive")).expect("removing");
    rig.restart(3);
    rig.until_ready(3);
    let without = explained(&rig, 3, &call);
    assert!(without.contains("neither saw its steps nor keeps the log of then (entries 0 to "), "{without}");
}
