//! Who asks: a token that is good, and whose matters it may see and touch.

use std::sync::Arc;

use axum::Extension;
use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};
use strowger_cluster::Context;
use strowger_model::config::Tenant;
use strowger_model::{GroupId, TenantId};
use strowger_table::Control;

use crate::error::Problem;
use crate::role::{NotARole, Role};

/// As handlers take it; `auth` puts it there.
pub type Asker = Extension<Arc<Caller>>;

/// Whoever sent a request with a good token.
pub struct Caller {
    /// Of the token's text.
    pub token_sha256: [u8; 32],
    /// The token's.
    pub name: String,
    pub role: Role,
    /// None: the whole cluster's.
    tenant: Option<Arc<Tenant>>,
    /// That the token is in use is not known to the cluster yet.
    pub is_use_news: bool,
}

/// Tokens are random and long, so one round of SHA-256 hides them; and because hashes are compared, how long a
/// comparison takes says nothing about a token.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Caller {
    /// A token is good until the time that the log's stamps reach, not this node's clock: so all nodes say the same.
    pub fn of(context: &Context, token: Option<&str>) -> Result<Self, Problem> {
        let unauthorized = |code, what, advice| Problem::new(StatusCode::UNAUTHORIZED, code, what, advice);
        let Some(token) = token else {
            let advice = "send `Authorization: Bearer TOKEN`; the first token is in first-token in the data directory of the node that founded the cluster";
            return Err(unauthorized("no_token", "the request has no token", advice));
        };
        let (token_sha256, view) = (hash(token), context.groups.view(GroupId::CONTROL));
        let now = view.wall_now();
        let Some(found) = view.machine.control().and_then(|control| control.token(&token_sha256)) else {
            let advice = "check that it is whole, of this cluster and not revoked, or have an admin make another";
            return Err(unauthorized("unknown_token", "the token is not known here", advice));
        };
        if !found.is_good(now) {
            let advice = "have an admin make another with POST /api/v1/tokens";
            return Err(unauthorized("expired_token", "the token has expired", advice));
        }
        let role: Role = found.role.parse().map_err(|fault: NotARole| {
            let advice = "a newer version of Strowger gave it; ask a node of that version";
            Problem::new(StatusCode::FORBIDDEN, "unknown_role", fault.to_string(), advice)
        })?;
        let tenant = found.tenant.map(|id| tenant(context, id)).transpose()?;
        Ok(Self { token_sha256, name: found.name.clone(), role, tenant, is_use_news: found.is_use_news(now) })
    }

    /// Whether it was neither revoked nor has expired since.
    pub fn is_good(&self, context: &Context) -> bool {
        let view = context.groups.view(GroupId::CONTROL);
        let token = view.machine.control().and_then(|control: &Control| control.token(&self.token_sha256));
        token.is_some_and(|token| token.is_good(view.wall_now()))
    }

    /// None: it may see and touch all tenants, and what is nobody's alone.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(|tenant| tenant.name.as_str())
    }

    /// As `tenant`.
    pub fn tenant_id(&self) -> Option<TenantId> {
        self.tenant.as_ref().map(|tenant| tenant.id)
    }

    /// Whether that tenant's matters are this caller's.
    pub fn sees(&self, tenant: &str) -> bool {
        self.tenant().is_none_or(|own| own == tenant)
    }

    /// The tenant that an answer is to be about: who has a token of one asks about that one, and another's tenant is
    /// not there for them.
    pub fn narrowed(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        match asked {
            Some(name) if !self.sees(&name) => Err(Problem::no_such_tenant(&name)),
            Some(name) => Ok(Some(name)),
            None => Ok(self.tenant().map(str::to_owned)),
        }
    }
}

fn tenant(context: &Context, id: TenantId) -> Result<Arc<Tenant>, Problem> {
    context.directory().tenant(id).cloned().ok_or_else(|| {
        let advice = "have an admin apply a configuration with the tenant, or make another token";
        let what = "the token is for a tenant that is not in the configuration";
        Problem::new(StatusCode::FORBIDDEN, "tenant_gone", what, advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is compared differs from its first bytes on, wherever the tokens differ: so it takes as long for all.
    #[test]
    fn tokens_that_are_almost_alike_are_compared_as_unlike_hashes() {
        let token = "0123456789abcdef0123456789abcdef";
        let changed = (0..token.len()).map(|at| {
            let mut near = token.as_bytes().to_vec();
            near[at] ^= 1;
            String::from_utf8(near).expect("ASCII")
        });
        for near in changed.chain([token[1..].to_owned(), format!("{token}0"), token.to_ascii_uppercase()]) {
            assert_ne!(hash(&near)[..4], hash(token)[..4], "{near}");
        }
    }
}
