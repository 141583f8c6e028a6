//! Who may do what, on every route there is.

use crate::world::{World, code};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strowger_api::{ROUTES, Role, bootstrap_token};

fn real(path: &str) -> String {
    path.replace("{tenant}", "acme").replace("{name}", "1001").replace("{id}", "0-1")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_role() {
    let world = World::start().await;
    let tokens = [
        (Role::Viewer, world.token("viewer").await),
        (Role::Operator, world.token("operator").await),
        (Role::Admin, world.admin.clone()),
    ];
    for route in ROUTES {
        let (method, path) = (route.method.to_uppercase(), real(route.path));
        let name = format!("{method} {path}");
        let ask = async |token: Option<&str>| world.ask(&method, &path, token, &Value::Null).await;
        let Some(needs) = route.needs else {
            assert_eq!(ask(None).await.0, StatusCode::OK, "{name}");
            continue;
        };
        let (status, body) = ask(None).await;
        assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "no_token"), "{name}");
        let (status, body) = ask(Some("0123456789abcdef")).await;
        assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "unknown_token"), "{name}");
        for (role, token) in &tokens {
            let (status, body) = ask(Some(token)).await;
            if *role < needs {
                assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "forbidden"), "{name} as {role}");
            } else {
                // What it does without a sensible body is another matter; access is given.
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                assert!(!refused.contains(&status), "{name} as {role}: {status} {body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_first_token() {
    let world = World::start().await;
    assert_eq!(world.admin.len(), 64);
    assert_eq!(bootstrap_token(world.context.clone()).await, None);
    let (status, body) = world.post("/api/v1/tokens", &json!({ "name": "a", "role": "king" })).await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"));
    let view = world.context.groups.view(strowger_model::GroupId::CONTROL);
    assert!(view.machine.control().unwrap().has_tokens());
}

/// A token is looked up by the hash of its text: what is almost one is as unknown as anything else, and so is the hash.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_almost_a_token_is_none() {
    let world = World::start().await;
    let token = world.admin.clone();
    let hash: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let near =
        [&token[1..], &token[..63], &format!("{token}0"), &token.to_ascii_uppercase(), &token.replace('0', "1"), &hash];
    for near in near.into_iter().filter(|near| *near != token) {
        let (status, body) = world.ask("GET", "/api/v1/status", Some(near), &Value::Null).await;
        assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "unknown_token"), "{near}");
    }
    assert_eq!(world.get("/api/v1/status").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_in_one_form() {
    let world = World::start().await;
    let (status, body) = world.get("/api/v2").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_route"));
    let (status, body) = world.ask("DELETE", "/api/v1/config", Some(&world.admin), &Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"));
    for path in [
        "/api/v1/calls?limit=0",
        "/api/v1/calls?limit=many",
        "/api/v1/calls?outcome=lost",
        "/api/v1/calls?since=today",
        "/api/v1/calls?after=1",
        "/api/v1/calls?tenat=acme",
        "/api/v1/calls/first",
        "/api/v1/calls/%FF",
        "/api/v1/calls/live?stage=dead",
        "/api/v1/calls/live?limit=1001",
    ] {
        let (status, body) = world.get(path).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"), "{path}: {body}");
    }
    for path in ["/api/v1/calls/9-1", "/api/v1/calls/0-281474976710655"] {
        let (status, body) = world.get(path).await;
        assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_call"), "{path}");
    }
    for path in ["/api/v1/calls/live?tenant=x", "/api/v1/agents?tenant=x", "/api/v1/queues?tenant=x"] {
        let (status, body) = world.get(path).await;
        assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"), "{path}");
    }
    let large = vec![b' '; strowger_api::limit::BODY_BYTES + 1];
    let (status, text) = world.text("POST", "/api/v1/tokens", Some(&world.admin), large.clone()).await;
    assert_eq!((status, code(&serde_json::from_str(&text).unwrap())), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    // A configuration may be larger: this one is merely no JSON.
    let (status, _) = world.text("POST", "/api/v1/config", Some(&world.admin), large).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
