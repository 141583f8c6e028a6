//! What the API may ask of a node: the state of things, and the few commands people give.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use strowger_model::config::{Tenant, Trunk};
use strowger_model::{AgentId, CallId, Digest, GroupId, LogTime, NodeId, QueueId, ShardId};
use strowger_table::{AgentState, Call, Command, ControlCommand, LeaseKey, Outcome, Shard, Stage};

use crate::context::{Context, Refused, shard_of};

/// "Stuck" is a lease this long past its deadline.
const STUCK_GRACE: Duration = Duration::from_secs(1);
const COMMIT: Duration = Duration::from_secs(5);

/// The cluster at a glance.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub nodes: Vec<NodeLine>,
    pub groups: Vec<GroupLine>,
    pub relays: Vec<(String, bool)>,
    pub queues: Vec<QueueLine>,
    pub agents: BTreeMap<&'static str, usize>,
    pub calls: BTreeMap<&'static str, usize>,
    pub stuck: usize,
    pub config_version: u64,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub struct NodeLine {
    pub node: NodeId,
    pub up: bool,
    pub incarnation: u64,
    pub connected: bool,
}

#[derive(Clone, Debug)]
pub struct GroupLine {
    pub group: GroupId,
    pub leader: Option<NodeId>,
    pub term: u64,
    pub applied: u64,
    pub hash: u64,
    pub lag: BTreeMap<NodeId, Option<u64>>,
}

#[derive(Clone, Debug)]
pub struct QueueLine {
    pub queue: QueueId,
    pub tenant: String,
    pub name: String,
    pub waiting: usize,
    pub longest_wait: Duration,
    pub idle: usize,
}

/// A live call as the table has it.
#[derive(Clone, Debug)]
pub struct CallState {
    pub call: std::sync::Arc<Call>,
    pub now: LogTime,
}

/// A stage's name in figures.
pub fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Admitted => "admitted",
        Stage::Flow { .. } => "flow",
        Stage::Queued => "queued",
        Stage::Offered { .. } => "offered",
        Stage::Talking => "talking",
        Stage::Ended { .. } => "ended",
    }
}

const STAGES: [&str; 6] = ["admitted", "flow", "queued", "offered", "talking", "ended"];

impl Context {
    pub fn overview(&self) -> Overview {
        let control = self.groups.view(GroupId::CONTROL);
        let mut overview = Overview { active: !self.edge.is_passive(), ..Overview::default() };
        if let Some(control) = control.machine.control() {
            overview.config_version = control.version();
            let connected = self.link.peers();
            overview.nodes = control
                .nodes()
                .map(|(node, state)| NodeLine {
                    node,
                    up: !state.down,
                    incarnation: state.incarnation.0,
                    connected: node == self.me || connected.contains(&strowger_model::PeerId::Node(node)),
                })
                .collect();
        }
        overview.groups = self.group_lines();
        overview.relays = self.relays.all().map(|(relay, there)| (relay.to_string(), there)).collect();
        for shard in self.shards() {
            if let Some(view) = self.shard_view(shard)
                && let Some(table) = shard_of(&view)
            {
                self.sum_up(table, view.log_now(), &mut overview);
            }
        }
        overview
    }

    fn group_lines(&self) -> Vec<GroupLine> {
        let line = |status: strowger_raft::GroupStatus| GroupLine {
            group: status.group,
            leader: status.leader,
            term: status.term,
            applied: status.applied,
            hash: status.state_hash,
            lag: status.lag,
        };
        self.groups.status().into_iter().map(line).collect()
    }

    fn sum_up(&self, table: &Shard, now: LogTime, overview: &mut Overview) {
        for agent in table.agents() {
            *overview.agents.entry(agent.state.as_str()).or_default() += 1;
        }
        for call in table.calls() {
            *overview.calls.entry(stage_name(&call.stage)).or_default() += 1;
        }
        overview.stuck += table.overdue(now, STUCK_GRACE).count();
        for tenant in table.tenants() {
            for queue in &tenant.queues {
                let first = table.waiting(queue.id).next().and_then(|(_, call)| table.call(call)?.times.enqueued);
                overview.queues.push(QueueLine {
                    queue: queue.id,
                    tenant: tenant.name.clone(),
                    name: queue.name.clone(),
                    waiting: table.waiting(queue.id).count(),
                    longest_wait: first.map_or(Duration::ZERO, |first| now.since(first)),
                    idle: table.idle(queue.id).count(),
                });
            }
        }
    }

