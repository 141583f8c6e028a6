//! Campaigns are started, stopped and seen; agents ask for calls; outbound calls are told of.

use std::time::Duration;

use crate::world::campaign::{AGENT, LEADS, list};
use crate::world::{World, code};
use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_dialer::Standstill;
use strowger_model::{CampaignId, Destinations};
use strowger_table::NewLead;

const NUMBER: &str = "+493012345678";
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_are_started_and_stopped() {
    let world = World::with_campaigns().await;
    let (status, body) = world.get("/api/v1/campaigns").await;
    let names: Vec<&Value> = body["campaigns"].as_array().unwrap().iter().map(|line| &line["name"]).collect();
    assert_eq!((status, names), (StatusCode::OK, vec![&json!("desk"), &json!("spring")]), "{body}");
    let spring = &body["campaigns"][1];
    assert_eq!((&spring["mode"], &spring["running"]), (&json!("progressive"), &json!(false)), "{spring}");
    for key in ["leads", "done", "reserved", "ringing", "talking", "dialled"] {
        assert_eq!(spring[key], 0, "{key}: {spring}");
    }
    assert_eq!(spring["results"]["connected"], 0);
    assert_eq!((&spring["standstill"]["why"], &spring["standstill"]["until"]), (&json!("stopped"), &Value::Null));
    assert_eq!(body["campaigns"][0]["standstill"]["why"], "manual");
    let run = async |path: &str| world.post(&format!("/api/v1/campaigns/acme/{path}"), &Value::Null).await;
    assert_eq!(run("spring/start").await, (StatusCode::OK, json!({ "running": true })));
    assert_eq!(world.get("/api/v1/status").await.1["campaigns"][1]["running"], true);
    assert_eq!(run("spring/stop").await, (StatusCode::OK, json!({ "running": false })));
    assert_eq!(world.get("/api/v1/campaigns?tenant=acme").await.1["campaigns"][1]["running"], false);
    let (status, body) = run("desk/start").await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "manual_campaign"));
    let (status, body) = run("autumn/stop").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_campaign"));
    let (status, body) = world.get("/api/v1/campaigns?tenant=x").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_begun_says_why() {
    let world = World::with_campaigns().await;
    let dial = async |agent: &str, campaign: &str, number: &str| {
        let path = format!("/api/v1/agents/acme/{agent}/dial");
        let (status, body) = world.post(&path, &json!({ "campaign": campaign, "number": number })).await;
        (status, code(&body).to_owned())
    };
    let is = |status: StatusCode, code: &str| (status, code.to_owned());
    assert_eq!(dial(AGENT, "autumn", NUMBER).await, is(StatusCode::NOT_FOUND, "no_such_campaign"));
    assert_eq!(dial("9999", "desk", NUMBER).await, is(StatusCode::NOT_FOUND, "no_such_agent"));
    assert_eq!(dial(AGENT, "desk", "030 123").await, is(StatusCode::UNPROCESSABLE_ENTITY, "bad_number"));
    assert_eq!(dial("1001", "desk", NUMBER).await, is(StatusCode::CONFLICT, "agent_busy"), "1001 has no phone");
    assert_eq!(dial(AGENT, "desk", NUMBER).await, is(StatusCode::SERVICE_UNAVAILABLE, "no_relay"));
    world.post("/api/v1/do-not-call", &json!({ "numbers": [NUMBER] })).await;
    assert_eq!(dial(AGENT, "desk", NUMBER).await, is(StatusCode::CONFLICT, "barred"));
    let (status, body) = world.post(&format!("/api/v1/agents/acme/{AGENT}/dial"), &json!({ "number": NUMBER })).await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"));
}

