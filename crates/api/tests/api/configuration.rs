//! Applying a configuration, and agents' commands on it.

use crate::world::campaign::list;
use crate::world::{World, code, example};
use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_cluster::{NotConfigured, Refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_applied() {
    let world = World::start().await;
    let files = example();
    let (status, body) = world.apply(&files, true).await;
    assert_eq!((status, &body["version"]), (StatusCode::OK, &json!(0)), "{body}");
    assert!(body["changes"].as_array().unwrap().iter().any(|change| {
        (&change["what"], &change["kind"], &change["name"]) == (&json!("added"), &json!("tenant"), &json!("acme"))
    }));
    assert_eq!(world.get("/api/v1/config").await.1["tenants"], json!([]), "a dry run changes nothing");

    let (status, body) = world.apply(&files, false).await;
    assert_eq!((status, &body["version"], &body["shards_behind"]), (StatusCode::OK, &json!(1), &json!(0)), "{body}");
    let (_, config) = world.get("/api/v1/config").await;
    assert_eq!((&config["version"], &config["tenants"]), (&json!(1), &json!(["acme"])));
    assert_eq!(config["trunks"], json!(["carrier", "loopback"]));

    let (status, body) = world.apply(&files, false).await;
    let expected = (StatusCode::OK, &json!(1), &json!([]));
    assert_eq!((status, &body["version"], &body["changes"]), expected, "the same again is no new version");
    let (_, queues) = world.get("/api/v1/queues?tenant=acme").await;
    assert_eq!(queues["queues"].as_array().unwrap().len(), 2, "{queues}");
    assert_eq!(world.get("/health/ready").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_with_their_places() {
    let world = World::start().await;
    let mut files = example();
    let acme = files.0.get_mut("tenants/acme.toml").unwrap();
    let text = String::from_utf8(acme.clone()).unwrap().replace("ring_timeout_ms = 15000", "ring_timeout_ms = 5");
    let line = 1 + text.lines().position(|line| line.starts_with("ring_timeout_ms")).unwrap();
    *acme = text.into_bytes();
    files.0.insert("music/hold.wav".to_owned(), b"noise".to_vec());
    for dry_run in [true, false] {
        let (status, body) = world.apply(&files, dry_run).await;
        assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "bad_configuration"));
        let faults = body["error"]["faults"].as_array().unwrap();
        let is_ours = |fault: &&Value| fault["file"] == "tenants/acme.toml" && fault["line"] == line;
        let fault = faults.iter().find(is_ours).unwrap_or_else(|| panic!("no fault at line {line}: {body}"));
        assert!(fault["column"].is_u64() && fault["what"].is_string() && fault["fix"].is_string(), "{fault}");
        let tells_of_wav = |fault: &Value| fault["what"].as_str().unwrap().contains("WAV file");
        assert!(faults.iter().any(tells_of_wav), "{body}");
    }
    let (status, body) = world.post("/api/v1/config", &json!({ "files": { "a.toml": "?" } })).await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"));
    assert_eq!(world.get("/api/v1/config").await.1["version"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_is_told() {
    let world = World::start().await;
    let mut other = example();
    for file in other.0.iter_mut().filter(|(path, _)| path.ends_with(".toml")).map(|(_, file)| file) {
        *file = String::from_utf8(file.clone()).unwrap().replace("carrier", "telco").into_bytes();
    }
    // Both compare with the same version now and then; what must never happen is that both come to the same one.
    let files = example();
    let (one, two) = tokio::join!(world.apply(&files, false), world.apply(&other, false));
    let mut versions = Vec::new();
    for (status, body) in [one, two] {
        if status == StatusCode::CONFLICT {
            assert_eq!(code(&body), "old_version");
        } else {
            assert_eq!(status, StatusCode::OK, "{body}");
            versions.push(body["version"].as_u64().unwrap());
        }
    }
    versions.sort_unstable();
    assert!(versions == [1] || versions == [1, 2], "{versions:?}");
    // The log's own answer to a version that is not the next.
    let refused = world.context.configure(1, Vec::new(), Vec::new()).await;
    assert!(matches!(refused, Err(NotConfigured::Refused(Refused::ByTable(strowger_table::Refusal::OldVersion)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_told_and_seen() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let operator = world.token("operator").await;
    let state = async |name: &str| {
        let (_, body) = world.get("/api/v1/agents?tenant=acme").await;
        let agents = body["agents"].as_array().unwrap();
        let agent = agents.iter().find(|agent| agent["name"] == name).unwrap().clone();
        (agent["state"].as_str().unwrap().to_owned(), agent["reason"].as_str().map(str::to_owned))
    };
    let tell = async |path: &str, body: Value| {
        world.ask("POST", &format!("/api/v1/agents/acme/{path}"), Some(&operator), &body).await
    };
    // 1003 has a phone that is always there and is not ready at log-in.
    assert_eq!(state("1003").await, ("not_ready".to_owned(), Some("log-in".to_owned())));
    let (status, body) = tell("1003/ready", Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "committed": true })));
    assert_eq!(state("1003").await, ("idle".to_owned(), None));
    assert_eq!(tell("1003/not-ready", json!({ "reason": "lunch" })).await.0, StatusCode::OK);
    assert_eq!(state("1003").await, ("not_ready".to_owned(), Some("lunch".to_owned())));

    let (status, body) = tell("1003/dispose", json!({ "call": "0-7", "code": "sold" })).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_call"));
    let what = body["error"]["what"].as_str().unwrap();
    assert!(what.contains("too late"), "{what}");
    let (status, body) = tell("1001/ready", Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "agent_busy"), "1001 has no phone");
    let (status, body) = tell("9999/ready", Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_agent"));
    for (path, body) in [
        ("1003/not-ready", json!({ "reason": "" })),
        ("1003/not-ready", json!({ "reason": "x".repeat(65) })),
        ("1003/not-ready", json!({ "reason": "a\nb" })),
        ("1003/not-ready", json!({})),
        ("1003/dispose", json!({ "call": "seven", "code": "sold" })),
    ] {
        let (status, answer) = tell(path, body).await;
        assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "bad_request"), "{path}");
    }
}

/// A list and its attempts would be out of reach: it is said how many, and how they come back.
#[tokio::test(flavor = "multi_thread")]
async fn what_lives_on_what_would_be_removed_is_said() {
    let world = World::with_campaigns().await;
    world.import("", list(&["+442071838750,Ann,London", "+442071838751,Bob,London"])).await;
    world.post("/api/v1/do-not-call", &json!({ "numbers": ["+442071838751"] })).await;
    let mut files = example();
    let acme = files.0.get_mut("tenants/acme.toml").unwrap();
    let text = String::from_utf8(acme.clone()).unwrap();
    *acme = text.split("[[campaign]]").next().unwrap().as_bytes().to_vec();
    let (_, body) = world.apply(&files, true).await;
    let find = |name: &str| body["changes"].as_array().unwrap().iter().find(|change| change["name"] == name).cloned();
    let spring = find("acme/spring").unwrap_or_else(|| panic!("{body}"));
    assert_eq!(
        (&spring["what"], &spring["touched"]),
        (&json!("removed"), &json!({"calls": 0, "agents": 0, "leads": 2, "left": 1}))
    );
    let detail = spring["detail"].as_str().unwrap();
    assert!(detail.contains("2 leads, 1 of them left to call") && detail.contains("apply --to 2"), "{detail}");
    assert_eq!(find("acme/desk").map(|desk| desk["touched"].clone()), Some(Value::Null), "nothing lives on it");
}

/// Who removes a trunk or an agent hangs up on nobody, and is told whom it concerns.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_trunks_and_agents_who_are_there_are_said() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    world.ready().await;
    let calls = [world.admit().await, world.admit().await];
    let mut files = example();
    let mut change = |path: &str, from: &str, to: &str| {
        let file = files.0.get_mut(path).unwrap();
        let text = String::from_utf8(file.clone()).unwrap();
        assert!(text.contains(from), "{path} has no {from}");
        *file = text.replace(from, to).into_bytes();
    };
    change("trunks.toml", "name = \"carrier\"", "name = \"another\"");
    change("tenants/acme.toml", "trunk = \"carrier\"", "trunk = \"another\"");
    change("tenants/acme.toml", "name = \"1003\"", "name = \"1033\"");
    let told = async || {
        let (status, body) = world.apply(&files, true).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        move |name: &str| {
            let mut changes = body["changes"].as_array().unwrap().iter();
            let change = changes.find(|change| change["what"] == "removed" && change["name"] == name);
            let change = change.unwrap_or_else(|| panic!("no {name} in {body}"));
            (change["touched"].clone(), change["detail"].as_str().unwrap().to_owned())
        }
    };
    let of = told().await;
    let (touched, detail) = of("carrier");
    assert_eq!(touched, json!({"calls": 2, "agents": 0, "leads": 0, "left": 0}), "{detail}");
    assert!(detail.contains("2 live calls"), "{detail}");
    let (touched, detail) = of("acme/1003");
    assert_eq!(touched, json!({"calls": 0, "agents": 1, "leads": 0, "left": 0}), "{detail}");
    assert!(detail.contains("1 agent logged in"), "{detail}");
    for call in calls {
        world.end(call).await;
    }
    let of = told().await;
    assert_eq!(of("carrier").0, Value::Null, "its calls are over");
}

/// One entry would hold some 6500.
#[tokio::test(flavor = "multi_thread")]
async fn twelve_thousand_agents_are_applied() {
    let world = World::start().await;
    let mut files = example();
    let text = String::from_utf8(files.0["tenants/acme.toml"].clone()).unwrap();
    let range = "\n[[agents]]\nnames = \"20000-31999\"\nqueues = [\"sales\"]\n\
                 password = \"change-me-{name}\"\n";
    files.0.insert("tenants/acme.toml".to_owned(), (text + range).into_bytes());
    let (status, body) = world.apply(&files, false).await;
    assert_eq!((status, &body["version"], &body["shards_behind"]), (StatusCode::OK, &json!(1), &json!(0)), "{body}");
    let (_, body) = world.get("/api/v1/agents?tenant=acme").await;
    assert!(body["agents"].as_array().unwrap().len() > 12_000);
    assert_eq!(world.apply(&example(), false).await.1["version"], 2);
}
