//! A configuration of the last twenty, as its files would say it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, InForce};
use strowger_config::{tenant_file, trunks_file};
use strowger_model::GroupId;
use strowger_model::config::{Tenant, Trunk};
use strowger_table::Control;

use crate::body::{Named, Params};
use crate::configure::no_such_version;
use crate::error::Problem;
use crate::limit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its file alone.
    tenant: Option<String>,
}

#[derive(Serialize)]
pub struct Whole {
    version: u64,
    in_force: bool,
    /// By path in the directory that was applied.
    files: BTreeMap<String, String>,
}

/// `GET /api/v1/config/versions/{version}`
pub async fn one(
    State(context): State<Arc<Context>>,
    Named(version): Named<u64>,
    Params(Asked { tenant }): Params<Asked>,
) -> Result<Json<Whole>, Problem> {
    let found = match version {
        0 => None,
        version => context.configuration(version).await?,
    };
    let Some(InForce { tenants, trunks, .. }) = found else { return Err(no_such_version(&context, version)) };
    let view = context.groups.view(GroupId::CONTROL);
    let in_force = view.machine.control().map(Control::version) == Some(version);
    let writing = move || files(&tenants, &trunks, tenant.as_deref(), version);
    let files = tokio::task::spawn_blocking(writing).await;
    let files = files.map_err(|fault| Problem::internal("writing the configuration", &fault))??;
    Ok(Json(Whole { version, in_force, files }))
}

fn files(
    tenants: &[Arc<Tenant>],
    trunks: &[Trunk],
    only: Option<&str>,
    version: u64,
) -> Result<BTreeMap<String, String>, Problem> {
    let wanted = |tenant: &&Arc<Tenant>| only.is_none_or(|name| tenant.name == name);
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    for tenant in tenants.iter().filter(wanted) {
        let text = tenant_file(tenant, trunks);
        bytes += text.len();
        if bytes > limit::SHOWN_BYTES && !files.is_empty() {
            let what = format!("version {version} has more than {} MiB", limit::SHOWN_BYTES >> 20);
            let advice = "ask for one tenant after the other, with ?tenant=NAME";
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what, advice));
        }
        files.insert(format!("tenants/{}.toml", tenant.name), text);
    }
    match only {
        Some(name) if files.is_empty() => {
            let what = format!("version {version} has no tenant `{name}`");
            Err(Problem::not_found("no_such_tenant", what, "ask for the whole version"))
        }
        Some(_) => Ok(files),
        None => {
            files.insert("trunks.toml".to_owned(), trunks_file(trunks));
            Ok(files)
        }
    }
}
