//! The cluster at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strowger_cluster::Context;
use strowger_figures::{Archive, CampaignStatus, GroupStatus, NodeStatus};
use strowger_model::{GroupId, NodeId};

use crate::queues::QueueRow;

#[derive(Serialize)]
pub struct Status {
    /// Who answers.
    node: NodeId,
    /// Whether it takes calls.
    active: bool,
    config_version: u64,
    /// Leases past their deadline; must be 0.
    stuck: usize,
    /// What this node keeps of the past, for explanations.
    archive: ArchiveRow,
    nodes: Vec<NodeRow>,
    groups: Vec<GroupRow>,
    relays: Vec<RelayRow>,
    queues: Vec<QueueRow>,
    campaigns: Vec<CampaignStatus>,
    agents: BTreeMap<&'static str, usize>,
    calls: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct ArchiveRow {
    bytes: u64,
    /// Null while it is empty.
    reaches_back_s: Option<u64>,
    /// Pieces that its disk did not take, since its start.
    lost: u64,
}

#[derive(Serialize)]
struct NodeRow {
    node: NodeId,
    up: bool,
    connected: bool,
    /// As text: it may have more digits than a number of JavaScript.
    incarnation: String,
}

#[derive(Serialize)]
struct GroupRow {
    group: GroupId,
    /// `control` or `shard-N`.
    name: String,
    leader: Option<NodeId>,
    term: u64,
    applied: u64,
    /// What its log is written in. A later one comes into force when all voters have run a build that reads it for ten
    /// seconds; builds that do not know it no longer start then.
    layout: u16,
    /// Hexadecimal. The same on all nodes that have applied the same.
    hash: String,
    diverged: bool,
    /// On the leader: entries that each other voter lacks, null while it has not answered.
    lag: BTreeMap<NodeId, Option<u64>>,
}

#[derive(Serialize)]
struct RelayRow {
    relay: String,
    connected: bool,
}

/// `GET /api/v1/status`
pub async fn status(State(context): State<Arc<Context>>) -> Json<Status> {
    let overview = context.overview();
    Json(Status {
        node: context.me,
        active: overview.active,
        config_version: overview.config_version,
        stuck: overview.stuck,
        archive: archive_row(overview.archive),
        nodes: overview.nodes.into_iter().map(node_row).collect(),
        groups: overview.groups.into_iter().map(group_row).collect(),
        relays: overview.relays.into_iter().map(|(relay, connected)| RelayRow { relay, connected }).collect(),
        queues: overview.queues.into_iter().map(QueueRow::from).collect(),
        campaigns: overview.campaigns,
        agents: overview.agents,
        calls: overview.calls,
    })
}

fn archive_row(archive: Archive) -> ArchiveRow {
    let reaches_back_s = archive.reaches_back.map(|back| back.as_secs());
    ArchiveRow { bytes: archive.bytes, reaches_back_s, lost: archive.lost }
}

fn node_row(status: NodeStatus) -> NodeRow {
    let NodeStatus { node, up, incarnation, connected } = status;
    NodeRow { node, up, connected, incarnation: incarnation.to_string() }
}

fn group_row(status: GroupStatus) -> GroupRow {
    GroupRow {
        name: status.name(),
        group: status.group,
        leader: status.leader,
        term: status.term,
        applied: status.applied,
        layout: status.layout,
        hash: format!("{:016x}", status.hash),
        diverged: status.diverged,
        lag: status.lag,
    }
}
