//! A token's life, and the audit log.

use std::time::Duration;

use crate::world::{World, code, example};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use strowger_cluster::COMMIT;
use strowger_model::GroupId;
use strowger_table::{ControlCommand, Grant};
use tower::ServiceExt;

const PATIENCE: Duration = Duration::from_secs(20);

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}

async fn status_for(world: &World, token: &str) -> (StatusCode, Value) {
    world.ask("GET", "/api/v1/status", Some(token), &Value::Null).await
}

async fn named(world: &World, name: &str) -> Option<Value> {
    let (_, listed) = world.get("/api/v1/tokens").await;
    listed["tokens"].as_array().unwrap().iter().find(|row| row["name"] == name).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_listed_used_and_revoked() {
    let world = World::start().await;
    let wish = json!({ "name": "wall", "role": "viewer", "expires_in_s": 3600 });
    let (status, made) = world.post("/api/v1/tokens", &wish).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let token = made["token"].as_str().unwrap();
    let row = named(&world, "wall").await.expect("it is listed");
    assert_eq!((&row["role"], &row["tenant"], &row["expired"]), (&json!("viewer"), &Value::Null, &json!(false)));
    assert!(row["last_use"].is_null() && row["expires"].as_str() > row["made"].as_str(), "{row}");
    assert!(!row.to_string().contains(token), "its text is nowhere");

    let applied = || world.context.groups.view(GroupId::CONTROL).applied;
    let before = applied();
    for _ in 0..200 {
        assert_eq!(status_for(&world, token).await.0, StatusCode::OK);
    }
    until("its use is known", async || named(&world, "wall").await.is_some_and(|row| row["last_use"].is_string()))
        .await;
    assert!(applied() - before < 20, "a request costs no entry: {} for 200", applied() - before);

    let (status, body) = world.post("/api/v1/tokens", &wish).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "name_taken"));
    assert_eq!(world.post("/api/v1/tokens/wall/revoke", &json!({})).await.0, StatusCode::OK);
    let (status, body) = status_for(&world, token).await;
    assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "unknown_token"));
    let (status, body) = world.post("/api/v1/tokens/wall/revoke", &json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_token"));
    let (status, body) = world.post("/api/v1/tokens/first/revoke", &json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "last_admin"));

    for wish in [
        json!({ "name": "a b", "role": "viewer" }),
        json!({ "name": "", "role": "viewer" }),
        json!({ "name": "x".repeat(65), "role": "viewer" }),
        json!({ "role": "viewer" }),
        json!({ "name": "short", "role": "viewer", "expires_in_s": 59 }),
        json!({ "name": "long", "role": "viewer", "expires_in_s": u64::MAX }),
    ] {
        let (status, body) = world.post("/api/v1/tokens", &wish).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"), "{wish}");
    }
}

