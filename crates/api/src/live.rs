//! Calls that live, as the routing table has them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use strowger_cluster::{Context, Directory};
use strowger_model::config::StepNo;
use strowger_model::{AgentId, CallId, Dialog, DialogState, LogTime, NodeId, QueueId};
use strowger_table::{Call, DutyKind, LegRole, Rank, Reach, SegmentKind, Shard};

use crate::body::Params;
use crate::caller::Asker;
use crate::error::Problem;
use crate::limit;

/// The row of a call.
#[derive(Serialize)]
pub struct LiveCall {
    call: String,
    tenant: String,
    /// `inbound` or `outbound`.
    direction: &'static str,
    from: String,
    to: String,
    stage: &'static str,
    /// Number of the flow's step, while in the flow.
    step: Option<StepNo>,
    /// Once ended.
    outcome: Option<&'static str>,
    queue: Option<String>,
    /// From 1; the place is kept while an agent's phone rings.
    place: Option<usize>,
    wait_ms: Option<u64>,
    age_ms: u64,
    agent: Option<String>,
    /// The agent who is kept for the answer of the called party.
    reserved: Option<String>,
    /// Of an outbound call.
    campaign: Option<String>,
    lead: Option<String>,
    dial_result: Option<&'static str>,
    offers: u16,
    owner: Owner,
    legs: Vec<Leg>,
    duties: Vec<Duty>,
}

#[derive(Serialize)]
struct Owner {
    node: NodeId,
    incarnation: String,
}

#[derive(Serialize)]
struct Leg {
    leg: u16,
    /// The call that it began in, if it came from another; its number is of that one.
    born_in: Option<String>,
    /// `caller`, `called`, `agent`, `party`, `supervisor`, `step`, or `leaving`: one of the others that is being told to
    /// go.
    kind: &'static str,
    agent: Option<String>,
    /// `ringing` until the phone has answered, then that of the SIP dialog.
    state: &'static str,
    sip_call_id: Option<String>,
    far_end: String,
    relay: Option<String>,
}

#[derive(Serialize)]
struct Duty {
    duty: u32,
    kind: &'static str,
    leg: Option<u16>,
    left_ms: u64,
}

impl LiveCall {
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    pub fn find(context: &Context, id: CallId) -> Option<Self> {
        let view = context.shard_view(id.shard())?;
        let table = view.machine.shard()?;
        let directory = context.directory();
        Some(Self::of(table.call(id)?, &directory, view.log_now().at_least, &mut Places::of(table)))
    }

    fn of(call: &Call, directory: &Directory, now: LogTime, places: &mut Places<'_>) -> Self {
        let times = &call.times;
        let queue = |id: QueueId| directory.queue_name(id).map_or_else(|| id.to_string(), str::to_owned);
        let outbound = call.outbound();
        Self {
            call: call.id.to_string(),
            tenant: directory.tenant(call.tenant).map_or_else(|| call.tenant.to_string(), |tenant| tenant.name.clone()),
            direction: if outbound.is_some() { "outbound" } else { "inbound" },
            from: call.from().to_owned(),
            to: call.to().to_owned(),
            stage: call.stage_name(),
            step: call.flow_step(),
            outcome: call.outcome().map(|outcome| outcome.as_str()),
            queue: call.queue().map(queue),
            place: places.of_call(call),
            wait_ms: call.wait().map(|wait| wait.micros(now) / 1000),
            age_ms: times.ended.unwrap_or(now).since(times.admitted).as_millis() as u64,
            agent: agent_of(call).map(|agent| agent_name(directory, agent)),
            reserved: call.reserved_agent().map(|agent| agent_name(directory, agent)),
            campaign: outbound.map(|outbound| directory.campaign_name(outbound.campaign)),
            lead: outbound.and_then(|outbound| Some(outbound.lead?.to_string())),
            dial_result: call.dial_result().map(|result| result.as_str()),
            offers: call.offers(),
            owner: Owner { node: call.owner.node, incarnation: call.owner.incarnation.0.to_string() },
            legs: call.legs.iter().map(|leg| Leg::of(call, leg, places.table, directory)).collect(),
            duties: call.duties.iter().map(|duty| Duty::of(duty, now)).collect(),
        }
    }
}

/// Who is rung for it, or talks; of a call that is over, who talked last.
fn agent_of(call: &Call) -> Option<AgentId> {
    let talked = || call.segments.iter().rev().find(|piece| piece.kind == SegmentKind::Talk)?.agent;
    call.agent_leg().and_then(strowger_table::Leg::agent).or_else(talked)
}

