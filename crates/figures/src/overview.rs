//! The cluster at a glance, as one node sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{GroupId, NodeId};

use crate::campaigns::CampaignStatus;
use crate::sums::{Counts, QueueStatus, ShardSums, TenantFigures, add};

/// The cluster at a glance.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// By id.
    pub nodes: Vec<NodeStatus>,
    /// The control group first, then the shards.
    pub groups: Vec<GroupStatus>,
    /// By name, with whether this node reaches it.
    pub relays: Vec<(String, bool)>,
    /// By tenant and id.
    pub queues: Vec<QueueStatus>,
    /// By name.
    pub tenants: Vec<TenantFigures>,
    /// By tenant and name.
    pub campaigns: Vec<CampaignStatus>,
    /// By state.
    pub agents: Counts,
    /// By stage.
    pub calls: Counts,
    /// Leases past their deadline; must be 0.
    pub stuck: usize,
    /// Of the configuration in force; 0 before the first.
    pub config_version: u64,
    /// Whether this node takes calls.
    pub active: bool,
    /// What this node keeps of the past.
    pub archive: Archive,
}

/// What a node keeps of the log's past.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Archive {
    /// Of all files.
    pub bytes: u64,
    /// How far it reaches back; none while it is empty.
    pub reaches_back: Option<Duration>,
    /// Pieces that were not written, since the node's start.
    pub lost: u64,
}

/// A node as the control group has it.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Its number.
    pub node: NodeId,
    /// Not declared dead.
    pub up: bool,
    /// Its newest start.
    pub incarnation: u64,
    /// This node reaches it.
    pub connected: bool,
}

/// A Raft group as this node sees it.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Which.
    pub group: GroupId,
    /// None while it elects one, as far as this node knows.
    pub leader: Option<NodeId>,
    /// Of the leader, or of the election.
    pub term: u64,
    /// Log index of the newest entry applied here.
    pub applied: u64,
    /// What its log is written in.
    pub layout: u16,
    /// Of the state now: the same on all replicas that have applied as much.
    pub hash: u64,
    /// On the leader: entries that each other voter lacks, none while it has not answered.
    pub lag: BTreeMap<NodeId, Option<u64>>,
    /// This node's state is another than the others': it has stopped applying.
    pub diverged: bool,
}

impl GroupStatus {
    /// `control` or `shard-N`.
    pub fn name(&self) -> String {
        self.group.shard().map_or_else(|| "control".to_owned(), |shard| shard.to_string())
    }

    /// The most entries that a voter lacks; none on a node that does not lead, and while a voter has not answered.
    pub fn most_lag(&self) -> Option<u64> {
        self.lag.values().copied().collect::<Option<Vec<u64>>>()?.into_iter().max()
    }
}

impl Overview {
    /// Adds the sums of all shards. Tenants are spread over them; people look for names.
    pub fn add(&mut self, shards: impl IntoIterator<Item = ShardSums>) {
        for sums in shards {
            self.stuck += sums.stuck.values().sum::<usize>();
            add(&mut self.agents, &sums.agents());
            add(&mut self.calls, &sums.calls());
            self.queues.extend(sums.queues);
            self.tenants.extend(sums.tenants.into_values());
        }
        self.queues.sort_by(|a, b| (&a.tenant, a.queue).cmp(&(&b.tenant, b.queue)));
        self.tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    }
}
