//! All routes, and who may use them: one table, from which the router is made.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use strowger_cluster::Context;

use crate::audit::{self, Noted};
use crate::auth::{self, Carried, Door, Gate, Needs, Of};
use crate::body::Takes;
use crate::error::Problem;
use crate::role::Role;
use crate::streams::Streams;
use crate::turns::{Turns, in_turn};
use crate::{
    Metrics, agents, bars, calls, campaigns, configure, dial, events, explain, health, import, leads, limit, live,
    openapi, queues, silenced, status, tokens, version, wallboard,
};

/// One route.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// With `{name}` for what varies.
    pub path: &'static str,
    /// None: open to everyone.
    pub needs: Option<Role>,
    /// Whose matter it is.
    pub of: Of,
    carried: Carried,
    noted: Noted,
    make: Make,
    within: Duration,
    takes: Takes,
    /// Bodies larger than a command's at once, of each tenant; none: there are no such.
    at_once: Option<usize>,
}

/// What the router is made of, and `/api/v1/openapi.json`.
pub static ROUTES: &[Route] = &[
    open("/", || get(wallboard::page)),
    open("/wallboard", || get(wallboard::page)),
    open("/wallboard.css", || get(wallboard::style)),
    open("/wallboard.js", || get(wallboard::script)),
    open(METRICS, || get(health::metrics)),
    open("/health/live", || get(health::live)),
    open("/health/ready", || get(health::ready)),
    read(Of::Cluster, "/api/v1/status", || get(status::status)),
    read(Of::Asked, "/api/v1/calls", || get(calls::list)),
    read(Of::Asked, "/api/v1/calls/live", || get(live::list)),
    read(Of::Asked, "/api/v1/calls/{id}", || get(calls::one)),
    read(Of::Asked, "/api/v1/calls/{id}/explain", || get(explain::one)),
    Route { carried: Carried::InHeaderOrQuery, ..read(Of::Asked, "/api/v1/events", || get(events::stream)) },
    read(Of::Asked, "/api/v1/agents", || get(agents::list)),
    operate(Of::Path, "/api/v1/agents/{tenant}/{name}/ready", || post(agents::ready)),
    operate(Of::Path, "/api/v1/agents/{tenant}/{name}/not-ready", || post(agents::not_ready)),
    operate(Of::Path, "/api/v1/agents/{tenant}/{name}/dispose", || post(agents::dispose)),
    operate(Of::Path, "/api/v1/agents/{tenant}/{name}/dial", || post(dial::dial)),
    read(Of::Asked, "/api/v1/campaigns", || get(campaigns::list)),
    operate(Of::Path, "/api/v1/campaigns/{tenant}/{name}/start", || post(campaigns::start)),
    operate(Of::Path, "/api/v1/campaigns/{tenant}/{name}/stop", || post(campaigns::stop)),
    read(Of::Path, "/api/v1/campaigns/{tenant}/{name}/leads", || get(leads::list)),
    Route {
        noted: Noted::Head,
        takes: Takes(limit::LEADS_BODY_BYTES),
        at_once: Some(limit::LEADS_AT_ONCE),
        ..operate(Of::Path, "/api/v1/campaigns/{tenant}/{name}/leads", || post(import::import))
    },
    read(Of::Asked, "/api/v1/do-not-call", || get(bars::do_not_call)),
    operate(Of::Asked, "/api/v1/do-not-call", || post(bars::change_do_not_call)),
    read(Of::Asked, "/api/v1/barred-callers", || get(bars::barred_callers)),
    operate(Of::Asked, "/api/v1/barred-callers", || post(bars::change_barred_callers)),
    read(Of::Asked, "/api/v1/queues", || get(queues::list)),
    read(Of::Cluster, "/api/v1/silenced", || get(silenced::list)),
    operate(Of::Cluster, "/api/v1/silenced/lift", || post(silenced::lift)),
    read(Of::Cluster, "/api/v1/config", || get(configure::in_force)),
    Route {
        within: limit::CONFIG_REQUEST,
        noted: Noted::Head,
        takes: Takes(limit::CONFIG_BODY_BYTES),
        at_once: Some(limit::CONFIGS_AT_ONCE),
        ..administer(Of::Cluster, "/api/v1/config", || post(configure::apply))
    },
    read(Of::Cluster, "/api/v1/config/versions", || get(configure::kept)),
    Route {
        needs: Some(Role::Operator),
        within: limit::CONFIG_REQUEST,
        ..read(Of::Cluster, "/api/v1/config/versions/{version}", || get(version::one))
    },
    Route {
        within: limit::CONFIG_REQUEST,
        ..administer(Of::Cluster, "/api/v1/config/roll-back", || post(configure::roll_back))
    },
    Route { needs: Some(Role::Admin), ..read(Of::Asked, "/api/v1/tokens", || get(tokens::list)) },
    administer(Of::Asked, "/api/v1/tokens", || post(tokens::make)),
    administer(Of::Asked, "/api/v1/tokens/{name}/revoke", || post(tokens::revoke)),
    Route { needs: Some(Role::Admin), ..read(Of::Asked, "/api/v1/audit", || get(audit::list)) },
    read(Of::Asked, "/api/v1/openapi.json", || get(openapi::document)),
];