impl Leg {
    fn of(call: &Call, leg: &strowger_table::Leg, table: &Shard, directory: &Directory) -> Self {
        let dialog = table.dialog(leg.key);
        let to_be_reached = match &leg.reach {
            Reach::Binding { far, .. } | Reach::Trunk { destination: far, .. } => Some(*far),
            Reach::Inbound | Reach::Socket { .. } => None,
        };
        let far = dialog.map(|dialog| dialog.far).or(to_be_reached);
        Self {
            leg: leg.key.leg.0,
            born_in: Some(leg.key.call).filter(|born| *born != call.id).map(|born| born.to_string()),
            kind: leg_kind(call, leg),
            agent: leg.agent().map(|agent| agent_name(directory, agent)),
            state: dialog.map_or("ringing", |dialog| dialog_state(dialog)),
            sip_call_id: dialog.map(|dialog| dialog.call_id.clone()),
            far_end: far.map(|far| far.addr.to_string()).unwrap_or_default(),
            relay: leg.relay.map(|relay| relay.to_string()),
        }
    }
}

fn leg_kind(call: &Call, leg: &strowger_table::Leg) -> &'static str {
    match leg.role {
        LegRole::Customer if call.outbound().is_some() => "called",
        LegRole::Customer => "caller",
        _ if leg.is_releasing() => "leaving",
        LegRole::Agent(..) => "agent",
        LegRole::Party => "party",
        LegRole::Supervisor { .. } => "supervisor",
        LegRole::Step => "step",
    }
}

impl Duty {
    fn of(duty: &strowger_table::Duty, now: LogTime) -> Self {
        let (kind, leg) = match duty.kind {
            DutyKind::Answer { leg } => ("answer", Some(leg)),
            DutyKind::Originate { leg } => ("originate", Some(leg)),
            DutyKind::Ring { leg } => ("ring", Some(leg)),
            DutyKind::HangUp { leg } => ("hang_up", Some(leg)),
            DutyKind::Close { leg, .. } => ("close_media", Some(leg)),
            DutyKind::Notify { leg } => ("notify", Some(leg)),
            DutyKind::Seal { .. } => ("seal", None),
        };
        let leg = leg.map(|leg| leg.leg.0);
        Self { duty: duty.id, kind, leg, left_ms: duty.until.since(now).as_millis() as u64 }
    }
}

/// Places in queues: each queue is walked once, however many of its calls are shown.
struct Places<'a> {
    table: &'a Shard,
    ranks: HashMap<QueueId, Vec<Rank>>,
}

impl<'a> Places<'a> {
    fn of(table: &'a Shard) -> Self {
        Self { table, ranks: HashMap::new() }
    }

    /// From 1.
    fn of_call(&mut self, call: &Call) -> Option<usize> {
        let place = self.table.place_of(call.id).filter(|place| place.is_in_queue())?;
        let walk = || self.table.waiting(place.queue).map(|place| place.rank).collect();
        let ranks = self.ranks.entry(place.queue).or_insert_with(walk);
        Some(ranks.partition_point(|other| *other < place.rank) + 1)
    }
}

fn agent_name(directory: &Directory, id: AgentId) -> String {
    directory.agent(id).map_or_else(|| id.to_string(), |(_, agent)| agent.name.clone())
}

fn dialog_state(dialog: &Dialog) -> &'static str {
    match dialog.state {
        DialogState::Early => "early",
        DialogState::Confirmed => "confirmed",
        DialogState::Ended => "ended",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
    stage: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub struct LiveCalls {
    calls: Vec<LiveCall>,
    /// How many there are, shown or not.
    total: usize,
}

/// `GET /api/v1/calls/live`: the rows of ended calls, kept for late repeats, only when asked for.
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<LiveCalls>, Problem> {
    let most = asked.limit.unwrap_or(limit::LIVE_DEFAULT);
    if !(1..=limit::LIVE_MAX).contains(&most) {
        let advice = format!("give 1 to {}", limit::LIVE_MAX);
        return Err(Problem::bad_request(format!("`limit` is {most}"), advice));
    }
    if let Some(stage) = asked.stage.as_deref().filter(|stage| !Call::STAGE_NAMES.contains(stage)) {
        let advice = format!("give one of {}", Call::STAGE_NAMES.join(", "));
        return Err(Problem::bad_request(format!("`{stage}` is no stage"), advice));
    }
    let directory = context.directory();
    let tenant = match &caller.narrowed(asked.tenant)? {
        Some(name) => Some(directory.tenant_named(name).ok_or_else(|| Problem::no_such_tenant(name))?.id),
        None => None,
    };
    let is_asked_for = |call: &Call| {
        let stage = call.stage_name();
        tenant.is_none_or(|tenant| call.tenant == tenant)
            && asked.stage.as_deref().map_or(!call.is_over(), |asked| asked == stage)
    };
    let mut answer = LiveCalls { calls: Vec::new(), total: 0 };
    for shard in context.shards() {
        let Some(view) = context.shard_view(shard) else { continue };
        let Some(table) = view.machine.shard() else { continue };
        let (now, mut places) = (view.log_now().at_least, Places::of(table));
        for call in table.calls().filter(|call| is_asked_for(call)) {
            answer.total += 1;
            if answer.calls.len() < most {
                answer.calls.push(LiveCall::of(call, &directory, now, &mut places));
            }
        }
    }
    Ok(Json(answer))
}
