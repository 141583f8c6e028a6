//! Back to a version that is kept, and what is kept on disk for it.

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_config::Files;

use crate::world::{World, code, example};

/// The example with another ring time, and so another version.
fn with_ring_time(ms: u32) -> Files {
    let mut files = example();
    let acme = files.0.get_mut("tenants/acme.toml").unwrap();
    let text = String::from_utf8(acme.clone()).unwrap();
    assert!(text.contains("ring_timeout_ms = 15000"));
    *acme = text.replace("ring_timeout_ms = 15000", &format!("ring_timeout_ms = {ms}")).into_bytes();
    files
}

async fn roll_back(world: &World, to: u64, dry_run: bool) -> (StatusCode, Value) {
    world.post("/api/v1/config/roll-back", &json!({ "to": to, "dry_run": dry_run })).await
}

fn ring_time(world: &World) -> u32 {
    world.context.directory().tenant_named("acme").unwrap().queues[0].ring_timeout_ms
}

fn pieces(world: &World) -> usize {
    std::fs::read_dir(world.content_dir()).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_version_comes_into_force_again() {
    let world = World::start().await;
    let (status, body) = roll_back(&world, 1, false).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_version"));
    world.apply(&with_ring_time(16_000), false).await;
    let first = world.context.directory().tenant_named("acme").unwrap().clone();
    world.apply(&with_ring_time(17_000), false).await;
    let (status, body) = roll_back(&world, 1, true).await;
    assert_eq!((status, &body["version"]), (StatusCode::OK, &json!(2)), "{body}");
    let detail = body["changes"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "ring_timeout_ms 17000 → 16000");
    assert_eq!(ring_time(&world), 17_000, "a dry run changes nothing");

    let (status, body) = roll_back(&world, 1, false).await;
    assert_eq!((status, &body["version"], &body["shards_behind"]), (StatusCode::OK, &json!(3), &json!(0)), "{body}");
    assert_eq!(*world.context.directory().tenant_named("acme").unwrap(), first);
    let (status, body) = roll_back(&world, 1, false).await;
    assert_eq!((status, &body["version"], &body["changes"]), (StatusCode::OK, &json!(3), &json!([])), "it is in force");
    let (_, kept) = world.get("/api/v1/config/versions").await;
    let shown: Vec<_> =
        kept["versions"].as_array().unwrap().iter().map(|kept| (&kept["version"], &kept["in_force"])).collect();
    assert_eq!(shown, [(&json!(3), &json!(true)), (&json!(2), &json!(false)), (&json!(1), &json!(false))]);
    let (status, body) = world.get("/api/v1/config/versions/2").await;
    assert_eq!((status, &body["version"], &body["in_force"]), (StatusCode::OK, &json!(2), &json!(false)), "{body}");
    let files: Vec<_> = body["files"].as_object().unwrap().keys().collect();
    assert_eq!(files, ["tenants/acme.toml", "trunks.toml"]);
    let acme = |body: &Value| body["files"]["tenants/acme.toml"].as_str().unwrap().to_owned();
    assert!(acme(&body).contains("ring_timeout_ms = 17000\n") && !acme(&body).contains("change-me"), "{body}");
    let (_, body) = world.get("/api/v1/config/versions/3?tenant=acme").await;
    assert_eq!((&body["in_force"], body["files"].as_object().unwrap().len()), (&json!(true), 1));
    assert!(acme(&body).contains("ring_timeout_ms = 16000\n"));
    for (path, told) in [("9", "no_such_version"), ("3?tenant=bolt", "no_such_tenant"), ("three", "bad_request")] {
        let (_, body) = world.get(&format!("/api/v1/config/versions/{path}")).await;
        assert_eq!(code(&body), told, "{body}");
    }
    for to in [0, 4] {
        let (status, body) = roll_back(&world, to, false).await;
        assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_version"));
        assert!(body["error"]["do"].as_str().unwrap().contains("kept are 3, 2, 1"), "{body}");
    }
    let viewer = world.token("viewer").await;
    let (status, _) = world.ask("POST", "/api/v1/config/roll-back", Some(&viewer), &json!({ "to": 2 })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_kept_version_names_is_pruned_and_the_rest_can_be_rolled_back_to() {
    let world = World::start().await;
    for version in 1..=25 {
        world.apply(&with_ring_time(16_000 + version), false).await;
    }
    let before = pieces(&world);
    assert_eq!(world.context.prune(SystemTime::now() - Duration::from_secs(3600)).await.unwrap(), 0, "all is young");
    let pruned = world.context.prune(SystemTime::now() + Duration::from_secs(1)).await.unwrap();
    assert_eq!((pruned, pieces(&world)), (5, before - 5), "a tenant of each version that is not kept");
    let (status, body) = roll_back(&world, 5, false).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_version"));
    for version in [7, 25, 8] {
        let (status, body) = roll_back(&world, version, false).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(ring_time(&world), 16_000 + version as u32);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_on_every_disk_is_not_rolled_back_to() {
    let world = World::start().await;
    world.apply(&with_ring_time(16_000), false).await;
    world.apply(&with_ring_time(17_000), false).await;
    for entry in std::fs::read_dir(world.content_dir()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let (status, body) = roll_back(&world, 1, false).await;
    assert_eq!((status, code(&body)), (StatusCode::SERVICE_UNAVAILABLE, "content_missing"), "{body}");
    assert_eq!(ring_time(&world), 17_000);
    // The directory that it was made from is as good.
    let (status, body) = world.apply(&with_ring_time(16_000), false).await;
    assert_eq!((status, &body["version"]), (StatusCode::OK, &json!(3)), "{body}");
    assert_eq!(roll_back(&world, 1, true).await.0, StatusCode::OK);
}
