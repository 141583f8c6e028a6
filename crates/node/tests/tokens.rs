//! Tokens and the audit log on a cluster that loses a node.

mod rig;

use std::process::Output;

use rig::{House, Plan, Rig, TOKEN, strowger, until};
use serde_json::Value;
use strowger_api::{Client, ClientError};

const NODES: u16 = 3;
const AGENT: &str = "1001";

fn said(rig: &Rig, node: u16, words: &[&str]) -> String {
    let mut command = strowger();
    command.args(words).args(["--node", &rig.http(node), "--token", TOKEN]);
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}

/// Status of the answer to who has that token.
fn ask(rig: &Rig, node: u16, token: &str) -> u16 {
    let client = Client::new(rig.http(node), Some(token.to_owned()));
    match rig.block_on(client.get("/api/v1/agents")) {
        Ok(_) => 200,
        Err(ClientError::Refused { status, .. }) => status,
        Err(fault) => panic!("{fault}"),
    }
}

fn acts(rig: &Rig, node: u16) -> Vec<Value> {
    let answer = rig.try_get(node, "/api/v1/audit?limit=1000").unwrap_or_default();
    answer["acts"].as_array().cloned().unwrap_or_default()
}

/// What was done over node 3 is known after its death, on the others and, when it is back, on itself.
#[test]
fn tokens_and_acts_outlive_the_node_that_took_them() {
    let mut rig = Rig::start(Plan::of(NODES, 1), &House::new().phone_at(AGENT, ([127, 0, 0, 1], 9).into()));
    let tenant = rig.get("/api/v1/config")["tenants"][0].as_str().expect("a tenant").to_owned();
    let add = ["tokens", "add", "desk", "--role", "operator", "--tenant", &tenant, "--days", "1"];
    let desk = said(&rig, 3, &add).trim().to_owned();
    (1..=NODES).for_each(|node| until("every node takes it", || ask(&rig, node, &desk) == 200));
    let client = Client::new(rig.http(3), Some(desk.clone()));
    let not_ready = format!("/api/v1/agents/{tenant}/{AGENT}/not-ready");
    rig.block_on(client.post(&not_ready, &serde_json::json!({ "reason": "lunch" }))).expect("its own agent");
    let elsewhere = rig.block_on(client.post("/api/v1/agents/another/1001/ready", &Value::Null));
    assert!(matches!(&elsewhere, Err(ClientError::Refused { status: 404, code, .. }) if code == "no_such_tenant"));
    until("the last use is known", || {
        said(&rig, 1, &["tokens"]).lines().any(|line| line.starts_with("desk ") && !line.trim_end().ends_with('-'))
    });
    let what =
        |acts: &[Value]| acts.iter().map(|act| act["what"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    let is_settled = |acts: &[Value]| acts.iter().all(|act| act["status"].is_number());
    until("every node tells the same", || {
        let all: Vec<Vec<Value>> = (1..=NODES).map(|node| acts(&rig, node)).collect();
        is_settled(&all[0])
            && all[0] == all[1]
            && all[1] == all[2]
            && what(&all[0]).contains(&format!("POST {not_ready}"))
    });
    let before = acts(&rig, 1);

    rig.kill(3);
    until("a token is revoked without it", || {
        let mut command = strowger();
        command.args(["tokens", "revoke", "desk", "--tenant", &tenant, "--node", &rig.http(1), "--token", TOKEN]);
        command.output().expect("it runs").status.success()
    });
    until("nobody takes it", || [1, 2].iter().all(|node| ask(&rig, *node, &desk) == 401));
    for node in [1, 2] {
        let now = acts(&rig, node);
        assert!(now.ends_with(&before), "what was done is still told: {now:?}");
    }
    let line = said(&rig, 2, &["audit", "--by", "desk"]);
    let act = line.lines().nth(1).expect("an act");
    for part in ["desk", tenant.as_str(), "127.0.0.1", "200", not_ready.as_str(), "{\"reason\":\"lunch\"}"] {
        assert!(act.contains(part), "{part}: {act}");
    }

    rig.restart(3);
    until("it knows what happened meanwhile", || {
        let (theirs, ours) = (acts(&rig, 1), acts(&rig, 3));
        !ours.is_empty() && theirs == ours && ask(&rig, 3, &desk) == 401
    });
}
