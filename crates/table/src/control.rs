//! Group 0: who is in the cluster and alive, and the configuration in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use strowger_model::config::{Tenant, Trunk};
use strowger_model::{Incarnation, LogTime, NodeId, TenantId, Wall};

use crate::layout::{LayoutFault, Written};
use crate::sessions::{Sessions, SessionsImage};
use crate::{Applied, At, Body, ControlCommand, Outcome, Proposal, Proposer, Refusal, Touched, hash, layout};

#[derive(Clone, Debug)]
pub struct Control {
    last: At,
    /// What is written from the next entry on.
    layout: u16,
    voters: Vec<NodeId>,
    shards: u16,
    nodes: OrdMap<NodeId, Node>,
    /// Which voter has reported which incarnation silent.
    silent: OrdSet<(NodeId, Incarnation, NodeId)>,
    version: u64,
    tenants: OrdMap<TenantId, Arc<Tenant>>,
    /// The version in which each tenant last changed.
    changed: OrdMap<TenantId, u64>,
    trunks: Arc<Vec<Trunk>>,
    /// The hash of tenants and trunks, computed when they change.
    content: u64,
    tokens: OrdMap<[u8; 32], String>,
    sessions: Sessions,
    /// The highest id of each kind ever given: ids are never given twice.
    highest: HighestIds,
}

/// The highest id of each kind that a configuration ever held.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HighestIds {
    pub tenant: u32,
    pub flow: u32,
    pub queue: u32,
    pub agent: u32,
    pub trunk: u32,
    pub campaign: u32,
}

impl HighestIds {
    fn raise(&mut self, tenants: &[Tenant], trunks: &[Trunk]) {
        for tenant in tenants {
            self.tenant = self.tenant.max(tenant.id.0);
            self.flow = tenant.flows.iter().map(|flow| flow.id.0).fold(self.flow, u32::max);
            self.queue = tenant.queues.iter().map(|queue| queue.id.0).fold(self.queue, u32::max);
            self.campaign = tenant.campaigns.iter().map(|campaign| campaign.id.0).fold(self.campaign, u32::max);
            self.agent = tenant.agents.iter().map(|agent| agent.id.0).fold(self.agent, u32::max);
        }
        self.trunk = trunks.iter().map(|trunk| trunk.id.0).fold(self.trunk, u32::max);
    }
}

/// A node as the cluster sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    pub incarnation: Incarnation,
    pub down: bool,
}

pub(crate) struct ControlImage {
    pub index: u64,
    pub time: LogTime,
    pub wall: Wall,
    pub layout: u16,
    pub voters: Vec<NodeId>,
    pub shards: u16,
    pub nodes: Vec<(NodeId, Node)>,
    pub silent: Vec<(NodeId, Incarnation, NodeId)>,
    pub version: u64,
    pub tenants: Vec<(u64, Arc<Tenant>)>,
    pub trunks: Arc<Vec<Trunk>>,
    pub tokens: Vec<([u8; 32], String)>,
    pub sessions: SessionsImage,
    pub highest: HighestIds,
}

impl Control {
    pub fn last(&self) -> At {
        self.last
    }

    /// What proposals and snapshots of this group are written in.
    pub fn layout(&self) -> u16 {
        self.layout
    }

    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    pub fn shards(&self) -> u16 {
        self.shards
    }

