//! Why a call went where it went: its path in time, what there was to choose from at each offer, and what it waits for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strowger_acd::{Candidate, Field};
use strowger_cluster::{Context, Directory, Plan, Step, Survey, What, stage_name};
use strowger_model::{AgentId, CallId, LogTime, QueueId};
use strowger_store::CallLine;
use strowger_table::{Call, Stage};

use crate::body::Named;
use crate::error::Problem;

#[derive(Serialize)]
pub struct Explained {
    call: String,
    tenant: String,
    from: String,
    to: String,
    /// The row's stage, or `ended`.
    state: &'static str,
    outcome: Option<String>,
    /// Whether this node saw the steps itself. Else the path is what row and record keep: no index, no reasons.
    told: bool,
    path: Vec<PathStep>,
    /// Why a waiting call still waits.
    now: Option<Reasons>,
}

#[derive(Serialize)]
struct PathStep {
    /// Log index.
    index: Option<u64>,
    /// Since the Unix epoch.
    at_ms: u64,
    /// Since it was admitted.
    after_ms: u64,
    what: &'static str,
    text: String,
    why: Option<Reasons>,
}

/// What the planner had to choose from.
#[derive(Serialize)]
struct Reasons {
    /// Log index of the state that the plan was made on.
    basis: u64,
    /// Of the state that this was computed on; another than the basis if that was gone here.
    computed_on: u64,
    /// From 1.
    place: Option<usize>,
    /// Idle agents, the longest idle first; the first of them, and all in number.
    candidates: Vec<Choice>,
    idle: usize,
    /// Agents of the queue who could take no call, by state.
    excluded: std::collections::BTreeMap<&'static str, usize>,
    /// The same in words.
    text: Vec<String>,
}

#[derive(Serialize)]
struct Choice {
    agent: String,
    idle_ms: u64,
    /// What the plan did with this agent: `chosen`, `for an earlier call`, or nothing.
    verdict: Option<&'static str>,
}

/// `GET /api/v1/calls/{id}/explain`
pub async fn one(State(context): State<Arc<Context>>, Named(id): Named<String>) -> Result<Json<Explained>, Problem> {
    let id = id.parse::<CallId>().map_err(|fault| Problem::bad_request(fault.to_string(), "correct the path"))?;
    let record = context.store.call(id).await?;
    let row = context.live_call(id).map(|state| state.call);
    let names = Names(context.directory());
    let story = context.story(id);
    let told = story.as_ref().is_some_and(|story| matches!(story[0].what, What::Admitted { .. }));
    let path = match (&story, &row, &record) {
        (Some(story), _, _) if told => path_of_story(&names, story),
        (_, Some(row), _) => path_of_row(&names, row),
        (_, None, Some(record)) => path_of_record(record),
        (_, None, None) => {
            let advice = "check the number; the record of a call that just ended may take a moment";
            return Err(Problem::not_found("no_such_call", format!("there is no call {id}"), advice));
        }
    };
    let now = context.why(id).map(|why| {
        let time = context.log_now(id.shard());
        Reasons::new(&names, (why.basis, why.basis, time), Some(why.ahead), &why.field, &|_| None)
    });
    let explained = Explained { call: id.to_string(), told, path, now, ..Explained::head(&names, row, record) };
    Ok(Json(explained))
}

impl Explained {
    fn head(names: &Names, row: Option<Arc<Call>>, record: Option<CallLine>) -> Self {
        let state = row.as_ref().map_or("ended", |row| stage_name(&row.stage));
        let of_row = |row: Arc<Call>| {
            let tenant =
                names.0.tenant(row.tenant).map_or_else(|| row.tenant.to_string(), |tenant| tenant.name.clone());
            let outcome = match row.stage {
                Stage::Ended { outcome, .. } => Some(outcome.as_str().to_owned()),
                _ => None,
            };
            (tenant, row.from.clone(), row.to.clone(), outcome)
        };
        let of_record = |record: CallLine| (record.tenant, record.from, record.to, Some(record.outcome));
        let (tenant, from, to, outcome) = row.map(of_row).or_else(|| record.map(of_record)).unwrap_or_default();
        let call = String::new();
        Self { call, tenant, from, to, state, outcome, told: false, path: Vec::new(), now: None }
    }
}

fn path_of_story(names: &Names, story: &[Step]) -> Vec<PathStep> {
    let begun = story[0].time;
    let mut agent = None;
    let step = |step: &Step| {
        let why = match &step.what {
            What::Offered { agent: chosen, plan } => {
                agent = Some(*chosen);
                reasons(names, *chosen, plan)
            }
            _ => None,
        };
        let (what, text) = words(names, &step.what, agent);
        PathStep {
            index: Some(step.index),
            at_ms: step.wall.0,
            after_ms: step.time.since(begun).as_millis() as u64,
            what,
            text,
            why,
        }
    };
    story.iter().map(step).collect()
}

fn words(names: &Names, what: &What, agent: Option<AgentId>) -> (&'static str, String) {
    let agent = agent.map_or_else(|| "an agent".to_owned(), |agent| names.agent(agent));
    match what {
        What::Admitted { owner } => ("admitted", format!("admitted; node {owner} drives it")),
        What::Answered { relay } => ("answered", format!("answered; media on relay {relay}")),
        What::Flow { step } => ("flow", format!("at step {step} of its flow")),
        What::Enqueued { queue } => ("enqueued", format!("waits in {}", names.queue(*queue))),
        What::Offered { agent: chosen, .. } => ("offered", format!("offered to {}", names.agent(*chosen))),
        What::Missed { miss } => {
            ("missed", format!("{agent} did not take it: SIP {}, cause {}; keeps its place", miss.status, miss.cause.0))
        }
        What::Connected => ("connected", format!("talks to {agent}")),
        What::Adopted { owner } => ("adopted", format!("its node was gone; node {owner} drives it now")),
        What::Expired => ("expired", "a deadline passed".to_owned()),
        What::Ended(ended) => ("ended", format!("ended by {}, cause {}", ended.by.as_str(), ended.cause.0)),
    }
}

