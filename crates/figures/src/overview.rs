//! The cluster at a glance, as one node sees it.

use std::collections::BTreeMap;

use strowger_model::{GroupId, NodeId};

use crate::campaigns::CampaignStatus;
use crate::sums::{Counts, QueueStatus, ShardSums, TenantFigures, add};

/// The cluster at a glance.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub nodes: Vec<NodeStatus>,
    pub groups: Vec<GroupStatus>,
    /// By name, with whether this node reaches it.
    pub relays: Vec<(String, bool)>,
    pub queues: Vec<QueueStatus>,
    pub tenants: Vec<TenantFigures>,
    pub campaigns: Vec<CampaignStatus>,
    pub agents: Counts,
    pub calls: Counts,
    /// Leases past their deadline; must be 0.
    pub stuck: usize,
    pub config_version: u64,
    /// Whether this node takes calls.
    pub active: bool,
}

#[derive(Clone, Debug)]
pub struct NodeStatus {
    pub node: NodeId,
    pub up: bool,
    pub incarnation: u64,
    pub connected: bool,
}

/// A Raft group as this node sees it.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    pub group: GroupId,
    pub leader: Option<NodeId>,
    pub term: u64,
    pub applied: u64,
    /// What its log is written in.
    pub layout: u16,
    pub hash: u64,
    /// On the leader: entries that each other voter lacks, none while it has not answered.
    pub lag: BTreeMap<NodeId, Option<u64>>,
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
