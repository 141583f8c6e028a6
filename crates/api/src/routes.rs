//! All routes, and who may use them: one table, from which the router is made.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use strowger_cluster::Context;

use crate::auth::{self, Carried, Needs, Role};
use crate::error::Problem;
use crate::events::{self, Streams};
use crate::{
    agents, bars, calls, campaigns, configure, dial, explain, health, import, leads, limit, live, openapi, queues,
    silenced, status, tokens, version, wallboard,
};

/// One route.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// With `{name}` for what varies.
    pub path: &'static str,
    /// None: open to everyone.
    pub needs: Option<Role>,
    carried: Carried,
    make: Make,
    within: Duration,
}

/// What the router is made of, and `/api/v1/openapi.json`.
pub static ROUTES: &[Route] = &[
    open("/", || get(wallboard::page)),
    open("/wallboard", || get(wallboard::page)),
    open("/wallboard.css", || get(wallboard::style)),
    open("/wallboard.js", || get(wallboard::script)),
    open("/metrics", || get(health::metrics)),
    open("/health/live", || get(health::live)),
    open("/health/ready", || get(health::ready)),
    read("/api/v1/status", || get(status::status)),
    read("/api/v1/calls", || get(calls::list)),
    read("/api/v1/calls/live", || get(live::list)),
    read("/api/v1/calls/{id}", || get(calls::one)),
    read("/api/v1/calls/{id}/explain", || get(explain::one)),
    Route { carried: Carried::InHeaderOrQuery, ..read("/api/v1/events", || get(events::stream)) },
    read("/api/v1/agents", || get(agents::list)),
    command(Role::Operator, "/api/v1/agents/{tenant}/{name}/ready", || post(agents::ready)),
    command(Role::Operator, "/api/v1/agents/{tenant}/{name}/not-ready", || post(agents::not_ready)),
    command(Role::Operator, "/api/v1/agents/{tenant}/{name}/dispose", || post(agents::dispose)),
    command(Role::Operator, "/api/v1/agents/{tenant}/{name}/dial", || post(dial::dial)),
    read("/api/v1/campaigns", || get(campaigns::list)),
    command(Role::Operator, "/api/v1/campaigns/{tenant}/{name}/start", || post(campaigns::start)),
    command(Role::Operator, "/api/v1/campaigns/{tenant}/{name}/stop", || post(campaigns::stop)),
    read("/api/v1/campaigns/{tenant}/{name}/leads", || get(leads::list)),
    command(Role::Operator, "/api/v1/campaigns/{tenant}/{name}/leads", || {
        post(import::import).layer(DefaultBodyLimit::max(limit::LEADS_BODY_BYTES))
    }),
    read("/api/v1/do-not-call", || get(bars::do_not_call)),
    command(Role::Operator, "/api/v1/do-not-call", || post(bars::change_do_not_call)),
    read("/api/v1/barred-callers", || get(bars::barred_callers)),
    command(Role::Operator, "/api/v1/barred-callers", || post(bars::change_barred_callers)),
    read("/api/v1/queues", || get(queues::list)),
    read("/api/v1/silenced", || get(silenced::list)),
    command(Role::Operator, "/api/v1/silenced/lift", || post(silenced::lift)),
    read("/api/v1/config", || get(configure::in_force)),
    Route {
        within: limit::CONFIG_REQUEST,
        ..command(Role::Admin, "/api/v1/config", || {
            post(configure::apply).layer(DefaultBodyLimit::max(limit::CONFIG_BODY_BYTES))
        })
    },
    read("/api/v1/config/versions", || get(configure::kept)),
    Route {
        needs: Some(Role::Operator),
        within: limit::CONFIG_REQUEST,
        ..read("/api/v1/config/versions/{version}", || get(version::one))
    },
    Route {
        within: limit::CONFIG_REQUEST,
        ..command(Role::Admin, "/api/v1/config/roll-back", || post(configure::roll_back))
    },
    command(Role::Admin, "/api/v1/tokens", || post(tokens::make)),
    read("/api/v1/openapi.json", || get(openapi::document)),
];

type Make = fn() -> MethodRouter<Arc<Context>>;

const fn open(path: &'static str, make: Make) -> Route {
    Route { method: "get", path, needs: None, carried: Carried::InHeader, make, within: limit::REQUEST }
}

const fn read(path: &'static str, make: Make) -> Route {
    Route { method: "get", path, needs: Some(Role::Viewer), carried: Carried::InHeader, make, within: limit::REQUEST }
}

const fn command(needs: Role, path: &'static str, make: Make) -> Route {
    Route { method: "post", path, needs: Some(needs), carried: Carried::InHeader, make, within: limit::REQUEST }
}

/// The whole HTTP side of a node, without sockets.
pub fn router(context: Arc<Context>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let mut made = (route.make)();
        // The last layer is the outermost: a body is not even read before the token is known to be good.
        if let Some(role) = route.needs {
            let needs = Needs { role, carried: route.carried };
            made = made.route_layer(from_fn_with_state((context.clone(), needs), auth::require));
        }
        made = made.route_layer(from_fn_with_state(route.within, in_time));
        router = router.route(route.path, made);
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limit::BODY_BYTES))
        .layer(Extension(Streams::default()))
        .with_state(context)
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
