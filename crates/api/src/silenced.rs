//! Addresses that hear nothing of a phone's registration because somebody there guessed at passwords.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strowger_cluster::Context;

use crate::body::Body;
use crate::error::Problem;

#[derive(Serialize)]
pub struct Silenced {
    addresses: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    /// Of IPv6 the first of its /64.
    address: IpAddr,
    /// For how many accounts it guessed too often.
    accounts: usize,
    /// It hears nothing, whatever the account.
    all: bool,
    /// Until it is heard again.
    left_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    address: IpAddr,
}

#[derive(Serialize)]
pub struct Done {
    /// By all nodes that are up.
    lifted: IpAddr,
}

/// `GET /api/v1/silenced`
pub async fn list(State(context): State<Arc<Context>>) -> Json<Silenced> {
    let rows = context.silenced().into_iter().map(|quiet| Row {
        address: quiet.network,
        accounts: quiet.accounts,
        all: quiet.all,
        left_s: quiet.left.as_secs(),
    });
    Json(Silenced { addresses: rows.collect() })
}

/// `POST /api/v1/silenced/lift`
pub async fn lift(State(context): State<Arc<Context>>, Body(wish): Body<Wish>) -> Result<Json<Done>, Problem> {
    context.lift_silence(wish.address);
    Ok(Json(Done { lifted: wish.address }))
}
