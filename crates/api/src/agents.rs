//! Agents: what they are doing, and the commands that they or their supervisors give.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, Refused};
use strowger_model::config::Tenant;
use strowger_model::{AgentId, CallId, LogTime};
use strowger_table::{Agent, Command, Presence, Refusal};

use crate::body::{Body, Named, Params};
use crate::caller::Asker;
use crate::error::Problem;
use crate::limit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
}

#[derive(Serialize)]
pub struct Agents {
    agents: Vec<AgentRow>,
}

#[derive(Serialize)]
struct AgentRow {
    tenant: String,
    name: String,
    state: &'static str,
    /// How long in this state.
    for_ms: u64,
    /// Why not ready, or why not ready after the work at hand.
    reason: Option<String>,
    /// The call that rings, talks or is being wrapped up.
    call: Option<String>,
    queues: Vec<String>,
    /// Where the phone is that is rung.
    contact: Option<String>,
    misses: u16,
    answered: u64,
}

/// `GET /api/v1/agents`
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Agents>, Problem> {
    let directory = context.directory();
    let mut tenants: Vec<&Arc<Tenant>> = match &caller.narrowed(asked.tenant)? {
        Some(name) => vec![directory.tenant_named(name).ok_or_else(|| Problem::no_such_tenant(name))?],
        None => directory.tenants().collect(),
    };
    tenants.sort_by(|a, b| a.name.cmp(&b.name));
    let rows = tenants.into_iter().flat_map(|tenant| rows(&context, tenant)).collect();
    Ok(Json(Agents { agents: rows }))
}

fn rows(context: &Context, tenant: &Tenant) -> Vec<AgentRow> {
    let Some(view) = context.shard_view(tenant.shard) else { return Vec::new() };
    let Some(table) = view.machine.shard() else { return Vec::new() };
    let now = view.log_now().at_least;
    // An agent that the shard has not taken over yet is not there yet.
    tenant.agents.iter().filter_map(|agent| Some(row(table.agent(agent.id)?, tenant, now))).collect()
}

fn row(agent: &Agent, tenant: &Tenant, now: LogTime) -> AgentRow {
    AgentRow {
        tenant: tenant.name.clone(),
        name: agent.name.clone(),
        state: agent.state_name(),
        for_ms: now.since(agent.state_since()).as_millis() as u64,
        reason: agent.reason().map(str::to_owned),
        call: agent.call().or(agent.wrapping()).map(|call| call.to_string()),
        queues: agent.queues.iter().filter_map(|id| Some(tenant.queue(*id)?.name.clone())).collect(),
        contact: agent.phone().map(|phone| phone.uri.clone()),
        misses: agent.misses,
        answered: agent.answered,
    }
}

/// Who is meant by a path.
pub type Who = Named<(String, String)>;

#[derive(Serialize)]
pub struct Taken {
    /// Committed. Whether it takes effect at once or after the work at hand, the agent's state says.
    committed: bool,
}

/// `POST /api/v1/agents/{tenant}/{name}/ready`
pub async fn ready(State(context): State<Arc<Context>>, Named(who): Who) -> Result<Json<Taken>, Problem> {
    let agent = find(&context, &who)?;
    give(&context, agent, Command::Presence { agent, presence: Presence::Ready }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

/// `POST /api/v1/agents/{tenant}/{name}/not-ready`
pub async fn not_ready(
    State(context): State<Arc<Context>>,
    Named(who): Who,
    Body(body): Body<Reason>,
) -> Result<Json<Taken>, Problem> {
    let agent = find(&context, &who)?;
    let reason = word("reason", body.reason)?;
    give(&context, agent, Command::Presence { agent, presence: Presence::NotReady { reason } }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    call: String,
    code: String,
}

/// `POST /api/v1/agents/{tenant}/{name}/dispose`
pub async fn dispose(
    State(context): State<Arc<Context>>,
    Named(who): Who,
    Body(body): Body<Disposition>,
) -> Result<Json<Taken>, Problem> {
    let agent = find(&context, &who)?;
    let call =
        body.call.parse::<CallId>().map_err(|fault| Problem::bad_request(fault.to_string(), "correct `call`"))?;
    let code = word("code", body.code)?;
    match context.agent_command(agent, Command::Dispose { agent, call, code }).await {
        Ok(_) => Ok(Json(Taken { committed: true })),
        Err(refused) => Err(not_disposed(refused, &who)),
    }
}

fn not_disposed(refused: Refused, (_, agent): &(String, String)) -> Problem {
    let within = strowger_table::limit::ENDED_LINGER.as_secs();
    match refused {
        Refused::ByTable(Refusal::WrongStage) => {
            let what = format!("agent {agent} does not talk in that call, and has not: too early, or another's");
            Problem::new(StatusCode::CONFLICT, "wrong_stage", what, "give the code once the agent talks, or after that")
        }
        Refused::ByTable(Refusal::NoSuchCall) => {
            let what = format!("that call is over for more than {within} s, or never was: too late for a code");
            Problem::not_found("no_such_call", what, format!("give the code until {within} s after the wrap-up"))
        }
        other => other.into(),
    }
}

async fn give(context: &Context, agent: AgentId, command: Command) -> Result<Json<Taken>, Problem> {
    context.agent_command(agent, command).await?;
    Ok(Json(Taken { committed: true }))
}

pub fn find(context: &Context, (tenant, name): &(String, String)) -> Result<AgentId, Problem> {
    let directory = context.directory();
    let found = directory.tenant_named(tenant).ok_or_else(|| Problem::no_such_tenant(tenant))?;
    let agent = found.agents.iter().find(|agent| agent.name == *name).ok_or_else(|| {
        let advice = format!("see GET /api/v1/agents?tenant={tenant}");
        Problem::not_found("no_such_agent", format!("tenant {tenant} has no agent `{name}`"), advice)
    })?;
    Ok(agent.id)
}

/// These texts stay in the log and in records, so they must be short and print in one line.
fn word(field: &str, text: String) -> Result<String, Problem> {
    let length = text.chars().count();
    if (1..=limit::WORD).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let advice = format!("give 1 to {} characters in one line", limit::WORD);
    Err(Problem::bad_request(format!("`{field}` is empty, too long or has control characters"), advice))
}
