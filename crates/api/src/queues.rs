//! Queues and who waits in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, QueueLine};

use crate::body::Params;
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
    waiting: usize,
    longest_wait_ms: u64,
    /// Agents free for an offer from it.
    idle: usize,
}

impl From<QueueLine> for QueueRow {
    fn from(line: QueueLine) -> Self {
        let longest_wait_ms = line.longest_wait.as_millis() as u64;
        Self { tenant: line.tenant, name: line.name, waiting: line.waiting, longest_wait_ms, idle: line.idle }
    }
}

/// `GET /api/v1/queues`
pub async fn list(State(context): State<Arc<Context>>, Params(asked): Params<Asked>) -> Result<Json<Queues>, Problem> {
    if let Some(tenant) = asked.tenant.as_deref().filter(|name| context.directory().tenant_named(name).is_none()) {
        return Err(Problem::no_such_tenant(tenant));
    }
    let lines = context.overview().queues.into_iter();
    let lines = lines.filter(|line| asked.tenant.as_ref().is_none_or(|tenant| line.tenant == *tenant));
    Ok(Json(Queues { queues: lines.map(QueueRow::from).collect() }))
}
