//! How tokens come to be and cease. The cluster keeps hashes; the text is seen once, by whoever asked for it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::{COMMIT, Context, Refused};
use strowger_model::{GroupId, TenantId, Wall};
use strowger_store::rfc3339;
use strowger_table::{ActResult, ControlCommand, Grant, Intent, Token};

use crate::audit;
use crate::body::{Body, Named, Params};
use crate::caller::{Asker, hash};
use crate::error::{ApiError, Problem};
use crate::limit;
use crate::role::Role;

/// Of randomness in a token that is made here: 256 bits.
const TOKEN_BYTES: usize = 32;
/// Bytes of a token's hash that tell it from others in a list and a name.
const ID_BYTES: usize = 4;
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
    grant_for_certain(&context, &token, "first".to_owned()).await.then_some(token)
}

/// Makes a token that somebody chose an admin's, as soon as the cluster takes it.
pub async fn grant_fixed(context: Arc<Context>, token: String) {
    let digest = hash(&token);
    let view = context.groups.view(GroupId::CONTROL);
    let is_known = view.machine.control().and_then(|control| control.token(&digest)).is_some_and(|known| {
        known.role == Role::Admin.as_str() && known.tenant.is_none() && known.is_good(view.wall_now())
    });
    if !is_known {
        // Not by one name: whoever lost a token chooses another.
        grant_for_certain(&context, &token, format!("bootstrap-{}", id(&digest))).await;
    }
}

/// Whether a token somebody chose will do.
pub fn check(token: &str) -> Result<(), ApiError> {
    let is_good = token.len() >= limit::TOKEN_MIN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(()) } else { Err(ApiError::WeakToken) }
}

