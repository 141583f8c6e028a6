//! Why a call went where it went: its path in time, what there was to choose from at each offer, and what it waits for.

mod path;
mod reasons;

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use strowger_cluster::{Context, Directory, PastFault};
use strowger_figures::{Step, What};
use strowger_model::{AgentId, CampaignId, QueueId, TenantId};
use strowger_store::CallLine;
use strowger_table::Call;

use crate::body::Named;
use crate::caller::Asker;
use crate::calls::{no_such_call, read_id};
use crate::error::Problem;
use path::{PathStep, path_of_history, path_of_record, path_of_row};
use reasons::Reasons;

#[derive(Serialize)]
pub struct Explained {
    call: String,
    tenant: String,
    from: String,
    to: String,
    /// The row's stage, or `ended`.
    state: &'static str,
    outcome: Option<String>,
    /// What came of dialling, of an outbound call.
    dial_result: Option<String>,
    /// Whether this node saw the steps itself, or keeps what the log was then. Else the path is the story that row and record keep: no index, no reasons.
    told: bool,
    /// Which part of the log of then this node does not keep, or cannot read, where `told` is false for want of it.
    missing: Option<String>,
    path: Vec<PathStep>,
    /// Why a waiting call still waits.
    now: Option<Reasons>,
}

/// `GET /api/v1/calls/{id}/explain`
pub async fn one(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Named(id): Named<String>,
) -> Result<Json<Explained>, Problem> {
    let id = read_id(&id)?;
    let names = Names(context.directory());
    let record = context.store.call(id).await?.filter(|record| caller.sees(&record.tenant));
    let row = context.live_call(id).map(|state| state.call).filter(|row| caller.sees(&names.tenant(row.tenant)));
    // Steps alone do not say whose they are.
    if record.is_none() && row.is_none() && caller.tenant().is_some() {
        return Err(no_such_call(id));
    }
    let begins = |steps: &Vec<Step>| matches!(steps[0].what, What::Admitted { .. } | What::Dialled(_));
    let (mut history, mut missing) = (context.history(id), None);
    if !history.as_ref().is_some_and(begins) && (row.is_some() || record.is_some()) {
        match context.told_again(id).await {
            Ok(again) => history = again.or(history),
            Err(fault) => missing = Some(word(&fault)),
        }
    }
    let told = history.as_ref().is_some_and(begins);
    let path = match (&history, &row, &record) {
        (Some(steps), _, _) if told => path_of_history(&names, steps),
        (_, Some(row), _) => path_of_row(&names, row),
        (_, None, Some(record)) => path_of_record(record),
        (_, None, None) => return Err(no_such_call(id)),
    };
    let now = context.why(id).map(|why| {
        let time = context.log_now(id.shard()).at_least;
        Reasons::new(&names, (why.basis, why.basis, time), Some(why.ahead), &why.field, &|_| None)
    });
    let explained =
        Explained { call: id.to_string(), told, missing, path, now, ..Explained::head(&names, row, record) };
    Ok(Json(explained))
}

impl Explained {
    fn head(names: &Names, row: Option<Arc<Call>>, record: Option<CallLine>) -> Self {
        let state = row.as_ref().map_or("ended", |row| row.stage_name());
        let of_row = |row: Arc<Call>| {
            let tenant = names.tenant(row.tenant);
            let dial_result = row.dial_result().map(|result| result.as_str().to_owned());
            let outcome = row.outcome().map(|outcome| outcome.as_str().to_owned());
            (tenant, row.from().to_owned(), row.to().to_owned(), outcome, dial_result)
        };
        let of_record =
            |record: CallLine| (record.tenant, record.from, record.to, Some(record.outcome), record.dial_result);
        let (tenant, from, to, outcome, dial_result) =
            row.map(of_row).or_else(|| record.map(of_record)).unwrap_or_default();
        let call = String::new();
        let (told, missing, path, now) = (false, None, Vec::new(), None);
        Self { call, tenant, from, to, state, outcome, dial_result, told, missing, path, now }
    }
}

/// Paths on a node's disk are for its own log.
fn word(fault: &PastFault) -> String {
    match fault {
        PastFault::NotKept { .. } => fault.to_string(),
        PastFault::Unreadable(_) => "the archive cannot be read here; this node's log says why".to_owned(),
    }
}

struct Names(Arc<Directory>);

impl Names {
    fn agent(&self, id: AgentId) -> String {
        self.0.agent(id).map_or_else(|| id.to_string(), |(_, agent)| agent.name.clone())
    }

    fn tenant(&self, id: TenantId) -> String {
        self.0.tenant(id).map_or_else(|| id.to_string(), |tenant| tenant.name.clone())
    }

    fn queue(&self, id: QueueId) -> String {
        self.0.queue_name(id).map_or_else(|| id.to_string(), str::to_owned)
    }

    fn campaign(&self, id: CampaignId) -> String {
        self.0.campaign_name(id)
    }
}
