//! One shard in sums: what status, wallboard and metrics are all made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use strowger_model::config::{Queue, Tenant};
use strowger_model::{LogTime, QueueId, ShardId, TenantId};
use strowger_table::{Agent, Call, Place, Shard};

const US_PER_MS: u64 = 1000;
/// "Stuck" is a lease this long past its deadline.
const STUCK_GRACE: Duration = Duration::from_secs(1);

/// How many there are of each, by name.
pub type Counts = BTreeMap<&'static str, usize>;

/// A queue now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueStatus {
    /// Which.
    pub queue: QueueId,
    /// Name of its tenant.
    pub tenant: String,
    /// Its own.
    pub name: String,
    /// Callers who wait to be offered.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub longest_wait: Duration,
    /// Called parties who answered and wait to be offered again.
    pub called_waiting: usize,
    /// Agents free for an offer from it.
    pub idle: usize,
    /// Its agents who are not logged out.
    pub staffed: usize,
    /// A call answered within this time counts into the service level.
    pub service_level_ms: u32,
    /// Callers who are not gone yet.
    pub visits: Visits,
}

/// Callers of a queue who are not gone yet, by what became of their visit to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Visits {
    /// They talk to an agent.
    pub served: usize,
    /// They left the queue by rule and go on in their flow.
    pub left: usize,
    /// They hold a place, offered or not.
    pub open: usize,
    /// Of those, for longer than the queue's service level allows.
    pub late: usize,
}

/// What a tenant's agents and calls do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TenantFigures {
    /// Which.
    #[serde(skip)]
    pub id: TenantId,
    /// Its name; its id once it has left the configuration.
    pub tenant: String,
    /// By state.
    pub agents: Counts,
    /// By stage; `ended` are rows kept for what comes late.
    pub calls: Counts,
    /// Of those, calls to people who are called; the others are callers'.
    pub called: Counts,
}

/// One shard in sums.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardSums {
    /// Which.
    pub shard: ShardId,
    /// Those that have agents or calls.
    pub tenants: BTreeMap<TenantId, TenantFigures>,
    /// Those of the configuration in force.
    pub queues: Vec<QueueStatus>,
    /// Leases past their deadline, by kind of row; must be empty.
    pub stuck: Counts,
}

impl ShardSums {
    /// `now` is log time: waits and overdue leases are measured up to it.
    pub fn new(table: &Shard, now: LogTime) -> Self {
        let mut sums = Self { shard: table.id(), tenants: BTreeMap::new(), queues: Vec::new(), stuck: Counts::new() };
        for agent in table.agents() {
            *sums.tenant(table, agent.tenant).agents.entry(agent.state_name()).or_default() += 1;
        }
        let mut visits = BTreeMap::new();
        for call in table.calls() {
            let tenant = sums.tenant(table, call.tenant);
            *tenant.calls.entry(call.stage_name()).or_default() += 1;
            if call.outbound().is_some() {
                *tenant.called.entry(call.stage_name()).or_default() += 1;
            } else {
                count_visit(&mut visits, table, call, now);
            }
        }
        for key in table.overdue(now, STUCK_GRACE) {
            *sums.stuck.entry(key.kind()).or_default() += 1;
        }
        for tenant in table.tenants() {
            let status = |queue| QueueStatus::new(table, now, tenant, queue, &visits);
            sums.queues.extend(tenant.queues.iter().map(status));
        }
        sums
    }

    /// A tenant that left the configuration keeps the rows of its last calls.
    fn tenant(&mut self, table: &Shard, id: TenantId) -> &mut TenantFigures {
        self.tenants.entry(id).or_insert_with(|| TenantFigures {
            id,
            tenant: table.tenant(id).map_or_else(|| id.to_string(), |tenant| tenant.name.clone()),
            agents: Counts::new(),
            calls: Counts::new(),
            called: Counts::new(),
        })
    }

    /// Agents of all tenants, by state.
    pub fn agents(&self) -> Counts {
        let mut all = Counts::new();
        self.tenants.values().for_each(|tenant| add(&mut all, &tenant.agents));
        all
    }

    /// Calls of all tenants, by stage.
    pub fn calls(&self) -> Counts {
        let mut all = Counts::new();
        self.tenants.values().for_each(|tenant| add(&mut all, &tenant.calls));
        all
    }
}

impl QueueStatus {
    fn new(table: &Shard, now: LogTime, tenant: &Tenant, queue: &Queue, visits: &BTreeMap<QueueId, Visits>) -> Self {
        let is_called = |place: &&Arc<Place>| {
            place.call.and_then(|call| table.call(call)).is_some_and(|call| call.outbound().is_some())
        };
        let (called, callers): (Vec<_>, Vec<_>) = table.waiting(queue.id).partition(is_called);
        let first = callers.first().map(|place| place.since);
        let staff = || Agent::STATE_NAMES.into_iter().zip(table.staff(queue.id));
        let of_staff = |is: fn(&str) -> bool| staff().filter(|(state, _)| is(state)).map(|(_, agents)| agents).sum();
        Self {
            queue: queue.id,
            tenant: tenant.name.clone(),
            name: queue.name.clone(),
            waiting: callers.len(),
            called_waiting: called.len(),
            longest_wait: first.map_or(Duration::ZERO, |first| now.since(first)),
            idle: of_staff(|state| state == Agent::IDLE),
            staffed: of_staff(|state| state != Agent::LOGGED_OUT),
            service_level_ms: queue.service_level_ms,
            visits: visits.get(&queue.id).copied().unwrap_or_default(),
        }
    }
}

/// Of a caller: who was called has not come to a queue.
fn count_visit(visits: &mut BTreeMap<QueueId, Visits>, table: &Shard, call: &Call, now: LogTime) {
    let Some(queue) = call.queue().filter(|_| !call.is_over()) else { return };
    let visits = visits.entry(queue).or_default();
    if call.holds_place() {
        visits.open += 1;
        let allowed = table.tenant(call.tenant).and_then(|tenant| tenant.queue(queue));
        let allowed_us = allowed.map_or(u64::MAX, |queue| u64::from(queue.service_level_ms) * US_PER_MS);
        visits.late += usize::from(call.wait().is_some_and(|wait| wait.micros(now) > allowed_us));
    } else if call.is_served() {
        visits.served += 1;
    } else {
        visits.left += 1;
    }
}

pub(crate) fn add(sum: &mut Counts, more: &Counts) {
    more.iter().for_each(|(name, count)| *sum.entry(name).or_default() += count);
}
