//! One shard in figures: what status, wallboard and metrics are all made of, so that they cannot differ.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::{Queue, Tenant};
use strowger_model::{LogTime, QueueId, TenantId};
use strowger_table::{AgentState, LeaseKey, Shard, Stage};

/// "Stuck" is a lease this long past its deadline.
const STUCK_GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct QueueLine {
    pub queue: QueueId,
    pub tenant: String,
    pub name: String,
    pub waiting: usize,
    pub longest_wait: Duration,
    pub idle: usize,
    pub service_level_ms: u32,
}

/// What a tenant's agents and calls do.
#[derive(Clone, Debug)]
pub struct TenantLine {
    pub tenant: String,
    pub agents: BTreeMap<&'static str, usize>,
    pub calls: BTreeMap<&'static str, usize>,
}

/// A stage's name in figures.
pub fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Admitted => "admitted",
        Stage::Flow { .. } => "flow",
        Stage::Dialling { .. } => "dialling",
        Stage::Queued => "queued",
        Stage::Offered { .. } => "offered",
        Stage::Talking => "talking",
        Stage::Ended { .. } => "ended",
    }
}

pub(crate) const STAGES: [&str; 7] = ["admitted", "flow", "dialling", "queued", "offered", "talking", "ended"];

/// One shard in figures.
#[derive(Default)]
pub(crate) struct ShardSums {
    pub tenants: BTreeMap<TenantId, TenantLine>,
    pub queues: Vec<QueueLine>,
    pub stuck_calls: usize,
    pub stuck_agents: usize,
}

impl ShardSums {
    pub fn new(table: &Shard, now: LogTime) -> Self {
        let mut sums = Self::default();
        for agent in table.agents() {
            *sums.tenant(table, agent.tenant).agents.entry(agent.state.as_str()).or_default() += 1;
        }
        for call in table.calls() {
            *sums.tenant(table, call.tenant).calls.entry(stage_name(&call.stage)).or_default() += 1;
        }
        for key in table.overdue(now, STUCK_GRACE) {
            match key {
                LeaseKey::Call(_) => sums.stuck_calls += 1,
                LeaseKey::Agent(_) => sums.stuck_agents += 1,
                LeaseKey::Parts(_) | LeaseKey::Queue(_) => {}
            }
        }
        for tenant in table.tenants() {
            sums.queues.extend(tenant.queues.iter().map(|queue| queue_line(table, now, tenant, queue)));
        }
        sums
    }

    /// A tenant that left the configuration keeps the rows of its last calls.
    fn tenant(&mut self, table: &Shard, id: TenantId) -> &mut TenantLine {
        self.tenants.entry(id).or_insert_with(|| TenantLine {
            tenant: table.tenant(id).map_or_else(|| id.to_string(), |tenant| tenant.name.clone()),
            agents: BTreeMap::new(),
            calls: BTreeMap::new(),
        })
    }

    pub fn agents(&self) -> BTreeMap<&'static str, usize> {
        let mut all = BTreeMap::new();
        self.tenants.values().for_each(|tenant| add(&mut all, &tenant.agents));
        all
    }

    pub fn calls(&self) -> BTreeMap<&'static str, usize> {
        let mut all = BTreeMap::new();
        self.tenants.values().for_each(|tenant| add(&mut all, &tenant.calls));
        all
    }
}

fn queue_line(table: &Shard, now: LogTime, tenant: &Tenant, queue: &Queue) -> QueueLine {
    let first = table.waiting(queue.id).next().and_then(|(_, call)| table.call(call)?.times.enqueued);
    QueueLine {
        queue: queue.id,
        tenant: tenant.name.clone(),
        name: queue.name.clone(),
        waiting: table.waiting_length(queue.id),
        longest_wait: first.map_or(Duration::ZERO, |first| now.since(first)),
        idle: table.staff(queue.id)[AgentState::Idle.index()],
        service_level_ms: queue.service_level_ms,
    }
}

pub(crate) fn add(sum: &mut BTreeMap<&'static str, usize>, more: &BTreeMap<&'static str, usize>) {
    more.iter().for_each(|(name, count)| *sum.entry(name).or_default() += count);
}

pub(crate) fn count(counts: &BTreeMap<&'static str, usize>, name: &str) -> usize {
    counts.get(name).copied().unwrap_or_default()
}

/// Written here and not kept as gauges: a queue that leaves the configuration must leave the text too.
pub(crate) fn queue_text(queues: &[QueueLine]) -> String {
    type Value = fn(&QueueLine) -> f64;
    let figures: [(&str, &str, Value); 3] = [
        ("strowger_queue_waiting", "Calls that wait to be offered.", |line| line.waiting as f64),
        ("strowger_queue_longest_wait_seconds", "How long the first of them has waited.", |line| {
            line.longest_wait.as_secs_f64()
        }),
        ("strowger_queue_idle_agents", "Agents free for an offer from the queue.", |line| line.idle as f64),
    ];
    let mut text = String::new();
    for (name, help, value) in figures {
        text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        for line in queues {
            // Configured names have no quotes and no backslashes.
            text += &format!("{name}{{tenant=\"{}\",queue=\"{}\"}} {}\n", line.tenant, line.name, value(line));
        }
    }
    text
}
