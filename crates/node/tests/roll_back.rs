//! An earlier configuration comes into force again, also where this node's disk has lost what it was.

mod rig;

use std::path::Path;

use rig::{House, Plan, Rig, TOKEN, strowger, until};
use serde_json::Value;

const NODES: u16 = 3;

fn house(agents: &[&str]) -> House {
    agents.iter().fold(House::new(), |house, name| house.phone_at(name, ([127, 0, 0, 1], 9).into()))
}

fn damage_all_below(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("content") {
        let path = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&path).expect("reading");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("writing");
    }
}

fn apply_to(rig: &Rig, version: &str) -> (bool, String) {
    let mut command = strowger();
    command.args(["apply", "--to", version, "--node", &rig.http(1), "--token", TOKEN]);
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

#[test]
fn a_node_whose_content_is_damaged_asks_another() {
    let rig = Rig::start(Plan::of(NODES, 1), &house(&["1001", "1002"]));
    rig.apply(&house(&["1001"]));
    damage_all_below(&rig.dir.join("node-1/content"));
    let (went, said) = apply_to(&rig, "1");
    assert!(went && said.contains("added agent house/1002") && said.ends_with("version 3 is in force\n"), "{said}");
    let agents = |node| -> Vec<Value> {
        let agents = rig.try_get(node, "/api/v1/agents").unwrap_or_default();
        agents["agents"].as_array().into_iter().flatten().map(|agent| agent["name"].clone()).collect()
    };
    for node in 1..=NODES {
        until("the second agent is back", || agents(node) == ["1001", "1002"]);
    }
    let log = std::fs::read_to_string(rig.dir.join("node-1.log")).expect("a log");
    for word in ["content on this node's disk is damaged", "content was fetched from another node"] {
        assert!(log.contains(word), "no `{word}` in {log}");
    }
    let (went, said) = apply_to(&rig, "9");
    assert!(!went && said.contains("version 9 of the configuration is not kept; kept are 3, 2, 1"), "{said}");
}