fn reasons(names: &Names, chosen: AgentId, plan: &Plan) -> Option<Reasons> {
    let Survey { index, time, fields, ahead } = plan.survey.get()?;
    let at = plan.offers.iter().position(|offer| offer.agent == chosen)?;
    let field = fields.iter().find(|field| field.queue == plan.offers[at].queue)?;
    let verdict = |agent| match plan.offers.iter().position(|offer| offer.agent == agent) {
        Some(other) if other == at => Some("chosen"),
        Some(other) if other < at => Some("for an earlier call"),
        _ => None,
    };
    Some(Reasons::new(names, (plan.basis, *index, *time), ahead[at], field, &verdict))
}

impl Reasons {
    fn new(
        names: &Names,
        (basis, computed_on, time): (u64, u64, LogTime),
        ahead: Option<usize>,
        field: &Field,
        verdict: &dyn Fn(AgentId) -> Option<&'static str>,
    ) -> Self {
        let choice = |candidate: &Candidate| Choice {
            agent: names.agent(candidate.agent),
            idle_ms: time.since(candidate.idle_since).as_millis() as u64,
            verdict: verdict(candidate.agent),
        };
        let mut reasons = Self {
            basis,
            computed_on,
            place: ahead.map(|ahead| ahead + 1),
            candidates: field.candidates.iter().map(choice).collect(),
            idle: field.idle,
            excluded: field.excluded.iter().copied().collect(),
            text: Vec::new(),
        };
        reasons.text = reasons.words();
        reasons
    }

    fn words(&self) -> Vec<String> {
        let mut text = Vec::new();
        if let Some(place) = self.place {
            text.push(format!("place {place} among those who waited"));
        }
        if self.idle == 0 {
            text.push("no agent of the queue is idle".to_owned());
        } else {
            let choice = |choice: &Choice| {
                let verdict = choice.verdict.map_or(String::new(), |verdict| format!(", {verdict}"));
                format!("{} (idle {:.1} s{verdict})", choice.agent, choice.idle_ms as f64 / 1000.0)
            };
            let named: Vec<String> = self.candidates.iter().map(choice).collect();
            let more = self.idle - self.candidates.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.push(format!("longest idle first: {}{more}", named.join(", ")));
        }
        if !self.excluded.is_empty() {
            let counts: Vec<String> = self.excluded.iter().map(|(state, count)| format!("{count} {state}")).collect();
            text.push(format!("not free: {}", counts.join(", ")));
        }
        if self.computed_on != self.basis {
            text.push(format!("computed on index {}, while the basis was {}", self.computed_on, self.basis));
        }
        text
    }
}

/// What the row keeps: of its offers only the last.
fn path_of_row(names: &Names, row: &Call) -> Vec<PathStep> {
    let times = &row.times;
    let agent = row.agent.as_ref().map_or_else(|| "an agent".to_owned(), |leg| names.agent(leg.agent));
    let queue = row.queue.map_or_else(String::new, |queue| names.queue(queue));
    let steps = [
        (Some(times.admitted), "admitted", "admitted".to_owned()),
        (times.enqueued, "enqueued", format!("waits in {queue}")),
        (times.offered, "offered", format!("offered, for the last time of {}", row.offers)),
        (times.connected, "connected", format!("talks to {agent}")),
        (times.ended, "ended", "ended".to_owned()),
    ];
    let step = |(time, what, text): (Option<LogTime>, &'static str, String)| {
        let after_ms = time?.since(times.admitted).as_millis() as u64;
        let index = (what == "enqueued").then_some(row.order);
        Some(PathStep { index, at_ms: times.admitted_wall.0 + after_ms, after_ms, what, text, why: None })
    };
    steps.into_iter().filter_map(step).collect()
}

/// What the record keeps: spans, from which the moments follow back from its end.
fn path_of_record(record: &CallLine) -> Vec<PathStep> {
    let connected = record.talk_ms.map(|talk| record.total_ms.saturating_sub(talk));
    let left = connected.unwrap_or(record.total_ms);
    let agent = record.agent.as_deref().unwrap_or("an agent");
    let queue = record.queue.as_deref().unwrap_or_default();
    let steps = [
        (Some(0), "admitted", "admitted".to_owned()),
        (record.wait_ms.map(|wait| left.saturating_sub(wait)), "enqueued", format!("waits in {queue}")),
        (record.ring_ms.map(|ring| left.saturating_sub(ring)), "offered", format!("offered to {agent}")),
        (connected, "connected", format!("talks to {agent}")),
        (Some(record.total_ms), "ended", format!("ended by {}, cause {}", record.by, record.cause)),
    ];
    let step = |(after_ms, what, text): (Option<u64>, &'static str, String)| {
        let after_ms = after_ms?;
        Some(PathStep { index: None, at_ms: record.admitted_ms + after_ms, after_ms, what, text, why: None })
    };
    steps.into_iter().filter_map(step).collect()
}

struct Names(Arc<Directory>);

impl Names {
    fn agent(&self, id: AgentId) -> String {
        self.0.agent(id).map_or_else(|| id.to_string(), |(_, agent)| agent.name.clone())
    }

    fn queue(&self, id: QueueId) -> String {
        self.0.queue_name(id).map_or_else(|| id.to_string(), str::to_owned)
    }
}