/// Its streams end with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_by_the_logs_time() {
    let world = World::start().await;
    let token = "a-token-that-lasts-a-second";
    let grant = Grant {
        token_sha256: <sha2::Sha256 as sha2::Digest>::digest(token).into(),
        name: "brief".to_owned(),
        role: "viewer".to_owned(),
        tenant: None,
        lasts_ms: Some(1500),
    };
    world.context.control(ControlCommand::Grant(Box::new(grant)), COMMIT).await.unwrap();
    assert_eq!(status_for(&world, token).await.0, StatusCode::OK);
    let ask = Request::get("/api/v1/events").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let mut stream = world.router.clone().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap().into_body();
    assert!(stream.frame().await.is_some());
    until("it expires", async || status_for(&world, token).await.0 == StatusCode::UNAUTHORIZED).await;
    assert_eq!(code(&status_for(&world, token).await.1), "expired_token");
    assert_eq!(named(&world, "brief").await.expect("it stays listed")["expired"], true);
    let rest = async { while stream.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_in_the_audit_log() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let operator = world.token("operator").await;
    let lunch = json!({ "reason": "lunch" });
    let not_ready = "/api/v1/agents/acme/1003/not-ready";
    assert_eq!(world.ask("POST", not_ready, Some(&operator), &lunch).await.0, StatusCode::OK);
    let nobody = world.ask("POST", "/api/v1/agents/acme/nobody/ready", Some(&operator), &Value::Null).await.0;
    assert_eq!(nobody, StatusCode::NOT_FOUND);
    // Turned away, and so not done; a look is no act.
    assert_eq!(world.ask("POST", "/api/v1/tokens", Some(&operator), &json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.ask("POST", not_ready, None, &lunch).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(world.ask("GET", "/api/v1/agents", Some(&operator), &Value::Null).await.0, StatusCode::OK);

    let acts = async |query: &str| {
        let (status, listed) = world.get(&format!("/api/v1/audit{query}")).await;
        assert_eq!(status, StatusCode::OK, "{listed}");
        listed
    };
    let whole = async || {
        let listed = acts("").await;
        let acts = listed["acts"].as_array().unwrap().clone();
        (acts.len() == 5 && acts.iter().all(|act| act["status"].is_number())).then_some(acts)
    };
    until("five acts with what they came to", async || whole().await.is_some()).await;
    let found = whole().await.unwrap();
    let of = |key: &str| found.iter().rev().map(|act| act[key].clone()).collect::<Vec<_>>();
    let name = found[0]["token"].as_str().unwrap().to_owned();
    assert_eq!(of("token"), ["node-1", "first", "first", &name, &name]);
    assert_eq!(
        of("what"),
        [
            "makes the admin's token first",
            "POST /api/v1/config",
            "POST /api/v1/tokens",
            "POST /api/v1/agents/acme/1003/not-ready",
            "POST /api/v1/agents/acme/nobody/ready",
        ]
    );
    assert_eq!(of("status"), [201, 200, 201, 200, 404]);
    assert_eq!(of("told"), ["", "version 1", "", "", "no_such_agent"]);
    assert_eq!(found[1]["asked"], "{\"reason\":\"lunch\"}");
    assert!(!found[3]["asked"].as_str().unwrap().contains("change-me"), "a configuration has passwords");

    let first = acts("?limit=2").await;
    let next = first["next"].as_u64().expect("there are more");
    let second = acts(&format!("?limit=3&after={next}")).await;
    let both: Vec<Value> = [&first, &second].iter().flat_map(|page| page["acts"].as_array().unwrap().clone()).collect();
    assert_eq!(both, found);
    assert_eq!(acts(&format!("?token={name}")).await["acts"].as_array().unwrap()[..], found[..2]);
    assert_eq!(acts("?until=1000").await["acts"], json!([]));
    assert_eq!(world.get("/api/v1/audit?limit=0").await.0, StatusCode::BAD_REQUEST);
    let (status, _) = world.ask("GET", "/api/v1/audit", Some(&operator), &Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    let (_, text) = world.text("GET", "/metrics", None, Vec::new()).await;
    for line in ["strowger_http_refused_total{status=\"401\"} 1", "strowger_http_refused_total{status=\"403\"} 2"] {
        assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_for_nobody_else_and_addresses_carry_no_power() {
    let world = World::start().await;
    let headers = async |path: &str| {
        let ask = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {}", world.admin));
        world.router.clone().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap().headers().clone()
    };
    for path in ["/api/v1/status", "/api/v1/calls", "/api/v1/nothing", "/api/v1/events", "/metrics"] {
        let headers = headers(path).await;
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    }
    assert_eq!(headers("/wallboard").await[header::CACHE_CONTROL], "no-cache", "the page says it itself");
    for (role, wanted) in
        [("viewer", StatusCode::OK), ("operator", StatusCode::FORBIDDEN), ("admin", StatusCode::FORBIDDEN)]
    {
        let token = world.token(role).await;
        let (status, text) = world.text("GET", &format!("/api/v1/events?token={token}"), None, Vec::new()).await;
        assert_eq!(status, wanted, "{role}: {text}");
        let (status, _) = world.text("GET", "/api/v1/events", Some(&token), Vec::new()).await;
        assert_eq!(status, StatusCode::OK, "control: in the header, {role}");
    }
}