/// As the API, the board and the metrics say it.
async fn stands_still(world: &World, why: &str) {
    let said = async {
        loop {
            let (_, campaigns) = world.get("/api/v1/campaigns").await;
            let (_, status) = world.get("/api/v1/status").await;
            let (_, metrics) = world.text("GET", "/metrics", Some(&world.admin), Vec::new()).await;
            let sample = |line: &str| {
                line.starts_with("strowger_campaign_standstill{")
                    && line.contains("campaign=\"spring\"")
                    && line.contains(&format!("why=\"{why}\""))
            };
            let lists = [campaigns, status];
            let all = lists.iter().all(|body| body["campaigns"][1]["standstill"]["why"] == why);
            if all && metrics.lines().any(sample) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, said).await.unwrap_or_else(|_| panic!("nobody says {why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_whose_leads_became_forbidden_says_so() {
    let mut destinations = Destinations::default();
    destinations.everyone.deny = vec!["+49".parse().unwrap()];
    let world = World::start_with(destinations).await.having_campaigns(|_| ()).await;
    // Through the API it would be a fault: it was imported before the list was written.
    let lead = NewLead { number: NUMBER.parse().unwrap(), zone: "Europe/Berlin".into(), line: 0 };
    world.context.import(CampaignId(1), vec![lead], b"fields").await.expect("on the list");
    world.post("/api/v1/campaigns/acme/spring/start", &Value::Null).await;
    stands_still(&world, "forbidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_whose_trunk_has_no_line_free_says_so() {
    let world = World::start().await.having_campaigns(|trunk| trunk.max_calls = 1).await;
    world.import("", list(&["+493012345678,Ben,Berlin"])).await;
    world.ready().await;
    world.post("/api/v1/campaigns/acme/spring/start", &Value::Null).await;
    stands_still(&world, "no_relay").await;
    world.admit().await;
    stands_still(&world, "no_line").await;
}

/// Whoever has a word for it has one for each.
#[test]
fn board_and_description_know_each_reason() {
    let page = include_str!("../../src/page/wallboard.js");
    let words = page.lines().find(|line| line.starts_with("const STILL = ")).expect("the board's words");
    let description = include_str!("../../src/openapi.json");
    let described =
        description.lines().find(|line| line.contains("standstill (null while it dials")).expect("described");
    for word in Standstill::WORDS {
        assert!(words.contains(&format!(" {word}: \"")), "the board has no word for {word}");
        assert!(described.contains(word), "the description does not name {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbound_call_is_seen_and_explained() {
    let world = World::with_campaigns().await;
    world.import("", list(&["+493012345678,Ben,Berlin"])).await;
    world.ready().await;
    // The pacer finds no relay, so the campaign begins nothing by itself.
    world.post("/api/v1/campaigns/acme/spring/start", &Value::Null).await;
    let call = world.dial_first_lead().await;
    let (_, live) = world.get(&format!("/api/v1/calls/{call}")).await;
    let live = &live["live"];
    assert_eq!((&live["direction"], &live["campaign"]), (&json!("outbound"), &json!("spring")), "{live}");
    assert_eq!((&live["lead"], &live["to"], &live["from"]), (&json!("1-0"), &json!(NUMBER), &json!(NUMBER)));

    // There is no such relay: its owner gives it up, or the leader does in the same moment.
    let path = format!("/api/v1/calls/{call}/explain");
    let ended = async {
        loop {
            let (_, body) = world.get(&path).await;
            if body["dial_result"].is_string() {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let body = tokio::time::timeout(SOON, ended).await.expect("it ends");
    let result = body["dial_result"].as_str().unwrap();
    assert_eq!(body["outcome"], "not_reached", "{body}");
    assert!(["not_dialled", "unknown"].contains(&result), "{body}");
    assert_eq!(body["told"], true, "{body}");
    let first = &body["path"][0];
    assert_eq!((&first["what"], &first["after_ms"]), (&json!("dialled"), &json!(0)), "{body}");
    let text = first["text"].as_str().unwrap();
    for word in ["spring", "1-0", AGENT] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    let why = &first["why"];
    assert_eq!((&why["attempts"], &why["zone"]), (&json!(0), &json!("Europe/Berlin")), "{body}");
    assert!(why["due"].is_string() && why["idle_ms"].is_u64(), "{body}");
    assert!(["not_reached", "expired"].contains(&body["path"][1]["what"].as_str().unwrap()), "{body}");

    let (_, leads) = world.get(&format!("{LEADS}?number=%2B493012345678")).await;
    let lead = &leads["leads"][0];
    assert_eq!((&lead["state"], lead["last"]["result"].as_str()), (&json!("due"), Some(result)), "{lead}");
    assert_eq!(lead["last"]["call"], call.to_string(), "{lead}");
    let record = async {
        loop {
            let (_, page) = world.get("/api/v1/calls?campaign=spring").await;
            if let Some(record) = page["calls"].get(0) {
                return record.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let record = tokio::time::timeout(SOON, record).await.expect("a record in time");
    assert_eq!((&record["campaign"], &record["dial_result"]), (&json!("spring"), &json!(result)), "{record}");
    assert_eq!(world.get("/api/v1/calls?campaign=desk").await.1["calls"], json!([]));
}
