//! The door: which requests are let through, and what is said of those that are not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Query, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use strowger_cluster::{COMMIT, Context};
use strowger_table::ControlCommand;

use crate::audit::{self, Noted};
use crate::body::hear_out;
use crate::caller::Caller;
use crate::error::Problem;
use crate::listen::Peer;
use crate::role::Role;
use crate::seldom::Seldom;

/// Where a request may carry its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    InHeader,
    /// Or as `?token=`, for browsers' event streams, which cannot set headers. Proxies may log it, so nowhere else, and
    /// only one that can do nothing but read.
    InHeaderOrQuery,
}

/// Whose matter a route is, and so what a token of one tenant may do there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// The whole cluster's: nothing.
    Cluster,
    /// The tenant's whose name is in the path: all that its role allows, if that tenant is its own.
    Path,
    /// What is asked for: the route itself answers no more than is the tenant's.
    Asked,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Of the route, as the table of routes has it.
    pub path: &'static str,
    pub role: Role,
    pub of: Of,
    pub carried: Carried,
    pub noted: Noted,
}

/// Before one route.
#[derive(Clone)]
pub struct Gate {
    pub context: Arc<Context>,
    pub needs: Needs,
    pub door: Arc<Door>,
}

/// What all gates of a node have in common.
#[derive(Default)]
pub struct Door {
    /// Tokens of which the cluster is being told that they are in use.
    telling: Mutex<BTreeSet<[u8; 32]>>,
    refusals: Mutex<Seldom>,
}

/// Lets a request through if its token has at least the role, and is of that tenant.
pub async fn require(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match gate.caller(&mut parts).await {
        Ok(caller) => Arc::new(caller),
        Err((problem, name)) => {
            gate.door.turned_away(&gate, &parts, &problem, name.as_deref());
            hear_out(Request::from_parts(parts, body)).await;
            return problem.into_response();
        }
    };
    if caller.is_use_news {
        gate.door.clone().in_use(gate.context.clone(), caller.token_sha256);
    }
    parts.extensions.insert(caller.clone());
    audit::noted(&gate.context, gate.needs.noted, &caller, Request::from_parts(parts, body), next).await
}

impl Gate {
    /// Or why not, and which token it was if it is known.
    async fn caller(&self, parts: &mut Parts) -> Result<Caller, (Problem, Option<String>)> {
        let Needs { role, of, carried, .. } = self.needs;
        let in_header = bearer(&parts.headers).map(str::to_owned);
        let is_in_query = in_header.is_none() && carried == Carried::InHeaderOrQuery;
        let token = if is_in_query { in_query(&parts.uri) } else { in_header };
        let caller = Caller::of(&self.context, token.as_deref()).map_err(|problem| (problem, None))?;
        let forbidden = |code, what: String, advice| {
            Err((Problem::new(StatusCode::FORBIDDEN, code, what, advice), Some(caller.name.clone())))
        };
        if is_in_query && caller.role > Role::Viewer {
            let what = format!("the address has a token of the role {}", caller.role);
            let advice = "addresses are written down on their way: revoke that token, and use a viewer's there";
            return forbidden("token_in_address", what, advice);
        }
        if caller.role < role {
            let what = format!("this needs the role {role}; the token's is {}", caller.role);
            let advice = "use another token, or have an admin make one with POST /api/v1/tokens";
            return forbidden("forbidden", what, advice);
        }
        if of == Of::Cluster && caller.tenant().is_some() {
            let advice = "use a token of no tenant";
            return forbidden(
                "of_the_cluster",
                "this concerns all tenants, and the token is for one".to_owned(),
                advice,
            );
        }
        if of == Of::Path {
            let tenant = tenant_in(parts).await.map_err(|problem| (problem, Some(caller.name.clone())))?;
            if !caller.sees(&tenant) {
                return Err((Problem::no_such_tenant(&tenant), Some(caller.name.clone())));
            }
        }
        Ok(caller)
    }
}

/// As the handler reads it.
async fn tenant_in(parts: &mut Parts) -> Result<String, Problem> {
    let path = RawPathParams::from_request_parts(parts, &()).await;
    let path = path.map_err(|fault| Problem::bad_request(fault.body_text(), "correct the path"))?;
    let tenant = path.iter().find(|(key, _)| *key == "tenant").map(|(_, value)| value.to_owned());
    tenant.ok_or_else(|| Problem::internal("reading the path", &"it names no tenant"))
}

impl Door {
    /// Counted each, told now and then: whoever guesses at tokens must not fill the disk with it.
    fn turned_away(&self, gate: &Gate, parts: &Parts, problem: &Problem, token: Option<&str>) {
        let (context, route) = (&gate.context, gate.needs.path);
        let (status, code) = (problem.status(), problem.code());
        context.http_refused(status.as_u16());
        let Some(untold) = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).tell(context.now()) else {
            return;
        };
        let from = Peer::host(&parts.extensions);
        tracing::warn!(%from, route, status = status.as_u16(), code, token, untold, "an HTTP request was turned away");
    }

    fn in_use(self: Arc<Self>, context: Arc<Context>, token_sha256: [u8; 32]) {
        let telling = move |door: &Self, begins| {
            let mut telling = door.telling.lock().unwrap_or_else(PoisonError::into_inner);
            if begins { telling.insert(token_sha256) } else { telling.remove(&token_sha256) }
        };
        if !telling(&self, true) {
            return;
        }
        tokio::spawn(async move {
            if let Err(fault) = context.control(ControlCommand::Used { token_sha256 }, COMMIT).await {
                tracing::debug!(%fault, "that a token is in use is told with a later request");
            }
            telling(&self, false);
        });
    }
}

/// The scheme's name is taken in any case (RFC 9110 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn in_query(uri: &Uri) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Asked {
        token: Option<String>,
    }
    Query::<Asked>::try_from_uri(uri).ok()?.0.token.filter(|token| !token.is_empty())
}
