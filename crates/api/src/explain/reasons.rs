//! What there was to choose from, and why it was chosen so.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_acd::{Candidate, Field};
use strowger_figures::{Candidates, Dialled, Plan};
use strowger_model::{AgentId, LogTime, Wall};
use strowger_store::rfc3339;

use super::Names;

#[derive(Serialize)]
#[serde(untagged)]
pub enum Why {
    Offer(Reasons),
    Dial(DialReasons),
}

/// What the planner had to choose from.
#[derive(Serialize)]
pub struct Reasons {
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
    excluded: BTreeMap<&'static str, usize>,
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

pub fn reasons(names: &Names, chosen: AgentId, plan: &Plan) -> Option<Reasons> {
    let Candidates { index, time, fields, ahead } = plan.candidates.get()?;
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
    pub fn new(
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

/// Why a campaign called whom it called, for whom.
#[derive(Serialize)]
pub struct DialReasons {
    /// Since when the lead waited for its turn: RFC 3339, UTC.
    due: Option<String>,
    due_for_ms: Option<u64>,
    /// Calls to the lead before this one.
    attempts: u8,
    zone: Option<String>,
    /// How long the agent had been idle.
    idle_ms: Option<u64>,
    /// The same in words.
    text: Vec<String>,
}

impl DialReasons {
    /// None when an agent asked for the call: that is the reason.
    pub fn new(names: &Names, dialled: &Dialled, now: Wall) -> Option<Self> {
        dialled.lead.filter(|_| !dialled.asked)?;
        let mut reasons = Self {
            due: dialled.due.map(|due| rfc3339(due.0)),
            due_for_ms: dialled.due.map(|due| now.0.saturating_sub(due.0)),
            attempts: dialled.attempts,
            zone: dialled.zone.clone(),
            idle_ms: dialled.idle.map(|idle| idle.as_millis() as u64),
            text: Vec::new(),
        };
        reasons.text = reasons.words(&names.agent(dialled.agent));
        Some(reasons)
    }

    fn words(&self, agent: &str) -> Vec<String> {
        let mut text = Vec::new();
        if let (Some(due), Some(for_ms), Some(zone)) = (&self.due, self.due_for_ms, &self.zone) {
            let waited = for_ms as f64 / 1000.0;
            text.push(format!(
                "this lead: the longest due of the zones that are open, since {due} ({waited:.1} s), in {zone}"
            ));
            text.push(match self.attempts {
                0 => "its first call".to_owned(),
                attempts => format!("called {attempts} times before"),
            });
        }
        if let Some(idle) = self.idle_ms {
            text.push(format!(
                "this agent: {agent} had been idle longest of the queue ({:.1} s), and no caller waited",
                idle as f64 / 1000.0
            ));
        }
        text
    }
}