    /// Brings the gauges up to date and gives the text Prometheus reads.
    pub fn metrics(&self) -> String {
        for shard in self.shards() {
            if let Some(view) = self.shard_view(shard)
                && let Some(table) = shard_of(&view)
            {
                self.gauge_shard(shard, table, view.log_now());
            }
        }
        for line in self.group_lines() {
            let group = line.group.0.to_string();
            let set = |what: &str, value: i64| self.figures.groups.with_label_values(&[&group, what]).set(value);
            set("leads", i64::from(line.leader == Some(self.me)));
            set("term", line.term as i64);
            set("applied", line.applied as i64);
        }
        for (relay, there) in self.relays.all() {
            self.figures.relays.with_label_values(&[&relay.to_string()]).set(i64::from(there));
        }
        let counters = self.edge.counters();
        for (what, value) in [
            ("received", &counters.received),
            ("sent", &counters.sent),
            ("answered_here", &counters.answered_here),
            ("dropped", &counters.dropped),
            ("withheld", &counters.withheld),
        ] {
            self.figures.sip.with_label_values(&[what]).set(value.load(Ordering::Relaxed) as i64);
        }
        self.figures.node.with_label_values(&["active"]).set(i64::from(!self.edge.is_passive()));
        self.figures.node.with_label_values(&["call_actors"]).set(self.calls.len() as i64);
        self.figures.text() + &self.raft_text()
    }

    /// Commit and fsync times, which the raft crate counts in its own buckets.
    fn raft_text(&self) -> String {
        let stats = self.groups.stats();
        let mut text = String::new();
        for (name, help, samples) in [
            ("strowger_commit_seconds", "From a proposal at its leader to its outcome.", stats.commit),
            ("strowger_log_fsync_seconds", "One group commit of the log to disk.", stats.fsync),
        ] {
            text += &format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
            let mut sum = 0;
            for (bound, count) in strowger_raft::BOUNDS_US.iter().zip(samples.buckets) {
                sum += count;
                text += &format!("{name}_bucket{{le=\"{}\"}} {sum}\n", *bound as f64 / 1e6);
            }
            let total: u64 = samples.buckets.iter().sum();
            text += &format!(
                "{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {}\n{name}_count {total}\n",
                samples.sum_us as f64 / 1e6
            );
        }
        text
    }

    fn gauge_shard(&self, shard: ShardId, table: &Shard, now: LogTime) {
        let shard = shard.0.to_string();
        let mut calls: BTreeMap<&str, i64> = STAGES.iter().map(|stage| (*stage, 0)).collect();
        table.calls().for_each(|call| *calls.entry(stage_name(&call.stage)).or_default() += 1);
        let mut agents: BTreeMap<&str, i64> = AgentState::NAMES.iter().map(|state| (*state, 0)).collect();
        table.agents().for_each(|agent| *agents.entry(agent.state.as_str()).or_default() += 1);
        let mut stuck = BTreeMap::from([("call", 0), ("agent", 0)]);
        for key in table.overdue(now, STUCK_GRACE) {
            *stuck.entry(if matches!(key, LeaseKey::Call(_)) { "call" } else { "agent" }).or_default() += 1;
        }
        let figures = &self.figures;
        calls.iter().for_each(|(stage, count)| figures.calls.with_label_values(&[shard.as_str(), stage]).set(*count));
        agents.iter().for_each(|(state, count)| figures.agents.with_label_values(&[shard.as_str(), state]).set(*count));
        stuck.iter().for_each(|(kind, count)| figures.stuck.with_label_values(&[shard.as_str(), kind]).set(*count));
    }

    pub fn live_call(&self, id: CallId) -> Option<CallState> {
        let view = self.shard_view(id.shard())?;
        let call = shard_of(&view)?.call(id)?.clone();
        Some(CallState { call, now: view.log_now() })
    }

    pub async fn agent_command(&self, agent: AgentId, command: Command) -> Result<Outcome, Refused> {
        let shard = self.directory().agent(agent).map(|(tenant, _)| tenant.shard);
        match shard {
            Some(shard) => self.command(shard, command, COMMIT).await,
            None => Err(Refused::ByTable(strowger_table::Refusal::NoSuchAgent)),
        }
    }

    /// Makes a configuration the one in force. Its prompts must be spread before.
    pub async fn configure(&self, version: u64, tenants: Vec<Tenant>, trunks: Vec<Trunk>) -> Result<Outcome, Refused> {
        self.control(ControlCommand::Configure { version, tenants, trunks }, COMMIT).await
    }

    /// Puts a prompt on a majority of the voters.
    pub async fn spread(&self, digest: Digest, bytes: &[u8]) -> Result<(), crate::ContentFault> {
        let view = self.groups.view(GroupId::CONTROL);
        let voters = view.machine.control().map_or(1, |control| control.voters().len());
        self.content.spread(&self.link, digest, bytes, voters / 2 + 1).await
    }

    /// Shards that have not yet taken over the newest configuration.
    pub fn shards_behind(&self) -> usize {
        let control = self.groups.view(GroupId::CONTROL);
        let Some(control) = control.machine.control() else { return 0 };
        let is_behind = |tenant: &Tenant| {
            let have = self.shard_view(tenant.shard).and_then(|view| shard_of(&view)?.config_version(tenant.id));
            have < control.changed(tenant.id)
        };
        control
            .tenants()
            .filter(|tenant| is_behind(tenant))
            .map(|tenant| tenant.shard)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }
}
