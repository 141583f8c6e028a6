//! What a wallboard shows: what the table says now, and what left the queues lately.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_model::{NodeId, QueueId};

use crate::campaigns::CampaignFigures;
use crate::overview::{GroupStatus, NodeStatus, Overview};
use crate::recent::Recent;
use crate::sums::{Counts, QueueStatus, TenantFigures};
use crate::tally::Tally;

/// All that a wallboard shows. It holds no moment, so that two boards of a quiet cluster are equal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Board {
    /// Who made it.
    pub node: NodeId,
    /// Whether that node takes calls.
    pub active: bool,
    /// Of the configuration in force; 0 before the first.
    pub config_version: u64,
    /// Leases past their deadline; must be 0.
    pub stuck: usize,
    /// How many minutes `recent` reaches back.
    pub window_min: u64,
    /// All that the control group knows, by id.
    pub nodes: Vec<NodeFigures>,
    /// The control group first, then the shards.
    pub groups: Vec<GroupFigures>,
    /// All that are configured.
    pub relays: Vec<RelayFigures>,
    /// By tenant and id.
    pub queues: Vec<QueueFigures>,
    /// By tenant and name.
    pub campaigns: Vec<CampaignFigures>,
    /// By state, of all tenants.
    pub agents: Counts,
    /// By name.
    pub tenants: Vec<TenantFigures>,
    /// By stage, of all tenants.
    pub calls: Counts,
    /// What left all queues together in the window.
    pub recent: Tally,
    /// Of all queues together; none when no call left one in the window.
    pub service_level: Option<f64>,
    /// Calls that ended since midnight, UTC.
    pub today: BTreeMap<&'static str, u64>,
}

/// A node, as the board shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NodeFigures {
    /// Its number.
    pub node: NodeId,
    /// Not declared dead.
    pub up: bool,
    /// Reached by the node that made the board.
    pub connected: bool,
}

/// A Raft group, as the board shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupFigures {
    /// `control` or `shard-N`.
    pub name: String,
    /// None while it elects one.
    pub leader: Option<NodeId>,
    /// Known on the leader alone: the most entries that a voter lacks, none while one has not answered.
    pub lag: Option<u64>,
    /// This node's state is another than the others': a fault of ours.
    pub diverged: bool,
}

/// A relay, as the board shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RelayFigures {
    /// Its name, `relay-N`.
    pub relay: String,
    /// Reached by the node that made the board.
    pub connected: bool,
}

/// A queue, as the board shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct QueueFigures {
    /// Name of its tenant.
    pub tenant: String,
    /// Its own.
    pub name: String,
    /// Callers who wait to be offered.
    pub waiting: usize,
    /// Called parties who answered and wait to be offered again.
    pub called_waiting: usize,
    /// How long the first of them has waited, in milliseconds.
    pub longest_wait_ms: u64,
    /// Agents free for an offer from it.
    pub idle: usize,
    /// A call answered within this time counts into the service level.
    pub service_level_ms: u32,
    /// Share of the calls that left the queue in the window which were answered in time; none when none left.
    pub service_level: Option<f64>,
    /// How calls left it in the window.
    #[serde(flatten)]
    pub recent: Tally,
}

impl Board {
    /// What `me` shows: the table as it is, and what left the queues lately.
    pub fn new(me: NodeId, overview: Overview, recent: &Recent) -> Self {
        let of_queues = recent.queues();
        let mut all = Tally::default();
        of_queues.values().for_each(|tally| all.add(*tally));
        let queue = |status: QueueStatus| QueueFigures::new(status, &of_queues);
        Board {
            node: me,
            active: overview.active,
            config_version: overview.config_version,
            stuck: overview.stuck,
            window_min: Recent::WINDOW_MIN,
            nodes: overview.nodes.into_iter().map(NodeFigures::from).collect(),
            groups: overview.groups.into_iter().map(GroupFigures::from).collect(),
            relays: overview.relays.into_iter().map(|(relay, connected)| RelayFigures { relay, connected }).collect(),
            queues: overview.queues.into_iter().map(queue).collect(),
            campaigns: overview.campaigns.into_iter().map(|status| status.figures).collect(),
            agents: overview.agents,
            tenants: overview.tenants,
            calls: overview.calls,
            recent: all,
            service_level: all.service_level(),
            today: recent.today(),
        }
    }
}

impl Board {
    /// The same for eyes of one tenant: what is the cluster's, or of all tenants together, is not in it.
    pub fn of_tenant(&self, tenant: &str) -> Board {
        let queues: Vec<QueueFigures> = self.queues.iter().filter(|queue| queue.tenant == tenant).cloned().collect();
        let tenants: Vec<TenantFigures> = self.tenants.iter().filter(|own| own.tenant == tenant).cloned().collect();
        let mut recent = Tally::default();
        queues.iter().for_each(|queue| recent.add(queue.recent));
        Board {
            node: self.node,
            active: self.active,
            config_version: self.config_version,
            stuck: 0,
            window_min: self.window_min,
            nodes: Vec::new(),
            groups: Vec::new(),
            relays: Vec::new(),
            campaigns: self.campaigns.iter().filter(|campaign| campaign.tenant == tenant).cloned().collect(),
            agents: tenants.first().map(|own| own.agents.clone()).unwrap_or_default(),
            calls: tenants.first().map(|own| own.calls.clone()).unwrap_or_default(),
            service_level: recent.service_level(),
            today: BTreeMap::new(),
            queues,
            tenants,
            recent,
        }
    }
}

impl From<NodeStatus> for NodeFigures {
    fn from(status: NodeStatus) -> Self {
        Self { node: status.node, up: status.up, connected: status.connected }
    }
}

impl From<GroupStatus> for GroupFigures {
    fn from(status: GroupStatus) -> Self {
        let (name, lag) = (status.name(), status.most_lag());
        Self { name, leader: status.leader, lag, diverged: status.diverged }
    }
}

impl QueueFigures {
    fn new(status: QueueStatus, recent: &BTreeMap<QueueId, Tally>) -> Self {
        let recent = recent.get(&status.queue).copied().unwrap_or_default();
        Self {
            tenant: status.tenant,
            name: status.name,
            waiting: status.waiting,
            called_waiting: status.called_waiting,
            longest_wait_ms: status.longest_wait.as_millis() as u64,
            idle: status.idle,
            service_level_ms: status.service_level_ms,
            service_level: recent.service_level(),
            recent,
        }
    }
}
