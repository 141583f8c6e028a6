//! What a wallboard shows: what the table says now, and what left the queues lately.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_model::{NodeId, QueueId};

use crate::agents::{AgentFigures, longest_first};
use crate::campaigns::{CampaignFigures, CampaignStatus};
use crate::day::{CampaignDay, DayFigures};
use crate::overview::{GroupStatus, NodeStatus, Overview};
use crate::recent::{Recent, Today};
use crate::sums::{Counts, QueueStatus, TenantFigures, add};
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
    pub campaigns: Vec<CampaignOnBoard>,
    /// By state, of all tenants.
    pub agents: Counts,
    /// By name.
    pub tenants: Vec<TenantOnBoard>,
    /// Those who are there, at most 25 of each tenant and state, the longest in their state first.
    pub present: Vec<AgentFigures>,
    /// By stage, of all tenants.
    pub calls: Counts,
    /// Of those, calls to people who are called.
    pub called: Counts,
    /// What left all queues together in the window.
    pub recent: Tally,
    /// Of all queues together; none when no call left one in the window.
    pub service_level: Option<f64>,
    /// The day's calls, of all tenants. A day begins at midnight of the clock that the board was asked for.
    pub today: DayFigures,
    /// False for a day whose first calls this process, started since, could not read any more: records have them.
    pub today_whole: bool,
}

/// A campaign, as the board shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampaignOnBoard {
    /// Now, and since it began.
    #[serde(flatten)]
    pub figures: CampaignFigures,
    /// Of its calls that began today.
    pub today: CampaignDay,
}

/// A tenant, as the board shows it: the same figures as the board has of all of them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TenantOnBoard {
    /// Now.
    #[serde(flatten)]
    pub figures: TenantFigures,
    /// What left its queues in the window.
    pub recent: Tally,
    /// Of its queues together; none when no call left one in the window, and none is late.
    pub service_level: Option<f64>,
    /// Of its calls that began today.
    pub today: DayFigures,
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
    /// Its agents who are not logged out.
    pub staffed: usize,
    /// Callers who wait, or are being offered, for longer than `service_level_ms`.
    pub late: usize,
    /// A call answered within this time counts into the service level.
    pub service_level_ms: u32,
    /// Share of the calls that were answered in time, of those that left the queue in the window without giving up at
    /// once, and of the late ones; none when there are none.
    pub service_level: Option<f64>,
    /// How calls left it in the window.
    #[serde(flatten)]
    pub recent: Tally,
    /// How those of its calls left it that began today.
    pub today: Tally,
    /// The same share of the day's calls.
    pub today_service_level: Option<f64>,
}

impl Board {
    /// What `me` shows: the table as it is, who is there, what left the queues lately, and the day so far.
    pub fn new(me: NodeId, overview: Overview, mut present: Vec<AgentFigures>, recent: &Recent, today: &Today) -> Self {
        longest_first(&mut present);
        let of_queues = recent.queues();
        let mut all = Tally::default();
        of_queues.values().for_each(|tally| all.add(*tally));
        let mut called = Counts::new();
        overview.tenants.iter().for_each(|tenant| add(&mut called, &tenant.called));
        let queue = |status: QueueStatus| QueueFigures::new(status, &of_queues, today);
        let queues: Vec<QueueFigures> = overview.queues.into_iter().map(queue).collect();
        let late = queues.iter().map(|queue| queue.late).sum();
        let tenant = |figures: TenantFigures| TenantOnBoard::new(figures, &queues, today);
        let campaign =
            |CampaignStatus { campaign, figures }| CampaignOnBoard { figures, today: today.calls.campaign(campaign) };
        Board {
            node: me,
            active: overview.active,
            config_version: overview.config_version,
            stuck: overview.stuck,
            window_min: Recent::WINDOW_MIN,
            nodes: overview.nodes.into_iter().map(NodeFigures::from).collect(),
            groups: overview.groups.into_iter().map(GroupFigures::from).collect(),
            relays: overview.relays.into_iter().map(|(relay, connected)| RelayFigures { relay, connected }).collect(),
            campaigns: overview.campaigns.into_iter().map(campaign).collect(),
            agents: overview.agents,
            tenants: overview.tenants.into_iter().map(tenant).collect(),
            present,
            calls: overview.calls,
            called,
            recent: all,
            service_level: all.service_level(late),
            today: today.calls.all(),
            today_whole: today.is_whole,
            queues,
        }
    }
}

impl Board {
    /// The same for eyes of one tenant: what is the cluster's, or of all tenants together, is not in it.
    pub fn of_tenant(&self, tenant: &str) -> Board {
        let tenants: Vec<TenantOnBoard> =
            self.tenants.iter().filter(|own| own.figures.tenant == tenant).cloned().collect();
        let own = tenants.first().cloned();
        let figures = own.as_ref().map(|own| &own.figures);
        Board {
            node: self.node,
            active: self.active,
            config_version: self.config_version,
            stuck: 0,
            window_min: self.window_min,
            nodes: Vec::new(),
            groups: Vec::new(),
            relays: Vec::new(),
            queues: self.queues.iter().filter(|queue| queue.tenant == tenant).cloned().collect(),
            campaigns: self.campaigns.iter().filter(|campaign| campaign.figures.tenant == tenant).cloned().collect(),
            present: self.present.iter().filter(|agent| agent.tenant == tenant).cloned().collect(),
            agents: figures.map(|own| own.agents.clone()).unwrap_or_default(),
            calls: figures.map(|own| own.calls.clone()).unwrap_or_default(),
            called: figures.map(|own| own.called.clone()).unwrap_or_default(),
            recent: own.as_ref().map(|own| own.recent).unwrap_or_default(),
            service_level: own.as_ref().and_then(|own| own.service_level),
            today: own.map(|own| own.today).unwrap_or_default(),
            today_whole: self.today_whole,
            tenants,
        }
    }
}

impl TenantOnBoard {
    fn new(figures: TenantFigures, queues: &[QueueFigures], today: &Today) -> Self {
        let (mut recent, mut late) = (Tally::default(), 0);
        for queue in queues.iter().filter(|queue| queue.tenant == figures.tenant) {
            recent.add(queue.recent);
            late += queue.late;
        }
        Self { recent, service_level: recent.service_level(late), today: today.calls.tenant(figures.id), figures }
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
    fn new(status: QueueStatus, recent: &BTreeMap<QueueId, Tally>, today: &Today) -> Self {
        let today = today.calls.queue(status.queue);
        let late = status.visits.late;
        let recent = recent.get(&status.queue).copied().unwrap_or_default();
        Self {
            tenant: status.tenant,
            name: status.name,
            waiting: status.waiting,
            called_waiting: status.called_waiting,
            longest_wait_ms: status.longest_wait.as_millis() as u64,
            idle: status.idle,
            staffed: status.staffed,
            late,
            service_level_ms: status.service_level_ms,
            service_level: recent.service_level(late),
            recent,
            today,
            today_service_level: today.service_level(late),
        }
    }
}
