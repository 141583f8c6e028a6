//! Who asks, and whether they may.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use sha2::{Digest as _, Sha256};
use strowger_cluster::Context;
use strowger_model::GroupId;

use crate::error::Problem;
use crate::limit;

/// What a token may do; a greater one may do all that a smaller one may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Reads.
    Viewer,
    /// And gives agents' commands.
    Operator,
    /// And changes the configuration and makes tokens.
    Admin,
}

impl Role {
    /// From who may do least to who may do all.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// As it stands in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no role: there are viewer, operator and admin")]
pub struct NotARole(pub String);

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| NotARole(text.to_owned()))
    }
}

/// Tokens are random and long, so one round of SHA-256 hides them; and because hashes are compared, how long a
/// comparison takes says nothing about a token.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Where a request may carry its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    InHeader,
    /// Or as `?token=`, for browsers' event streams, which cannot set headers. Proxies may log it, so nowhere else.
    InHeaderOrQuery,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub role: Role,
    pub carried: Carried,
}

/// Lets a request through if its token has at least the role.
pub async fn require(State((context, needs)): State<(Arc<Context>, Needs)>, request: Request, next: Next) -> Response {
    let Needs { role: needs, carried } = needs;
    let in_query = if carried == Carried::InHeaderOrQuery { in_query(request.uri()) } else { None };
    let token = bearer(request.headers()).map(str::to_owned).or(in_query);
    let problem = match role_of(&context, token.as_deref()) {
        Ok(role) if role >= needs => return next.run(request).await,
        Ok(role) => {
            let what = format!("this needs the role {needs}; the token's is {role}");
            let advice = "use another token, or have an admin make one with POST /api/v1/tokens";
            Problem::new(StatusCode::FORBIDDEN, "forbidden", what, advice)
        }
        Err(problem) => problem,
    };
    // A client that still sends when the connection closes often never sees why. What it sends is not kept.
    let _in_time = tokio::time::timeout(limit::REFUSED_BODY, discard(request.into_body())).await;
    problem.into_response()
}

async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

fn role_of(context: &Context, token: Option<&str>) -> Result<Role, Problem> {
    let Some(token) = token else {
        let advice = "send `Authorization: Bearer TOKEN`; the first token is in first-token in the data directory of the node that founded the cluster";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "no_token", "the request has no token", advice));
    };
    let view = context.groups.view(GroupId::CONTROL);
    let Some(role) = view.machine.control().and_then(|control| control.role(&hash(token))) else {
        let advice = "check that it is whole and of this cluster, or have an admin make another";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unknown_token", "the token is not known here", advice));
    };
    role.parse().map_err(|fault: NotARole| {
        let advice = "a newer version of Strowger gave it; ask a node of that version";
        Problem::new(StatusCode::FORBIDDEN, "unknown_role", fault.to_string(), advice)
    })
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
