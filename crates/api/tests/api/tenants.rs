//! A token of one tenant: what it sees, and what it touches. Beside each refusal stands a token of the whole cluster, for
//! which the same request goes through.

use std::time::Duration;

use crate::world::{World, code, example, text};
use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_api::{Metrics, Of, ROUTES, router};

const ACME: &str = "tenants/acme.toml";
/// What is only acme's: its name, its number, and who called it.
const THEIRS: [&str; 3] = ["acme", "4930123456", "4940111111"];

/// The example's tenant, and another like it.
async fn two_tenants() -> World {
    let world = World::start().await;
    let mut files = example();
    let acme = String::from_utf8(files.0[ACME].clone()).expect("text");
    let mut globex = acme;
    for (theirs, ours) in [
        ("\"acme\"", "\"globex\""),
        ("acme.example.com", "globex.example.com"),
        ("4930123456", "4930999999"),
        ("number = \"1000\"", "number = \"2000\""),
        ("192.0.2.20", "192.0.2.21"),
    ] {
        globex = globex.replace(theirs, ours);
    }
    files.0.insert("tenants/globex.toml".to_owned(), globex.into_bytes());
    let (status, body) = world.apply(&files, false).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    world
}

fn of_acme(path: &str, call: &str) -> String {
    let name = if path.contains("/campaigns/") { "spring" } else { "1003" };
    path.replace("{tenant}", "acme").replace("{name}", name).replace("{id}", call).replace("{version}", "1")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_tenant_is_seen() {
    let world = two_tenants().await;
    let over = world.admit().await;
    world.end(over).await;
    let call = world.admit().await.to_string();
    let recorded = async {
        while world.get(&format!("/api/v1/calls/{over}")).await.1["record"].is_null() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("recorded in time");
    let theirs = world.token_of("admin", Some("globex")).await;
    let mut seen_by_all = 0;
    for route in ROUTES.iter().filter(|route| route.method == "get" && route.needs.is_some()) {
        let path = of_acme(route.path, &call);
        let ask = async |token: &str, query: &str| {
            world.text("GET", &format!("{path}{query}"), Some(token), Vec::new()).await
        };
        let (status, text) = ask(&theirs, "").await;
        match route.of {
            Of::Cluster => assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {text}"),
            Of::Path => assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {text}"),
            Of::Asked if route.path.contains("{id}") => assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {text}"),
            Of::Asked => {
                assert_eq!(status, StatusCode::OK, "{path}: {text}");
                let found = THEIRS.iter().find(|word| text.contains(**word) && route.path != "/api/v1/openapi.json");
                assert_eq!(found, None, "{path}: {text}");
            }
        }
        let (status, text) = ask(&world.admin, "").await;
        assert_eq!(status, StatusCode::OK, "control, {path}: {text}");
        seen_by_all += usize::from(THEIRS.iter().any(|word| text.contains(word)));
    }
    assert!(seen_by_all >= 10, "the control sees acme in {seen_by_all} answers only");
    for list in ["calls", "calls/live", "agents", "queues", "campaigns", "do-not-call", "tokens", "audit"] {
        let path = format!("/api/v1/{list}?tenant=acme");
        let (status, body) = world.ask("GET", &path, Some(&theirs), &Value::Null).await;
        assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"), "{path}");
        assert_eq!(world.get(&path).await.0, StatusCode::OK, "control, {path}");
    }
    let (_, agents) = world.ask("GET", "/api/v1/agents", Some(&theirs), &Value::Null).await;
    assert_eq!(agents["agents"].as_array().map(Vec::len), Some(53), "its own are seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_tenant_is_touched() {
    let world = two_tenants().await;
    let theirs = world.token_of("admin", Some("globex")).await;
    let reason = json!({ "reason": "lunch" });
    let path = |tenant: &str| format!("/api/v1/agents/{tenant}/1003/not-ready");
    let (status, body) = world.ask("POST", &path("acme"), Some(&theirs), &reason).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"));
    assert_eq!(world.ask("POST", &path("globex"), Some(&theirs), &reason).await.0, StatusCode::OK);
    let (_, agents) = world.get("/api/v1/agents").await;
    let not_ready: Vec<&Value> =
        agents["agents"].as_array().unwrap().iter().filter(|row| row["reason"] == "lunch").collect();
    assert_eq!(not_ready.len(), 1, "{not_ready:?}");
    assert_eq!(not_ready[0]["tenant"], "globex");
    assert_eq!(world.post(&path("acme"), &reason).await.0, StatusCode::OK, "control");

    // Every route that does something, for what is acme's or the cluster's.
    for route in ROUTES.iter().filter(|route| route.method == "post") {
        let (path, wanted) = match route.of {
            Of::Cluster => (of_acme(route.path, ""), StatusCode::FORBIDDEN),
            Of::Path => (of_acme(route.path, ""), StatusCode::NOT_FOUND),
            Of::Asked if route.path.ends_with("/revoke") => {
                ("/api/v1/tokens/first/revoke".to_owned(), StatusCode::NOT_FOUND)
            }
            Of::Asked => continue,
        };
        let (status, body) = world.ask("POST", &path, Some(&theirs), &Value::Null).await;
        assert_eq!(status, wanted, "{path}: {body}");
    }
    let bars = json!({ "numbers": ["+442071838750"] });
    for list in ["do-not-call", "barred-callers"] {
        let path = format!("/api/v1/{list}");
        let for_acme = json!({ "numbers": ["+442071838751"], "tenant": "acme" });
        assert_eq!(world.ask("POST", &path, Some(&theirs), &for_acme).await.0, StatusCode::NOT_FOUND);
        assert_eq!(world.ask("POST", &path, Some(&theirs), &bars).await.0, StatusCode::OK);
        for (query, has) in [("", false), ("?tenant=acme", false), ("?tenant=globex", true)] {
            let (_, listed) = world.get(&format!("{path}{query}")).await;
            assert_eq!(listed["numbers"].as_array().is_some_and(|numbers| !numbers.is_empty()), has, "{path}{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_admin_has_the_tenants_tokens() {
    let world = two_tenants().await;
    let theirs = world.token_of("admin", Some("globex")).await;
    let make = |tenant: Option<&str>| json!({ "name": "desk", "role": "viewer", "tenant": tenant });
    let (status, body) = world.ask("POST", "/api/v1/tokens", Some(&theirs), &make(Some("acme"))).await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"));
    let (status, made) = world.ask("POST", "/api/v1/tokens", Some(&theirs), &make(None)).await;
    assert_eq!((status, &made["tenant"]), (StatusCode::CREATED, &json!("globex")), "{made}");
    let (status, body) = world.ask("POST", "/api/v1/tokens", Some(&theirs), &make(Some("globex"))).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "name_taken"));
    assert_eq!(world.post("/api/v1/tokens", &make(None)).await.0, StatusCode::CREATED, "of the cluster it is another");

    let (_, listed) = world.ask("GET", "/api/v1/tokens", Some(&theirs), &Value::Null).await;
    let tenants: Vec<&Value> = listed["tokens"].as_array().unwrap().iter().map(|row| &row["tenant"]).collect();
    assert_eq!(tenants, [&json!("globex"); 2]);
    let revoke = "/api/v1/tokens/desk/revoke";
    let (status, body) = world.ask("POST", revoke, Some(&theirs), &json!({})).await;
    assert_eq!((status, &body["tenant"]), (StatusCode::OK, &json!("globex")));
    let (_, listed) = world.get("/api/v1/tokens").await;
    let desks = listed["tokens"].as_array().unwrap().iter().filter(|row| row["name"] == "desk").count();
    assert_eq!(desks, 1, "the cluster's stays: {listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_whom_the_node_says() {
    let world = two_tenants().await;
    let (viewer, theirs) = (world.token("viewer").await, world.token_of("admin", Some("globex")).await);
    let closed = router(world.context.clone(), Metrics::Token);
    for (token, wanted) in
        [(None, StatusCode::UNAUTHORIZED), (Some(&theirs), StatusCode::FORBIDDEN), (Some(&viewer), StatusCode::OK)]
    {
        let (status, said) = text(&closed, "GET", "/metrics", token.map(String::as_str), Vec::new()).await;
        assert_eq!(status, wanted, "{said}");
        assert_eq!(said.contains("strowger_queue"), wanted == StatusCode::OK);
    }
    assert_eq!(world.text("GET", "/metrics", None, Vec::new()).await.0, StatusCode::OK, "control: open");
}
