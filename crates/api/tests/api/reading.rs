//! What is read: status, calls, metrics, the description of the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::world::{World, example};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use strowger_api::{ROUTES, Stopping, relay_router};
use tower::ServiceExt;

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_whole() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let (status, body) = world.get("/api/v1/status").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&body["node"], &body["active"], &body["config_version"]), (&json!(1), &json!(true), &json!(1)));
    assert_eq!(body["nodes"][0]["up"], true, "{body}");
    let names: Vec<&str> = body["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["control", "shard-0"]);
    assert!(body["groups"].as_array().unwrap().iter().all(|group| group["leader"] == 1 && group["diverged"] == false));
    assert_eq!(body["queues"].as_array().unwrap().len(), 2);
    assert_eq!(body["agents"]["logged_out"], 52, "{body}");
    assert_eq!(body["stuck"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_seen_while_it_lives_and_after() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let within = std::time::Duration::from_secs(5);
    let call = world.admit().await;
    let (status, body) = world.get(&format!("/api/v1/calls/{call}")).await;
    assert_eq!((status, &body["live"]["tenant"]), (StatusCode::OK, &json!("acme")), "{body}");
    assert_eq!(body["live"]["legs"][0]["sip_call_id"], "a@carrier");
    assert_eq!(body["live"]["owner"]["node"], 1);
    assert_eq!(world.get("/api/v1/calls/live?tenant=acme").await.1["calls"][0]["call"], call.to_string());

    world.end(call).await;
    let record = async {
        loop {
            let (_, body) = world.get(&format!("/api/v1/calls/{call}")).await;
            if body["record"].is_object() {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let body = tokio::time::timeout(within, record).await.expect("a record in time");
    assert_eq!(body["record"]["from"], "+4940111111");
    assert_eq!(body["live"]["stage"], "ended", "{body}");
    assert_eq!(world.get("/api/v1/calls/live").await.1["total"], 0, "ended rows are shown only when asked for");
    assert_eq!(world.get("/api/v1/calls/live?stage=ended").await.1["total"], 1);

    let (_, page) =
        world.get("/api/v1/calls?tenant=acme&sip_call_id=a@carrier&since=2020-01-01T00:00:00Z&limit=1").await;
    assert_eq!(page["calls"][0]["call"], call.to_string(), "{page}");
    let next = page["next"].as_str().expect("the page is full");
    let (_, page) = world.get(&format!("/api/v1/calls?limit=1&after={next}")).await;
    assert_eq!((&page["calls"], &page["next"]), (&json!([]), &Value::Null));
    let (_, page) = world.get("/api/v1/calls?from=+4940111111&since=2020-01-01T01:00:00+01:00").await;
    assert_eq!(page["calls"][0]["call"], call.to_string(), "a + that was not escaped is a + still: {page}");
}

/// An empty page says that there were no such calls; of a name that was mistyped nobody may read that.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_name_that_nothing_has_are_not_found() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    for (query, code) in [
        ("tenant=acmee", "no_such_tenant"),
        ("queue=salse", "no_such_queue"),
        ("agent=9999", "no_such_agent"),
        ("tenant=acme&campaign=sprink", "no_such_campaign"),
        ("tenant=acme&queue=salse", "no_such_queue"),
    ] {
        let (status, body) = world.get(&format!("/api/v1/calls?{query}")).await;
        assert_eq!((status, crate::world::code(&body)), (StatusCode::NOT_FOUND, code), "{query}: {body}");
    }
    let (_, page) = world.get("/api/v1/calls?tenant=acme").await;
    assert_eq!(page["calls"], json!([]), "who has had no call yet has none");
}

/// Who asks whether it may have calls is told, while those it has end; a process that ends is no reason to kill it.
#[tokio::test]
async fn a_relay_that_is_stopping_is_not_ready_and_lives() {
    let stopping = Stopping::default();
    let router = relay_router(Arc::new(|| Box::pin(async { String::new() })), stopping.clone());
    let asked = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    assert_eq!(asked("/health/ready").await.0, StatusCode::OK);
    stopping.store(true, Ordering::Relaxed);
    let (status, said) = asked("/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("\"not_ready\"") && said.contains("this relay is stopping"), "{said}");
    assert_eq!(asked("/health/live").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_what_prometheus_reads() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let (status, text) = world.text("GET", "/metrics", None, Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    let mut helped = BTreeSet::new();
    let mut types = BTreeMap::new();
    let mut samples = 0;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{line}");
            let name = check_series(series);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let base = base.filter(|base| types.get(base) == Some(&"histogram")).unwrap_or(name);
            assert!(types.contains_key(base) && helped.contains(base), "no HELP and TYPE before: {line}");
            samples += 1;
        }
    }
    assert!(samples > 30, "{text}");
}

/// That a series is `name` or `name{label="value",…}`; gives the name.
fn check_series(series: &str) -> &str {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
    assert!(is_name(name), "{series}");
    let labels = labels.map(|labels| labels.strip_suffix('}').unwrap_or_else(|| panic!("{series}")));
    for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
        let (label, value) = label.split_once('=').unwrap_or_else(|| panic!("{series}"));
        let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        assert!(is_name(label) && is_quoted, "{series}");
    }
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_exactly_the_routes() {
    let world = World::start().await;
    let (status, document) = world.get("/api/v1/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let role = operation["x-role"].as_str().map(str::to_owned);
            assert_eq!(role.is_none(), operation["security"] == json!([]), "{method} {path}");
            described.insert((path.clone(), method.clone(), role));
            let in_path: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named: BTreeSet<&str> =
                parameters.filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(in_path, named, "{method} {path}");
        }
    }
    let routed: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.to_owned(), route.needs.map(|role| role.to_string())))
        .collect();
    assert_eq!(described, routed);
}

/// What the description says of `limit` is what is taken.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_as_described() {
    let world = World::with_campaigns().await;
    let (_, document) = world.get("/api/v1/openapi.json").await;
    let mut limits = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parameters = methods["get"]["parameters"].as_array().into_iter().flatten();
        for limit in parameters.filter(|parameter| parameter["name"] == "limit") {
            let said = limit["description"].as_str().and_then(|said| said.strip_prefix("1 to ")?.split(',').next());
            let most: u64 = said.and_then(|most| most.parse().ok()).unwrap_or_else(|| panic!("{path}: {limit}"));
            let path = path.replace("{tenant}", "acme").replace("{name}", "spring");
            let (taken, refused) = (StatusCode::OK, StatusCode::BAD_REQUEST);
            for (asked, status) in [(0, refused), (1, taken), (most, taken), (most + 1, refused)] {
                let path = format!("{path}?limit={asked}");
                assert_eq!(world.get(&path).await.0, status, "{path}");
            }
            limits += 1;
        }
    }
    assert!(limits >= 6, "{limits} routes with a limit");
}
