//! Campaigns: how far they are, starting and stopping.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::Context;
use strowger_figures::CampaignStatus;
use strowger_model::config::{Campaign, DialMode, Tenant};

use crate::body::{Named, Params};
use crate::caller::Asker;
use crate::error::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
}

#[derive(Serialize)]
pub struct Campaigns {
    campaigns: Vec<CampaignStatus>,
}

/// `GET /api/v1/campaigns`
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Campaigns>, Problem> {
    let of = caller.narrowed(asked.tenant)?;
    if let Some(tenant) = of.as_ref().filter(|name| context.directory().tenant_named(name).is_none()) {
        return Err(Problem::no_such_tenant(tenant));
    }
    let mut campaigns = context.campaigns();
    campaigns.retain(|campaign| of.as_ref().is_none_or(|tenant| campaign.figures.tenant == *tenant));
    Ok(Json(Campaigns { campaigns }))
}

/// Which campaign is meant by a path: tenant and name.
pub type Which = Named<(String, String)>;

#[derive(Serialize)]
pub struct Running {
    running: bool,
}

/// `POST /api/v1/campaigns/{tenant}/{name}/start`
pub async fn start(State(context): State<Arc<Context>>, Named(which): Which) -> Result<Json<Running>, Problem> {
    let (_, campaign) = find(&context, &which)?;
    if campaign.mode == DialMode::Manual {
        let what = format!("campaign {} is manual: its agents ask for each call", campaign.name);
        let advice = "dial with POST /api/v1/agents/{tenant}/{name}/dial, or configure it as progressive";
        return Err(Problem::new(StatusCode::CONFLICT, "manual_campaign", what, advice));
    }
    context.run_campaign(campaign.id, true).await?;
    Ok(Json(Running { running: true }))
}

/// `POST /api/v1/campaigns/{tenant}/{name}/stop`: calls that are under way go on.
pub async fn stop(State(context): State<Arc<Context>>, Named(which): Which) -> Result<Json<Running>, Problem> {
    let (_, campaign) = find(&context, &which)?;
    context.run_campaign(campaign.id, false).await?;
    Ok(Json(Running { running: false }))
}

pub fn find(context: &Context, (tenant, name): &(String, String)) -> Result<(Arc<Tenant>, Campaign), Problem> {
    let directory = context.directory();
    let tenant = directory.tenant_named(tenant).ok_or_else(|| Problem::no_such_tenant(tenant))?;
    let campaign = tenant.campaigns.iter().find(|campaign| campaign.name == *name).ok_or_else(|| {
        let advice = format!("see GET /api/v1/campaigns?tenant={}", tenant.name);
        Problem::not_found("no_such_campaign", format!("tenant {} has no campaign `{name}`", tenant.name), advice)
    })?;
    Ok((tenant.clone(), campaign.clone()))
}
