//! The configuration: what is in force, and how another becomes it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use strowger_cluster::{Context, InForce, Refused};
use strowger_config::{Change, Draft, What, parse, resolve};
use strowger_model::{Digest, GroupId, Ha1, Whose};
use strowger_table::{Control, Refusal};

use crate::archive::Archive;
use crate::body::Body;
use crate::error::Problem;
use crate::limit;

#[derive(Serialize)]
pub struct Shown {
    version: u64,
    tenants: Vec<String>,
    trunks: Vec<String>,
    shards_behind: usize,
}

/// `GET /api/v1/config`
pub async fn in_force(State(context): State<Arc<Context>>) -> Json<Shown> {
    let view = context.groups.view(GroupId::CONTROL);
    let control = view.machine.control();
    let mut tenants: Vec<String> = context.directory().tenants().map(|tenant| tenant.name.clone()).collect();
    tenants.sort();
    let trunks = control.map(Control::trunks).unwrap_or_default();
    Json(Shown {
        version: control.map_or(0, Control::version),
        tenants,
        trunks: trunks.iter().map(|trunk| trunk.name.clone()).collect(),
        shards_behind: context.shards_behind(),
    })
}

#[derive(Serialize)]
pub struct Applied {
    /// The version in force; with `dry_run` the one that was compared with.
    version: u64,
    dry_run: bool,
    changes: Vec<ChangeRow>,
    /// Shards that have not taken it over yet, as this node sees it; with them the status is 202.
    shards_behind: usize,
}

#[derive(Serialize)]
struct ChangeRow {
    what: &'static str,
    kind: &'static str,
    name: String,
    detail: String,
}

/// `POST /api/v1/config`
pub async fn apply(
    State(context): State<Arc<Context>>,
    Body(archive): Body<Archive>,
) -> Result<(StatusCode, Json<Applied>), Problem> {
    let dry_run = archive.dry_run;
    let draft = check(context.clone(), archive).await?;
    let InForce { version: control_version, shards, tenants: current, trunks, next_ids } = now(&context).await?;
    let resolved = resolve(&draft, &current, &trunks, shards, next_ids);
    let changes = resolved.changes.iter().map(row).collect();
    if dry_run {
        let answer = Applied { version: control_version, dry_run, changes, shards_behind: context.shards_behind() };
        return Ok((StatusCode::OK, Json(answer)));
    }
    // Also when nothing changed: a node that lost its prompts gets them back.
    for (digest, bytes) in draft.contents() {
        context.spread(*digest, bytes).await?;
    }
    let is_same = *trunks == resolved.trunks && current.iter().map(|tenant| &**tenant).eq(&resolved.tenants);
    let version = if is_same { control_version } else { control_version + 1 };
    if !is_same {
        context.configure(version, resolved.tenants, resolved.trunks).await?;
        tracing::info!(version, "a configuration was applied");
    }
    let shards_behind = context.settle(version, limit::CONFIG_SPREAD).await;
    let status = if shards_behind == 0 { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Applied { version, dry_run, changes, shards_behind })))
}

/// Off the runtime's threads: minutes of audio are decoded.
async fn check(context: Arc<Context>, archive: Archive) -> Result<Draft, Problem> {
    let checked = tokio::task::spawn_blocking(move || {
        let files = archive.unpack()?;
        let seal = |whose: Whose<'_>, ha1: &Ha1| context.data_keys.seal(whose, ha1);
        parse(&files, &load_prompt, &seal).map_err(Problem::bad_configuration)
    });
    checked.await.map_err(|fault| Problem::internal("checking the configuration", &fault))?
}

fn load_prompt(wav: &[u8]) -> Result<(Vec<u8>, Digest), String> {
    let content = strowger_media::content::from_wav(wav).map_err(|fault| fault.to_string())?;
    Ok((content.bytes, content.digest))
}

/// What is in force, which a new configuration is compared with.
async fn now(context: &Context) -> Result<InForce, Problem> {
    let version = {
        let view = context.groups.view(GroupId::CONTROL);
        let founded = view.machine.control().filter(|control| control.shards() > 0);
        founded.map(Control::version)
    };
    let version = version.ok_or_else(|| {
        let advice = "start a majority of its nodes, then apply again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_founded", "the cluster is not founded yet", advice)
    })?;
    // Twenty versions later it is gone; then somebody else applied them meanwhile.
    context.configuration(version).await?.ok_or_else(|| Refused::ByTable(Refusal::OldVersion).into())
}

fn row(change: &Change) -> ChangeRow {
    let what = match change.what {
        What::Added => "added",
        What::Changed => "changed",
        What::Removed => "removed",
    };
    ChangeRow { what, kind: change.kind.as_str(), name: change.name.clone(), detail: change.detail.clone() }
}
