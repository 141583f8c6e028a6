//! What the API may ask of a node: the state of things, and the few commands people give.

use std::time::Duration;

use strowger_figures::{Archive, GroupStatus, NodeStatus, Overview, ShardSums};
use strowger_model::{AgentId, CallId, Digest, GroupId, LogTime, PeerId};
use strowger_table::{Call, Command, Outcome};

use crate::context::{Context, Refused, shard_of};

/// How long what a person asked for waits for its outcome. A leader that dies has a successor within 2 s, and the
/// command is repeated meanwhile; beyond it the person is told, and may ask again.
pub const COMMIT: Duration = Duration::from_secs(5);

/// A live call as the table has it.
#[derive(Clone, Debug)]
pub struct CallState {
    /// Its row.
    pub call: std::sync::Arc<Call>,
    /// Log time of its shard: what its deadlines and waits are measured by.
    pub now: LogTime,
}

impl Context {
    /// The cluster at a glance.
    pub fn overview(&self) -> Overview {
        let mut overview = Overview {
            nodes: self.node_status(),
            groups: self.group_status(),
            relays: self.relays.all().map(|(relay, there)| (relay.to_string(), there)).collect(),
            campaigns: self.campaigns(),
            config_version: self.groups.view(GroupId::CONTROL).machine.control().map_or(0, |control| control.version()),
            active: !self.edge.is_passive(),
            archive: self.archive(),
            ..Overview::default()
        };
        overview.add(self.sums());
        overview
    }

    /// What status, wallboard and metrics are all made of.
    pub(crate) fn sums(&self) -> impl Iterator<Item = ShardSums> {
        self.shards().filter_map(|shard| {
            let view = self.shard_view(shard)?;
            Some(ShardSums::new(shard_of(&view)?, view.log_now().at_least))
        })
    }

    fn node_status(&self) -> Vec<NodeStatus> {
        let view = self.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control() else { return Vec::new() };
        let connected = self.link.peers();
        let status = |(node, state): (_, strowger_table::Node)| NodeStatus {
            node,
            up: !state.down,
            incarnation: state.incarnation.0,
            connected: node == self.me || connected.contains(&PeerId::Node(node)),
        };
        control.nodes().map(status).collect()
    }

    pub(crate) fn archive(&self) -> Archive {
        let now = self.groups.archive();
        Archive { bytes: now.bytes, reaches_back: now.reaches_back, lost: now.lost }
    }

    pub(crate) fn group_status(&self) -> Vec<GroupStatus> {
        let status = |status: strowger_raft::GroupStatus| GroupStatus {
            group: status.group,
            leader: status.leader,
            term: status.term,
            applied: status.applied,
            layout: status.layout,
            hash: status.state_hash,
            lag: status.lag,
            diverged: status.diverged,
        };
        self.groups.status().into_iter().map(status).collect()
    }

    /// A call that is in the table, ended a moment ago or not.
    pub fn live_call(&self, id: CallId) -> Option<CallState> {
        let view = self.shard_view(id.shard())?;
        let call = shard_of(&view)?.call(id)?.clone();
        Some(CallState { call, now: view.log_now().at_least })
    }

    /// A request was turned away at the door.
    pub fn http_refused(&self, status: u16) {
        self.figures.http_refused(status);
    }

    /// Proposes to the shard of the agent.
    pub async fn agent_command(&self, agent: AgentId, command: Command) -> Result<Outcome, Refused> {
        let shard = self.directory().agent(agent).map(|(tenant, _)| tenant.shard);
        match shard {
            Some(shard) => self.command(shard, command, COMMIT).await,
            None => Err(Refused::ByTable(strowger_table::Refusal::NoSuchAgent)),
        }
    }

    /// Puts content on a majority of the voters.
    pub async fn spread(&self, digest: Digest, bytes: Vec<u8>) -> Result<(), crate::ContentFault> {
        let view = self.groups.view(GroupId::CONTROL);
        let voters = view.machine.control().map_or(1, |control| control.voters().len());
        self.content.spread(&self.link, digest, bytes, voters / 2 + 1).await
    }
}
