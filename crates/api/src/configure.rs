//! The configuration: what is in force, and how another becomes it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, InForce, Refused};
use strowger_config::{Change, Draft, Kind, What, differences, parse, resolve};
use strowger_model::config::{Tenant, Trunk};
use strowger_model::{Digest, GroupId, Ha1, Whose};
use strowger_table::{Control, Refusal};

use crate::archive::Archive;
use crate::audit::Told;
use crate::body::Body;
use crate::error::Problem;
use crate::limit;
use crate::touched::{Lives, Touched, lives};

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
    /// Of what is removed: what lives on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<Touched>,
}

type Answer = (StatusCode, Extension<Told>, Json<Applied>);

/// `POST /api/v1/config`
pub async fn apply(State(context): State<Arc<Context>>, Body(archive): Body<Archive>) -> Result<Answer, Problem> {
    let (dry_run, against) = (archive.dry_run, archive.against);
    let draft = check(context.clone(), archive).await?;
    let InForce { version: control_version, shards, tenants: current, trunks: old, next_ids } = now(&context).await?;
    still(against, control_version)?;
    let resolving = move || {
        let resolved = resolve(&draft, &current, &old, shards, next_ids);
        let is_same = *old == resolved.trunks && current.iter().map(|tenant| &**tenant).eq(&resolved.tenants);
        (draft, resolved, is_same)
    };
    let (draft, resolved, is_same) = beside("comparing the configurations", resolving).await?;
    let changes = rows(&context, &resolved.changes, control_version);
    if dry_run {
        return Ok(unchanged(&context, control_version, true, changes));
    }
    // Also when nothing changed: a node that lost its prompts gets them back.
    for (digest, bytes) in draft.contents() {
        context.spread(*digest, bytes.clone()).await?;
    }
    if is_same {
        return Ok(unchanged(&context, control_version, false, changes));
    }
    put_in_force(&context, control_version + 1, resolved.tenants, resolved.trunks, changes).await
}

/// The answer where nothing new comes into force.
fn unchanged(context: &Context, version: u64, dry_run: bool, changes: Vec<ChangeRow>) -> Answer {
    let shards_behind = context.shards_behind();
    let status = if dry_run || shards_behind == 0 { StatusCode::OK } else { StatusCode::ACCEPTED };
    let told = if dry_run { Told("a dry run".to_owned()) } else { Told(format!("version {version} stays")) };
    (status, Extension(told), Json(Applied { version, dry_run, changes, shards_behind }))
}

async fn put_in_force(
    context: &Context,
    version: u64,
    tenants: Vec<Tenant>,
    trunks: Vec<Trunk>,
    changes: Vec<ChangeRow>,
) -> Result<Answer, Problem> {
    context.configure(version, tenants, trunks).await?;
    tracing::info!(version, "a configuration was applied");
    let shards_behind = context.settle(version, limit::CONFIG_SPREAD).await;
    let status = if shards_behind == 0 { StatusCode::OK } else { StatusCode::ACCEPTED };
    let told = Told(format!("version {version}"));
    Ok((status, Extension(told), Json(Applied { version, dry_run: false, changes, shards_behind })))
}

#[derive(Serialize)]
pub struct Kept {
    versions: Vec<KeptVersion>,
}

#[derive(Serialize)]
struct KeptVersion {
    version: u64,
    tenants: usize,
    trunks: usize,
    in_force: bool,
}