async fn grant_for_certain(context: &Arc<Context>, token: &str, name: String) -> bool {
    let grant =
        Grant { token_sha256: hash(token), name, role: Role::Admin.as_str().to_owned(), tenant: None, lasts_ms: None };
    loop {
        match grant_by_node(context, &grant).await {
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

/// Nobody asked for it through the API, and it is an administrative act all the same.
async fn grant_by_node(context: &Arc<Context>, grant: &Grant) -> Result<(), Refused> {
    let intent = Intent {
        who: context.me.to_string(),
        tenant: None,
        what: format!("makes the admin's token {}", grant.name),
        asked: String::new(),
        from: String::new(),
        node: context.me,
    };
    let act = audit::begin(context, intent).await?;
    let granted = context.control(ControlCommand::Grant(Box::new(grant.clone())), COMMIT).await;
    if granted.is_ok() {
        let result = ActResult { status: StatusCode::CREATED.as_u16(), told: String::new() };
        audit::end(context.clone(), act, result).await;
    }
    granted.map(drop)
}

fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

fn id(token_sha256: &[u8; 32]) -> String {
    hex(&token_sha256[..ID_BYTES])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
}

#[derive(Serialize)]
pub struct Listed {
    tokens: Vec<TokenRow>,
}

#[derive(Serialize)]
struct TokenRow {
    name: String,
    role: String,
    /// Null: the whole cluster.
    tenant: Option<String>,
    /// The beginning of its text's SHA-256, in hexadecimal.
    id: String,
    /// RFC 3339, UTC.
    made: String,
    /// RFC 3339, UTC; null: never.
    expires: Option<String>,
    expired: bool,
    /// RFC 3339, UTC, at most 10 min too early; null: never.
    last_use: Option<String>,
}

/// `GET /api/v1/tokens`: by tenant and name; those of no tenant first.
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Listed>, Problem> {
    let asked = caller.narrowed(asked.tenant)?;
    let of = tenant_id(&context, asked.as_deref())?;
    let view = context.groups.view(GroupId::CONTROL);
    let (now, directory) = (view.wall_now(), context.directory());
    let tokens = view.machine.control().into_iter().flat_map(|control| control.tokens());
    let tokens = tokens.filter(|(_, token)| of.is_none() || token.tenant == of);
    let name = |id| directory.tenant(id).map_or_else(|| id.to_string(), |tenant| tenant.name.clone());
    let mut tokens: Vec<TokenRow> =
        tokens.map(|(digest, token)| TokenRow::of(digest, token, token.tenant.map(name), now)).collect();
    tokens.sort_by(|a, b| (&a.tenant, &a.name).cmp(&(&b.tenant, &b.name)));
    Ok(Json(Listed { tokens }))
}

impl TokenRow {
    fn of(digest: &[u8; 32], token: &Token, tenant: Option<String>, now: Wall) -> Self {
        Self {
            name: token.name.clone(),
            role: token.role.clone(),
            tenant,
            id: id(digest),
            made: rfc3339(token.made.0),
            expires: token.expires.map(|expires| rfc3339(expires.0)),
            expired: !token.is_good(now),
            last_use: token.last_use.map(|last| rfc3339(last.0)),
        }
    }
}

fn tenant_id(context: &Context, name: Option<&str>) -> Result<Option<TenantId>, Problem> {
    let directory = context.directory();
    let find = |name: &str| directory.tenant_named(name).map(|tenant| tenant.id);
    name.map(|name| find(name).ok_or_else(|| Problem::no_such_tenant(name))).transpose()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    name: String,
    role: String,
    /// None: for the whole cluster, or the tenant of whoever asks.
    tenant: Option<String>,
    /// None: until it is revoked.
    expires_in_s: Option<u64>,
}

#[derive(Serialize)]
pub struct Made {
    token: String,
    name: String,
    role: &'static str,
    tenant: Option<String>,
    /// Null: never.
    expires_in_s: Option<u64>,
}

/// `POST /api/v1/tokens`
pub async fn make(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let role: Role =
        wish.role.parse().map_err(|fault| Problem::bad_request(format!("{fault}"), "name one of them in `role`"))?;
    if !is_name(&wish.name) {
        let advice = format!("give 1 to {} of A-Z a-z 0-9 . _ -", strowger_table::limit::TOKEN_NAME);
        return Err(Problem::bad_request("`name` is no name for a token", advice));
    }
    let lasts = [limit::TOKEN_LASTS_LEAST, limit::TOKEN_LASTS_MOST].map(|lasts| lasts.as_secs());
    if let Some(seconds) = wish.expires_in_s.filter(|seconds| !(lasts[0]..=lasts[1]).contains(seconds)) {
        let advice = format!("give {} to {} seconds, or leave it out", lasts[0], lasts[1]);
        return Err(Problem::bad_request(format!("`expires_in_s` is {seconds}"), advice));
    }
    let tenant = caller.narrowed(wish.tenant)?;
    let token = random().map_err(|fault| Problem::internal("making a token", &fault))?;
    let grant = Grant {
        token_sha256: hash(&token),
        name: wish.name.clone(),
        role: role.as_str().to_owned(),
        tenant: tenant_id(&context, tenant.as_deref())?,
        lasts_ms: wish.expires_in_s.map(|seconds| seconds * 1000),
    };
    context.control(ControlCommand::Grant(Box::new(grant)), COMMIT).await?;
    let made = Made { token, name: wish.name, role: role.as_str(), tenant, expires_in_s: wish.expires_in_s };
    Ok((StatusCode::CREATED, Json(made)))
}

/// They stand in paths and in lines of logs.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=strowger_table::limit::TOKEN_NAME).contains(&name.len()) && name.bytes().all(is_letter)
}

#[derive(Serialize)]
pub struct Revoked {
    revoked: String,
    tenant: Option<String>,
}

/// `POST /api/v1/tokens/{name}/revoke`: from its commit on no node that hears of it takes the token.
pub async fn revoke(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Named(name): Named<String>,
    Params(asked): Params<Asked>,
) -> Result<Json<Revoked>, Problem> {
    let tenant = caller.narrowed(asked.tenant)?;
    let revoke = ControlCommand::Revoke { tenant: tenant_id(&context, tenant.as_deref())?, name: name.clone() };
    context.control(revoke, COMMIT).await?;
    Ok(Json(Revoked { revoked: name, tenant }))
}
