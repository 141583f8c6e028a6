//! What the API may ask of a node: the state of things, and the few commands people give.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use strowger_model::{AgentId, CallId, Digest, GroupId, LogTime, NodeId, ShardId};
use strowger_table::{AgentState, Call, Command, Outcome};

use crate::campaigns::{CampaignLine, campaign_text};
use crate::context::{Context, Refused, shard_of};
use crate::sums::{QueueLine, STAGES, ShardSums, TenantLine, add, count, queue_text};

const COMMIT: Duration = Duration::from_secs(5);

/// The cluster at a glance.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub nodes: Vec<NodeLine>,
    pub groups: Vec<GroupLine>,
    pub relays: Vec<(String, bool)>,
    pub queues: Vec<QueueLine>,
    pub tenants: Vec<TenantLine>,
    pub campaigns: Vec<CampaignLine>,
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
    pub diverged: bool,
}

impl GroupLine {
    /// `control` or `shard-N`.
    pub fn name(&self) -> String {
        self.group.shard().map_or_else(|| "control".to_owned(), |shard| shard.to_string())
    }
}

/// A live call as the table has it.
#[derive(Clone, Debug)]
pub struct CallState {
    pub call: std::sync::Arc<Call>,
    pub now: LogTime,
}

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
        for (_, sums) in self.sums() {
            overview.stuck += sums.stuck_calls + sums.stuck_agents;
            add(&mut overview.agents, &sums.agents());
            add(&mut overview.calls, &sums.calls());
            overview.queues.extend(sums.queues);
            overview.tenants.extend(sums.tenants.into_values());
        }
        overview.campaigns = self.campaigns();
        // Tenants are spread over shards; people look for names.
        overview.queues.sort_by(|a, b| (&a.tenant, a.queue).cmp(&(&b.tenant, b.queue)));
        overview.tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        overview
    }

    /// What status, wallboard and metrics are all made of.
    fn sums(&self) -> impl Iterator<Item = (ShardId, ShardSums)> {
        self.shards().filter_map(|shard| {
            let view = self.shard_view(shard)?;
            Some((shard, ShardSums::new(shard_of(&view)?, view.log_now())))
        })
    }

    fn group_lines(&self) -> Vec<GroupLine> {
        let line = |status: strowger_raft::GroupStatus| GroupLine {
            group: status.group,
            leader: status.leader,
            term: status.term,
            applied: status.applied,
            hash: status.state_hash,
            lag: status.lag,
            diverged: status.diverged,
        };
        self.groups.status().into_iter().map(line).collect()
    }

    /// Brings the gauges up to date and gives the text Prometheus reads.
    pub fn metrics(&self) -> String {
        let mut queues = Vec::new();
        for (shard, sums) in self.sums() {
            self.gauge_shard(shard, &sums);
            queues.extend(sums.queues);
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
        let connections = |what: &str, value: i64| self.figures.sip_connections.with_label_values(&[what]).set(value);
        connections("open", self.edge.connections() as i64);
        connections("garbage", counters.garbage.load(Ordering::Relaxed) as i64);
        connections("slow", counters.slow.load(Ordering::Relaxed) as i64);
        connections("crowded", counters.crowded.load(Ordering::Relaxed) as i64);
        self.figures.node.with_label_values(&["active"]).set(i64::from(!self.edge.is_passive()));
        self.figures.node.with_label_values(&["call_actors"]).set(self.calls.len() as i64);
        self.figures.text() + &queue_text(&queues) + &campaign_text(&self.campaigns()) + &self.raft_text()
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

    fn gauge_shard(&self, shard: ShardId, sums: &ShardSums) {
        let shard = shard.0.to_string();
        let set = |gauges: &prometheus::IntGaugeVec, label: &str, count: usize| {
            gauges.with_label_values(&[shard.as_str(), label]).set(count as i64);
        };
        // Every label is set each time: one that nobody has any more must fall to 0.
        STAGES.iter().for_each(|stage| set(&self.figures.calls, stage, count(&sums.calls(), stage)));
        AgentState::NAMES.iter().for_each(|state| set(&self.figures.agents, state, count(&sums.agents(), state)));
        set(&self.figures.stuck, "call", sums.stuck_calls);
        set(&self.figures.stuck, "agent", sums.stuck_agents);
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

    /// Puts a prompt on a majority of the voters.
    pub async fn spread(&self, digest: Digest, bytes: &[u8]) -> Result<(), crate::ContentFault> {
        let view = self.groups.view(GroupId::CONTROL);
        let voters = view.machine.control().map_or(1, |control| control.voters().len());
        self.content.spread(&self.link, digest, bytes, voters / 2 + 1).await
    }
}
