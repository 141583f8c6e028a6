//! How tokens come to be. The cluster keeps hashes; the text is seen once, by whoever asked for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_cluster::{COMMIT, Context, Refused};
use strowger_model::GroupId;
use strowger_table::ControlCommand;

use crate::auth::{Role, hash};
use crate::body::Body;
use crate::error::{ApiError, Problem};
use crate::limit;

/// Of randomness in a token that is made here: 256 bits.
const TOKEN_BYTES: usize = 32;
/// Nobody tells that the cluster would take it now.
const AGAIN: Duration = Duration::from_millis(50);

/// The first token of a cluster: an admin's, made by the node that founds it, and to be shown to the operator once.
/// None on other nodes and when there are tokens already. Waits until the cluster is founded, however long that is.
///
/// If the process ends between the commit and the showing, nobody has the token: start it once with `Options::token`.
pub async fn bootstrap_token(context: Arc<Context>) -> Option<String> {
    loop {
        // Before the look, so that no change falls between.
        let changed = context.control_news();
        let view = context.groups.view(GroupId::CONTROL);
        let control = view.machine.control()?;
        // Our own hello of this start is in the view, so everything that was committed before it is too: a node that
        // starts again must not take a log it has not read yet for an empty one.
        let has_caught_up = control.node(context.me).is_some_and(|node| node.incarnation >= context.incarnation());
        if has_caught_up && !control.voters().is_empty() {
            if control.has_tokens() || control.voters().iter().min() != Some(&context.me) {
                return None;
            }
            break;
        }
        changed.await;
    }
    let token = random().map_err(|fault| tracing::error!(%fault, "no first token: no random numbers")).ok()?;
    grant_for_certain(&context, &token).await.then_some(token)
}

/// Makes a token that somebody chose an admin's, as soon as the cluster takes it.
pub async fn grant_fixed(context: Arc<Context>, token: String) {
    let digest = hash(&token);
    let view = context.groups.view(GroupId::CONTROL);
    let known = view.machine.control().and_then(|control| control.role(&digest)) == Some(Role::Admin.as_str());
    if !known {
        grant_for_certain(&context, &token).await;
    }
}

/// Whether a token somebody chose will do.
pub fn check(token: &str) -> Result<(), ApiError> {
    let is_good = token.len() >= limit::TOKEN_MIN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(()) } else { Err(ApiError::WeakToken) }
}

async fn grant_for_certain(context: &Context, token: &str) -> bool {
    loop {
        match grant(context, token, Role::Admin).await {
            Ok(()) => return true,
            Err(Refused::NotCommitted(why)) => {
                tracing::debug!(%why, "the admin's token is not committed yet");
                tokio::time::sleep(AGAIN).await;
            }
            Err(fault @ (Refused::ByTable(_) | Refused::TooLarge { .. })) => {
                tracing::error!(%fault, "the admin's token was refused");
                return false;
            }
        }
    }
}

async fn grant(context: &Context, token: &str, role: Role) -> Result<(), Refused> {
    let command = ControlCommand::Grant { token_sha256: hash(token), role: role.as_str().to_owned() };
    context.control(command, COMMIT).await.map(drop)
}

fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    role: String,
}

#[derive(Serialize)]
pub struct Made {
    token: String,
    role: &'static str,
}

/// `POST /api/v1/tokens`
pub async fn make(
    State(context): State<Arc<Context>>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let role: Role =
        wish.role.parse().map_err(|fault| Problem::bad_request(format!("{fault}"), "name one of them in `role`"))?;
    let token = random().map_err(|fault| Problem::internal("making a token", &fault))?;
    grant(&context, &token, role).await?;
    Ok((StatusCode::CREATED, Json(Made { token, role: role.as_str() })))
}