    pub fn node(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(&id).copied()
    }

    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Node)> {
        self.nodes.iter().map(|(id, node)| (*id, *node))
    }

    /// Nodes that may own calls.
    pub fn live(&self) -> Vec<(NodeId, Incarnation)> {
        self.nodes().filter(|(_, node)| !node.down).map(|(id, node)| (id, node.incarnation)).collect()
    }

    /// Whether `voter` stands by its report that this incarnation is silent.
    pub fn is_silent(&self, node: NodeId, incarnation: Incarnation, voter: NodeId) -> bool {
        self.silent.contains(&(node, incarnation, voter))
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// The version in which a tenant last changed.
    pub fn changed(&self, id: TenantId) -> Option<u64> {
        self.changed.get(&id).copied()
    }

    pub fn trunks(&self) -> &Arc<Vec<Trunk>> {
        &self.trunks
    }

    /// Ids up to these were given, whether or not what had them is still there.
    pub fn highest_ids(&self) -> HighestIds {
        self.highest
    }

    pub fn role(&self, token_sha256: &[u8; 32]) -> Option<&str> {
        self.tokens.get(token_sha256).map(String::as_str)
    }

    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    pub fn hash(&self) -> u64 {
        let nodes: Vec<_> = self.nodes().collect();
        let silent: Vec<_> = self.silent.iter().copied().collect();
        let changed: BTreeMap<_, _> = self.changed.iter().collect();
        let tokens: BTreeMap<_, _> = self.tokens.iter().collect();
        let cluster = (self.layout, &self.voters, self.shards, nodes, silent, tokens, self.sessions.hash());
        let configuration = (self.version, changed, self.content, self.highest);
        hash::of(&(cluster, configuration, self.last.time, self.last.wall))
    }

    pub fn apply(&mut self, at: At, proposal: &Proposal) -> Applied {
        debug_assert!(at.index > self.last.index, "entries come in order, once");
        self.last = At { index: at.index, time: at.time.max(self.last.time), wall: at.wall.max(self.last.wall) };
        let outcome = match (&proposal.body, self.sessions.answer(proposal.from, proposal.seq)) {
            (Body::Shard(_), _) => Refusal::WrongGroup.into(),
            (_, Some(first)) if proposal.seq != 0 => first.clone(),
            (Body::Control(command), _) => self.obey(command),
        };
        if proposal.seq != 0 {
            self.sessions.remember(proposal.from, proposal.seq, outcome.clone());
        }
        Applied { outcome, touched: Touched::nothing() }
    }

    fn obey(&mut self, command: &ControlCommand) -> Outcome {
        match command {
            ControlCommand::Tick => self.sessions.forget_old(self.last.time),
            ControlCommand::Found { voters, shards } if self.voters.is_empty() => {
                self.voters.clone_from(voters);
                self.shards = *shards;
            }
            // Founded before: the first voter started again from a blank store is refused elsewhere.
            ControlCommand::Found { .. } => {}
            ControlCommand::Hello { node, incarnation } => return self.hello(*node, *incarnation).into(),
            ControlCommand::Silent { voter, node, incarnation } => self.silent(*voter, *node, *incarnation),
            ControlCommand::Heard { voter, node, incarnation } => {
                self.silent.remove(&(*node, *incarnation, *voter));
            }
            ControlCommand::Configure { version, tenants, trunks } => {
                return self.configure(*version, tenants, trunks).into();
            }
            ControlCommand::Raise { layout, members } => return self.raise(*layout, members).into(),
            ControlCommand::Grant { token_sha256, role } => {
                self.tokens.insert(*token_sha256, role.clone());
            }
        }
        Outcome::Done
    }

    fn raise(&mut self, to: u16, members: &[(NodeId, u16)]) -> Result<(), Refusal> {
        layout::may_raise(self.layout, to, members)?;
        if self.voters.iter().any(|voter| members.iter().all(|(member, _)| member != voter)) {
            return Err(Refusal::TooEarly);
        }
        self.layout = to;
        Ok(())
    }

    fn hello(&mut self, id: NodeId, incarnation: Incarnation) -> Result<(), Refusal> {
        if self
            .node(id)
            .is_some_and(|node| node.incarnation > incarnation || node.down && node.incarnation == incarnation)
        {
            return Err(Refusal::Fenced);
        }
        if let Some(old) = self.node(id).filter(|old| old.incarnation < incarnation) {
            self.sessions.end(Proposer { node: id, incarnation: old.incarnation }, self.last.time);
        }
        self.nodes.insert(id, Node { incarnation, down: false });
        self.silent = self.silent.iter().filter(|(node, _, _)| *node != id).copied().collect();
        Ok(())
    }

    /// A node is down when a majority of the voters has said so of its present incarnation.
    fn silent(&mut self, voter: NodeId, id: NodeId, incarnation: Incarnation) {
        let Some(node) = self.node(id) else { return };
        if node.incarnation != incarnation || node.down || !self.voters.contains(&voter) {
            return;
        }
        self.silent.insert((id, incarnation, voter));
        let reports = self.voters.iter().filter(|voter| self.is_silent(id, incarnation, **voter)).count();
        if reports * 2 > self.voters.len() {
            self.nodes.insert(id, Node { incarnation, down: true });
        }
    }

    fn configure(&mut self, version: u64, tenants: &[Tenant], trunks: &[Trunk]) -> Result<(), Refusal> {
        if version != self.version + 1 {
            return Err(Refusal::OldVersion);
        }
        self.version = version;
        self.highest.raise(tenants, trunks);
        let gone: Vec<TenantId> =
            self.tenants.keys().filter(|id| !tenants.iter().any(|tenant| tenant.id == **id)).copied().collect();
        for id in gone {
            self.tenants.remove(&id);
            self.changed.remove(&id);
        }
        for tenant in tenants {
            if self.tenants.get(&tenant.id).is_none_or(|old| **old != *tenant) {
                self.tenants.insert(tenant.id, Arc::new(tenant.clone()));
                self.changed.insert(tenant.id, version);
            }
        }
        self.trunks = Arc::new(trunks.to_vec());
        self.content = self.content_hash();
        Ok(())
    }

    fn content_hash(&self) -> u64 {
        hash::of(&(self.tenants.values().collect::<Vec<_>>(), &self.trunks))
    }

    /// In the layout in force; see [`Shard::snapshot`](crate::Shard::snapshot).
    pub fn snapshot(&self) -> Vec<u8> {
        self.image().to_bytes(self.layout).expect("the layout in force is known to this build")
    }

    pub fn restore(bytes: &[u8]) -> Result<Self, LayoutFault> {
        ControlImage::from_bytes(bytes).map(Self::from_image)
    }

    fn image(&self) -> ControlImage {
        let tenant = |(id, tenant): (&TenantId, &Arc<Tenant>)| (self.changed(*id).unwrap_or_default(), tenant.clone());
        ControlImage {
            index: self.last.index,
            time: self.last.time,
            wall: self.last.wall,
            layout: self.layout,
            voters: self.voters.clone(),
            shards: self.shards,
            nodes: self.nodes().collect(),
            silent: self.silent.iter().copied().collect(),
            version: self.version,
            tenants: self.tenants.iter().map(tenant).collect(),
            trunks: self.trunks.clone(),
            tokens: self.tokens.iter().map(|(token, role)| (*token, role.clone())).collect(),
            sessions: self.sessions.image(),
            highest: self.highest,
        }
    }

    fn from_image(image: ControlImage) -> Self {
        let mut control = Self {
            last: At { index: image.index, time: image.time, wall: image.wall },
            layout: image.layout,
            voters: image.voters,
            shards: image.shards,
            nodes: image.nodes.into_iter().collect(),
            silent: image.silent.into_iter().collect(),
            version: image.version,
            changed: image.tenants.iter().map(|(version, tenant)| (tenant.id, *version)).collect(),
            tenants: image.tenants.into_iter().map(|(_, tenant)| (tenant.id, tenant)).collect(),
            trunks: image.trunks,
            tokens: image.tokens.into_iter().collect(),
            sessions: Sessions::from_image(image.sessions),
            highest: image.highest,
            content: 0,
        };
        // Before the first configuration there is none to compare.
        if control.version > 0 {
            control.content = control.content_hash();
        }
        control
    }
}

/// Before its first entry, a group has the layout that every build knows.
impl Default for Control {
    fn default() -> Self {
        Self {
            layout: layout::FIRST,
            last: At::default(),
            voters: Vec::new(),
            shards: 0,
            nodes: OrdMap::new(),
            silent: OrdSet::new(),
            version: 0,
            tenants: OrdMap::new(),
            changed: OrdMap::new(),
            trunks: Arc::default(),
            content: 0,
            tokens: OrdMap::new(),
            sessions: Sessions::default(),
            highest: HighestIds::default(),
        }
    }
}
