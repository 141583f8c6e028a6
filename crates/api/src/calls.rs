//! Calls that are over, from the records of this node; and one call, over or not.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use strowger_cluster::{Context, Directory};
use strowger_model::config::Tenant;
use strowger_model::{CallId, Outcome};
use strowger_store::{CallFilter, CallLine, limit};

use crate::body::{Named, Params};
use crate::caller::Asker;
use crate::error::Problem;
use crate::live::LiveCall;
use crate::when::moment;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
    outcome: Option<String>,
    queue: Option<String>,
    agent: Option<String>,
    campaign: Option<String>,
    from: Option<String>,
    to: Option<String>,
    sip_call_id: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    calls: Vec<CallLine>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<String>,
}

#[derive(Serialize)]
pub struct OneCall {
    /// None until it is over.
    record: Option<CallLine>,
    /// None when its row is gone, a minute after its end.
    live: Option<LiveCall>,
}

/// `GET /api/v1/calls`
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(mut asked): Params<Asked>,
) -> Result<Json<Page>, Problem> {
    asked.tenant = caller.narrowed(asked.tenant)?;
    let lines = asked.limit.unwrap_or(limit::LINES_DEFAULT);
    if !(1..=limit::LINES_MAX).contains(&lines) {
        let advice = format!("give 1 to {}, and `after` for the next page", limit::LINES_MAX);
        return Err(Problem::bad_request(format!("`limit` is {lines}"), advice));
    }
    let nobody = nobody(&context.directory(), &asked);
    let calls = context.store.calls(filter(asked, lines)?).await?;
    if let Some(nobody) = nobody.filter(|_| calls.is_empty()) {
        return Err(nobody);
    }
    let is_full = calls.len() == lines as usize;
    let next = calls.last().filter(|_| is_full).map(|line| line.place.to_string());
    Ok(Json(Page { calls, next }))
}

/// Whether a tenant has something of that name.
type Has<'a> = &'a dyn Fn(&Tenant, &str) -> bool;

/// What is asked for and not configured: where no record has it either, it was mistyped, and an empty page would say
/// that there were no such calls. Records keep the names of what has left the configuration.
fn nobody(directory: &Directory, asked: &Asked) -> Option<Problem> {
    let of = |tenant: &Tenant| asked.tenant.as_ref().is_none_or(|name| tenant.name == *name);
    let tenants: Vec<_> = directory.tenants().filter(|tenant| of(tenant)).collect();
    if let Some(name) = asked.tenant.as_ref().filter(|_| tenants.is_empty()) {
        return Some(Problem::no_such_tenant(name));
    }
    let queue = |tenant: &Tenant, name: &str| tenant.queues.iter().any(|queue| queue.name == name);
    let agent = |tenant: &Tenant, name: &str| tenant.agents.iter().any(|agent| agent.name == name);
    let campaign = |tenant: &Tenant, name: &str| tenant.campaigns.iter().any(|campaign| campaign.name == name);
    let kinds: [(_, _, _, Has<'_>); 3] = [
        ("no_such_queue", "queue", &asked.queue, &queue),
        ("no_such_agent", "agent", &asked.agent, &agent),
        ("no_such_campaign", "campaign", &asked.campaign, &campaign),
    ];
    kinds.into_iter().find_map(|(code, kind, name, has)| {
        let name = name.as_ref().filter(|name| !tenants.iter().any(|tenant| has(tenant, name)))?;
        let what = match &asked.tenant {
            Some(tenant) => format!("tenant {tenant} has no {kind} `{name}`, and no record names one"),
            None => format!("no tenant has a {kind} `{name}`, and no record names one"),
        };
        Some(Problem::not_found(code, what, "check the name; the configuration in force has the names there are"))
    })
}

/// A `+` that was not escaped comes as a blank, and no number has one.
fn number(text: String) -> String {
    match text.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => text,
    }
}

fn filter(asked: Asked, lines: u32) -> Result<CallFilter, Problem> {
    let outcome = asked.outcome.as_deref().map(outcome).transpose()?;
    let after = asked.after.as_deref().map(str::parse).transpose();
    let after = after.map_err(|fault: strowger_store::NotAPlace| {
        Problem::bad_request(fault.to_string(), "leave `after` out for the first page")
    })?;
    Ok(CallFilter {
        tenant: asked.tenant,
        outcome,
        queue: asked.queue,
        agent: asked.agent,
        campaign: asked.campaign,
        from: asked.from.map(number),
        to: asked.to.map(number),
        sip_call_id: asked.sip_call_id,
        since_ms: moment("since", asked.since)?,
        until_ms: moment("until", asked.until)?,
        limit: Some(lines),
        after,
    })
}

fn outcome(text: &str) -> Result<Outcome, Problem> {
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        Problem::bad_request(format!("`{text}` is no outcome"), format!("give one of {}", names.join(", ")))
    })
}

/// `GET /api/v1/calls/{id}`
pub async fn one(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Named(id): Named<String>,
) -> Result<Json<OneCall>, Problem> {
    let id = read_id(&id)?;
    let record = context.store.call(id).await?.filter(|record| caller.sees(&record.tenant));
    let live = LiveCall::find(&context, id).filter(|live| caller.sees(live.tenant()));
    if record.is_none() && live.is_none() {
        return Err(no_such_call(id));
    }
    Ok(Json(OneCall { record, live }))
}

pub fn read_id(text: &str) -> Result<CallId, Problem> {
    text.parse()
        .map_err(|fault: strowger_model::NotACallId| Problem::bad_request(fault.to_string(), "correct the path"))
}

/// Another tenant's is not there either, for who has a token of one.
pub fn no_such_call(id: CallId) -> Problem {
    let advice = "check the number; the record of a call that just ended may take a moment";
    Problem::not_found("no_such_call", format!("there is no call {id}"), advice)
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;

    use super::*;

    /// Who types a number types its plus sign, which in a query is a blank: the list was empty then.
    #[test]
    fn a_bare_plus_in_a_query_is_a_plus() {
        for (query, from, to) in [
            ("from=+493012345678", Some("+493012345678"), None),
            ("from=%2B493012345678&to=+4989", Some("+493012345678"), Some("+4989")),
            ("from=%20493012345678", Some("+493012345678"), None),
            ("from=030123&to=alice", Some("030123"), Some("alice")),
        ] {
            let uri = format!("/api/v1/calls?{query}").parse().unwrap();
            let Query(asked) = Query::<Asked>::try_from_uri(&uri).unwrap();
            let filter = filter(asked, 1).unwrap_or_else(|_| panic!("{query} is refused"));
            assert_eq!((filter.from.as_deref(), filter.to.as_deref()), (from, to), "{query}");
        }
    }
}
