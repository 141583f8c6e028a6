//! Calls that agents ask for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, NotDialled};
use strowger_dialer::{Denial, read_number};

use crate::agents::{Who, find};
use crate::audit::Told;
use crate::body::{Body, Named};
use crate::campaigns;
use crate::error::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    campaign: String,
    number: String,
}

#[derive(Serialize)]
pub struct Begun {
    call: String,
}

/// `POST /api/v1/agents/{tenant}/{name}/dial`: rings the agent's phone, then calls the number.
pub async fn dial(
    State(context): State<Arc<Context>>,
    Named(who): Who,
    Body(wish): Body<Wish>,
) -> Result<(Extension<Told>, Json<Begun>), Problem> {
    let agent = find(&context, &who)?;
    let (_, campaign) = campaigns::find(&context, &(who.0, wish.campaign))?;
    let number = read_number(&wish.number).map_err(|why| {
        let what = format!("`{}` cannot be dialled: {why}", wish.number);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_number", what, "correct the number")
    })?;
    let call = context.dial(campaign.id, agent, number).await?;
    Ok((Extension(Told(format!("call {call}"))), Json(Begun { call: call.to_string() })))
}

impl From<NotDialled> for Problem {
    fn from(fault: NotDialled) -> Self {
        match fault {
            NotDialled::Refused(refused) => refused.into(),
            NotDialled::Denied(denial) => {
                let (status, code, advice) = meaning(&denial);
                Self::new(status, code, denial.to_string(), advice)
            }
        }
    }
}

fn meaning(denial: &Denial) -> (StatusCode, &'static str, &'static str) {
    const MISSING: StatusCode = StatusCode::NOT_FOUND;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    const CANNOT: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    const AGAIN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    match denial {
        Denial::NoSuchCampaign(_) => (MISSING, "no_such_campaign", "see GET /api/v1/campaigns"),
        Denial::NoSuchAgent(_) => (MISSING, "no_such_agent", "see GET /api/v1/agents"),
        Denial::AgentBusy(_) => (CONFLICT, "agent_busy", "end the work at hand first, or let the phone register"),
        Denial::Barred(_) => (CONFLICT, "barred", "do not call it; who may lift that is the operator's to know"),
        Denial::Forbidden(_) => (
            CONFLICT,
            "forbidden_number",
            "call another one; if it is meant, name it under `outbound` in the file of every node",
        ),
        Denial::Capped(_) => (AGAIN, "capped", "wait, or look who makes these calls: it is in the log of the node"),
        Denial::OnACall(_) => (CONFLICT, "lead_busy", "wait until that call is over"),
        Denial::NoZone(_) => (CANNOT, "no_zone", "then dial again"),
        Denial::NoSuchZone(_) => (CANNOT, "no_such_zone", "correct the campaign's zone or the lead's"),
        Denial::Closed { .. } => (CONFLICT, "not_now", "call within the campaign's hours, by the clock over there"),
        Denial::NoTrunk(_) | Denial::NoDestination { .. } => {
            (CONFLICT, "no_trunk", "give the campaign a trunk with a `destination`, and apply the configuration")
        }
        Denial::TrunkFull { .. } => (AGAIN, "trunk_full", "try again in a moment"),
        Denial::NoRelay => (AGAIN, "no_relay", "see GET /api/v1/status for the relays"),
        Denial::NoNode => (AGAIN, "no_node", "see GET /api/v1/status for the nodes"),
    }
}