/// `GET /api/v1/config/versions`
pub async fn kept(State(context): State<Arc<Context>>) -> Json<Kept> {
    let view = context.groups.view(GroupId::CONTROL);
    let kept = view.machine.control().into_iter().flat_map(|control| {
        control.versions().rev().map(|config| KeptVersion {
            version: config.version,
            tenants: config.tenants.len(),
            trunks: config.trunks.len(),
            in_force: config.version == control.version(),
        })
    });
    Json(Kept { versions: kept.collect() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    to: u64,
    #[serde(default)]
    dry_run: bool,
    /// Only if that version is in force: what was shown by a dry run is what comes.
    #[serde(default)]
    against: Option<u64>,
}

/// `POST /api/v1/config/roll-back`: what was in force comes into force again, as a version of its own.
pub async fn roll_back(
    State(context): State<Arc<Context>>,
    Body(RollBack { to, dry_run, against }): Body<RollBack>,
) -> Result<Answer, Problem> {
    let InForce { version, tenants: current, trunks: current_trunks, .. } = now(&context).await?;
    still(against, version)?;
    let then = match to {
        0 => None,
        to => context.configuration(to).await?,
    };
    let Some(InForce { tenants, trunks, .. }) = then else { return Err(no_such_version(&context, to)) };
    let again: Vec<Tenant> = tenants.iter().map(|tenant| (**tenant).clone()).collect();
    let again_trunks = trunks.to_vec();
    let comparing = move || {
        let changes = differences(&current, &again, &current_trunks, &again_trunks);
        let is_same = *current_trunks == again_trunks && current.iter().map(|tenant| &**tenant).eq(&again);
        (again, again_trunks, is_same, changes)
    };
    let (again, again_trunks, is_same, changes) = beside("comparing the configurations", comparing).await?;
    let changes = rows(&context, &changes, version);
    if dry_run || is_same {
        return Ok(unchanged(&context, version, dry_run, changes));
    }
    context.spread_prompts(&tenants).await?;
    put_in_force(&context, version + 1, again, again_trunks, changes).await
}

pub(crate) fn no_such_version(context: &Context, version: u64) -> Problem {
    let view = context.groups.view(GroupId::CONTROL);
    let kept = view.machine.control().into_iter().flat_map(|control| control.versions().rev());
    let kept: Vec<String> = kept.map(|config| config.version.to_string()).collect();
    let advice = match kept.len() {
        0 => "apply a configuration directory; none was applied yet".to_owned(),
        _ => format!("kept are {}; of any other apply the directory", kept.join(", ")),
    };
    Problem::not_found("no_such_version", format!("version {version} of the configuration is not kept"), advice)
}

async fn check(context: Arc<Context>, archive: Archive) -> Result<Draft, Problem> {
    let checking = move || {
        let files = archive.unpack()?;
        let keys = context.data_keys();
        let seal = |whose: Whose<'_>, ha1: &Ha1| keys.seal(whose, ha1);
        parse(&files, &load_prompt, &seal).map_err(Problem::bad_configuration)
    };
    beside("checking the configuration", checking).await?
}

/// Off the runtime's threads: minutes of audio are decoded, a million numbers compared.
async fn beside<T: Send + 'static>(doing: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|fault| Problem::internal(doing, &fault))
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

/// Who was shown changes against a version wants these and no others.
fn still(against: Option<u64>, version: u64) -> Result<(), Problem> {
    match against {
        Some(against) if against != version => Err(Refused::ByTable(Refusal::OldVersion).into()),
        _ => Ok(()),
    }
}

/// `version` is in force: with it comes back what is removed now.
fn rows(context: &Context, changes: &[Change], version: u64) -> Vec<ChangeRow> {
    let removes = changes.iter().any(|change| change.what == What::Removed);
    let lives = if removes { lives(context) } else { Lives::new() };
    changes.iter().map(|change| row(change, &lives, version)).collect()
}

fn row(change: &Change, lives: &Lives, version: u64) -> ChangeRow {
    let what = match change.what {
        What::Added => "added",
        What::Changed => "changed",
        What::Removed => "removed",
    };
    let kind = change.kind.as_str();
    let is_removed = change.what == What::Removed;
    let touched = lives.get(&(kind, change.name.clone())).copied().filter(|_| is_removed);
    let lives = touched.map(Touched::text);
    // Names get new ids: the list is the old one's.
    let back = touched.filter(|touched| change.kind == Kind::Campaign && touched.has_leads()).map(|_| {
        format!("its list comes back with `strowger apply --to {version}`, and with no other campaign of that name")
    });
    let said = [Some(change.detail.clone()), lives, back].into_iter().flatten().filter(|said| !said.is_empty());
    let detail = said.collect::<Vec<_>>().join("; ");
    ChangeRow { what, kind, name: change.name.clone(), detail, touched }
}
