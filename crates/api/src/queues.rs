//! Queues and who waits in them.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::Context;
use strowger_figures::QueueStatus;

use crate::body::Params;
use crate::caller::Asker;
use crate::error::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
}

#[derive(Serialize)]
pub struct Queues {
    queues: Vec<QueueRow>,
}

#[derive(Serialize)]
pub struct QueueRow {
    tenant: String,
    name: String,
    /// Callers; called parties who answered and are without an agent are `called_waiting`.
    waiting: usize,
    called_waiting: usize,
    longest_wait_ms: u64,
    /// Agents free for an offer from it.
    idle: usize,
}

impl From<QueueStatus> for QueueRow {
    fn from(queue: QueueStatus) -> Self {
        let longest_wait_ms = queue.longest_wait.as_millis() as u64;
        let QueueStatus { tenant, name, waiting, called_waiting, idle, .. } = queue;
        Self { tenant, name, waiting, called_waiting, longest_wait_ms, idle }
    }
}

/// `GET /api/v1/queues`
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Queues>, Problem> {
    let of = caller.narrowed(asked.tenant)?;
    if let Some(tenant) = of.as_deref().filter(|name| context.directory().tenant_named(name).is_none()) {
        return Err(Problem::no_such_tenant(tenant));
    }
    let queues = context.overview().queues.into_iter();
    let queues = queues.filter(|queue| of.as_ref().is_none_or(|tenant| queue.tenant == *tenant));
    Ok(Json(Queues { queues: queues.map(QueueRow::from).collect() }))
}
