//! For scrapers and supervisors; open, because they often know no token, and because it names no call and no person. Metrics
//! name tenants, queues and campaigns: the node's file may close them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use strowger_cluster::Context;
use strowger_model::PeerId;

use crate::error::{ApiError, Problem};
use crate::hosts::Hosts;
use crate::listen::{self, Running};
use crate::routes;

/// Makes the text of a process's metrics.
pub type Text = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// The version of the text format is part of its type.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Set when a relay is told to end.
pub type Stopping = Arc<AtomicBool>;

/// A relay's HTTP side, without sockets: `/metrics`, `/health/live` and `/health/ready`.
pub fn relay_router(text: Text, stopping: Stopping) -> Router {
    let metrics = move || async move { prometheus(text().await) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(relay_ready))
        .fallback(routes::no_such_route)
        .method_not_allowed_fallback(routes::wrong_method)
        .with_state(stopping)
}

/// Binds, then serves a relay's metrics and health in the background until the answer is dropped or closed.
pub async fn serve_metrics(
    listen: SocketAddr,
    hosts: Hosts,
    text: Text,
    stopping: Stopping,
) -> Result<Running, ApiError> {
    listen::serve(listen, hosts, relay_router(text, stopping)).await
}

/// A relay that runs can carry calls, until it is told to end; whether nodes reach it is theirs to say.
async fn relay_ready(State(stopping): State<Stopping>) -> Result<Json<Healthy>, Problem> {
    match stopping.load(Ordering::Relaxed) {
        false => Ok(Json(Healthy { ok: true })),
        true => Err(not_ready("this relay is stopping".to_owned(), "send calls over another relay")),
    }
}

/// `GET /metrics`
pub async fn metrics(State(context): State<Arc<Context>>) -> Response {
    prometheus(context.metrics())
}

fn prometheus(text: String) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS)], text).into_response()
}

#[derive(Serialize)]
pub struct Healthy {
    ok: bool,
}

/// `GET /health/live`: the process runs.
pub async fn live() -> Json<Healthy> {
    Json(Healthy { ok: true })
}

/// `GET /health/ready`: calls may be sent here.
pub async fn ready(State(context): State<Arc<Context>>) -> Result<Json<Healthy>, Problem> {
    match unready(&context) {
        None => Ok(Json(Healthy { ok: true })),
        Some((what, advice)) => Err(not_ready(what, advice)),
    }
}

fn not_ready(what: String, advice: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", what, advice)
}

/// What stands between this node and a majority.
fn unreached(context: &Context) -> Option<(String, &'static str)> {
    let peers = context.link.stats();
    let missing = || peers.iter().filter(|peer| !peer.connected && matches!(peer.peer, PeerId::Node(_)));
    let named = |names: Vec<String>| names.join(", ");
    let distrusted = missing().filter(|peer| peer.is_distrusted).map(|peer| peer.peer.to_string());
    let dialled = context.link.distrusted().into_iter().map(|from| format!("a process at {from}"));
    let distrusted: Vec<String> = distrusted.chain(dialled).collect();
    if !distrusted.is_empty() {
        let advice = "give all processes certificates of one CA: the same ca.pem in every tls_dir; what a first start made \
                      there is of a CA of its own";
        return Some((format!("; {} and this node do not trust each other's certificates", named(distrusted)), advice));
    }
    let missing: Vec<String> = missing().map(|peer| peer.peer.to_string()).collect();
    let advice = "start the missing nodes: a majority must be up";
    (!missing.is_empty()).then(|| (format!("; not reached: {}", named(missing)), advice))
}

fn unready(context: &Context) -> Option<(String, &'static str)> {
    if context.is_stopping() {
        return Some(("this node is stopping".to_owned(), "send calls to another node"));
    }
    let groups = context.groups.status();
    let named = |broken: &dyn Fn(&_) -> bool| {
        let names: Vec<String> =
            groups.iter().filter(|group| broken(group)).map(|group| group.group.to_string()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(names) = named(&|group| group.diverged) {
        let advice = "it ends (exit code 77); keep it stopped and its data directory for analysis: a voter with a blank \
                      one takes no part";
        return Some((format!("this node's state differs from the leader's in {names}"), advice));
    }
    if let Some(names) = named(&|group| group.leader.is_none()) {
        let (why, advice) = unreached(context).unwrap_or((String::new(), "wait a moment: the nodes elect one"));
        return Some((format!("no leader is known for {names}{why}"), advice));
    }
    if context.edge.is_passive() {
        let wait = "wait a moment; if it stays, this node does not reach a majority of the others";
        let (why, advice) = unreached(context).unwrap_or((String::new(), wait));
        return Some((format!("this node is passive: it takes no calls{why}"), advice));
    }
    match context.shards_behind() {
        0 => None,
        1 => Some(("1 shard has not taken over the newest configuration".to_owned(), "wait a moment")),
        behind => Some((format!("{behind} shards have not taken over the newest configuration"), "wait a moment")),
    }
}