/// Open, or for viewers: as [`Metrics`] says.
const METRICS: &str = "/metrics";

type Make = fn() -> MethodRouter<Arc<Context>>;

const fn open(path: &'static str, make: Make) -> Route {
    let (of, noted, carried) = (Of::Cluster, Noted::No, Carried::InHeader);
    let (within, takes, at_once) = (limit::REQUEST, Takes(limit::BODY_BYTES), None);
    Route { method: "get", path, needs: None, of, carried, noted, make, within, takes, at_once }
}

const fn read(of: Of, path: &'static str, make: Make) -> Route {
    Route { needs: Some(Role::Viewer), of, ..open(path, make) }
}

/// Whatever is done is noted.
const fn operate(of: Of, path: &'static str, make: Make) -> Route {
    Route { method: "post", needs: Some(Role::Operator), noted: Noted::Whole, ..read(of, path, make) }
}

const fn administer(of: Of, path: &'static str, make: Make) -> Route {
    Route { needs: Some(Role::Admin), ..operate(of, path, make) }
}

/// The whole HTTP side of a node, without sockets.
pub fn router(context: Arc<Context>, metrics: Metrics) -> Router {
    let door = Arc::new(Door::default());
    let mut router = Router::new();
    for route in ROUTES {
        let mut made = (route.make)();
        let is_closed = route.path == METRICS && metrics == Metrics::Token;
        if let Some(at_once) = route.at_once {
            made = made.route_layer(from_fn_with_state(Turns::new(at_once, limit::TURN), in_turn));
        }
        // The last layer is the outermost: a body is not even read before the token is known to be good.
        if let Some(role) = route.needs.or(is_closed.then_some(Role::Viewer)) {
            let Route { path, of, carried, noted, .. } = *route;
            let needs = Needs { path, role, of, carried, noted };
            let gate = Gate { context: context.clone(), needs, door: door.clone() };
            made = made.route_layer(from_fn_with_state(gate, auth::require));
        }
        made = made.route_layer(from_fn_with_state(route.within, in_time)).route_layer(Extension(route.takes));
        router = router.route(route.path, made);
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(Streams::default()))
        .layer(map_response(for_nobody_else))
        .with_state(context)
}

/// What is answered is for who asked, as it is named (RFC 9111 5.2.2.5, WHATWG Fetch "nosniff"): proxies and browsers
/// keep call records no longer than they show them. The pages say themselves how long they may be kept.
async fn for_nobody_else(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(within, next.run(request)).await.unwrap_or_else(|_| {
        let what = format!("the request took longer than {} s", within.as_secs());
        let advice = "it may have taken effect: look at the state before you try again";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", what, advice).into_response()
    })
}

pub async fn no_such_route() -> Problem {
    Problem::not_found("no_such_route", "there is nothing at this path", "see GET /api/v1/openapi.json for the routes")
}

pub async fn wrong_method() -> Problem {
    let advice = "see GET /api/v1/openapi.json for the methods of each path";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path has no such method", advice)
}
