//! Group 0: who is in the cluster and alive, and the configuration in force.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use strowger_model::config::{NextIds, Trunk};
use strowger_model::{Incarnation, LogTime, NodeId, TenantId, Wall};

use crate::act::Acts;
use crate::layout::{LayoutFault, Written};
use crate::sessions::{Sessions, SessionsImage};
use crate::token::Tokens;
use crate::{
    Act, Applied, At, Body, ControlCommand, Grant, Outcome, Proposal, Proposer, Refusal, TenantRef, Token, Touched,
    hash, layout, limit,
};

/// State of the control group.
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
    /// The last `limit::VERSIONS_KEPT` configurations; the newest is in force.
    versions: OrdMap<u64, Arc<ConfigVersion>>,
    /// The version in which each tenant last changed.
    changed: OrdMap<TenantId, u64>,
    tokens: Tokens,
    acts: Acts,
    sessions: Sessions,
    next_ids: NextIds,
}

/// A configuration as the control group keeps it. What its tenants consist of is in their shards, and as content under
/// its digest.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ConfigVersion {
    /// Counts up by one.
    pub version: u64,
    /// By id.
    pub tenants: Vec<TenantRef>,
    /// In the order of the files: of two that cover an address the first has it.
    pub trunks: Arc<Vec<Trunk>>,
}

/// A node as the cluster sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// Its newest start.
    pub incarnation: Incarnation,
    /// Declared dead: a majority of voters did not hear it.
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
    pub versions: Vec<Arc<ConfigVersion>>,
    pub changed: Vec<(TenantId, u64)>,
    pub tokens: Vec<([u8; 32], Arc<Token>)>,
    pub acts: Vec<(u64, Arc<Act>)>,
    pub sessions: SessionsImage,
    pub next_ids: NextIds,
}

impl Control {
    /// Of the last entry applied.
    pub fn last(&self) -> At {
        self.last
    }

    /// What proposals and snapshots of this group are written in.
    pub fn layout(&self) -> u16 {
        self.layout
    }

    /// None before the cluster is founded.
    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// 0 before the cluster is founded.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// What is known of a node; none if it never said `Hello`.
    pub fn node(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(&id).copied()
    }

    /// All that ever said `Hello`, by id.
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

    /// The version in force; 0 before the first.
    pub fn version(&self) -> u64 {
        self.versions.get_max().map_or(0, |(version, _)| *version)
    }

    /// A configuration of the last `limit::VERSIONS_KEPT`.
    pub fn config(&self, version: u64) -> Option<&Arc<ConfigVersion>> {
        self.versions.get(&version)
    }

    /// Oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Arc<ConfigVersion>> {
        self.versions.values()
    }

    /// Of the version in force, by id.
    pub fn tenants(&self) -> &[TenantRef] {
        self.versions.get_max().map_or(&[], |(_, config)| &config.tenants)
    }

    /// Of the version in force.
    pub fn tenant(&self, id: TenantId) -> Option<&TenantRef> {
        let tenants = self.tenants();
        debug_assert!(tenants.is_sorted_by_key(|tenant| tenant.tenant), "by id: a cluster has thousands");
        tenants.binary_search_by_key(&id, |tenant| tenant.tenant).ok().map(|at| &tenants[at])
    }

    /// The version in which a tenant last changed.
    pub fn changed(&self, id: TenantId) -> Option<u64> {
        self.changed.get(&id).copied()
    }

    /// Of the version in force.
    pub fn trunks(&self) -> Arc<Vec<Trunk>> {
        self.versions.get_max().map(|(_, config)| config.trunks.clone()).unwrap_or_default()
    }

    /// Ids below these were given, whether or not what had them is still there.
    pub fn next_ids(&self) -> NextIds {
        self.next_ids
    }

    /// A token, good or expired; none if nobody was given it, or it was revoked.
    pub fn token(&self, token_sha256: &[u8; 32]) -> Option<&Token> {
        self.tokens.get(token_sha256)
    }

    /// All tokens, good or expired, by the hash of their text.
    pub fn tokens(&self) -> impl Iterator<Item = (&[u8; 32], &Arc<Token>)> {
        self.tokens.iter()
    }

    /// Acts that were begun or ended in an entry after this index, by the index of that entry; the youngest
    /// `limit::ACTS` are kept.
    pub fn acts(&self, after: u64) -> impl Iterator<Item = (u64, &Arc<Act>)> {
        self.acts.after(after)
    }

    /// Whether anybody was ever given a token that was not revoked.
    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Of the whole state; see [`Machine::hash`](crate::Machine::hash).
    pub fn hash(&self) -> u64 {
        let nodes: Vec<_> = self.nodes().collect();
        let silent: Vec<_> = self.silent.iter().copied().collect();
        let changed: Vec<_> = self.changed.iter().collect();
        let tokens: Vec<_> = self.tokens.iter().collect();
        let rights = (tokens, self.acts.image());
        let cluster = (self.layout, &self.voters, self.shards, nodes, silent, rights, self.sessions.hash());
        let configuration = (self.versions().collect::<Vec<_>>(), changed, self.next_ids);
        hash::of(&(cluster, configuration, self.last.time, self.last.wall))
    }

    /// See [`Machine::apply`](crate::Machine::apply).
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
            ControlCommand::Configure { version, tenants, trunks, next_ids } => {
                return self.configure(*version, tenants, trunks, *next_ids).into();
            }
            ControlCommand::Raise { layout, members } => return self.raise(*layout, members).into(),
            ControlCommand::Grant(grant) => return self.grant(grant).into(),
            ControlCommand::Revoke { tenant, name } => {
                return self.tokens.revoke(*tenant, name, self.last.wall).into();
            }
            ControlCommand::Begin(intent) => {
                self.acts.begin(self.last.index, self.last.wall, intent);
                return Outcome::Begun { act: self.last.index };
            }
            ControlCommand::End { act, result } => self.acts.end(self.last.index, *act, result),
            ControlCommand::Used { token_sha256 } => self.tokens.used(token_sha256, self.last.wall),
        }
        Outcome::Done
    }

    fn grant(&mut self, grant: &Grant) -> Result<(), Refusal> {
        if grant.tenant.is_some_and(|tenant| self.tenant(tenant).is_none()) {
            return Err(Refusal::NoSuchTenant);
        }
        self.tokens.grant(grant, self.last.wall)
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

    fn configure(
        &mut self,
        version: u64,
        tenants: &[TenantRef],
        trunks: &[Trunk],
        next_ids: NextIds,
    ) -> Result<(), Refusal> {
        if version != self.version() + 1 {
            return Err(Refusal::OldVersion);
        }
        let mut tenants = tenants.to_vec();
        tenants.sort_by_key(|tenant| tenant.tenant);
        let change = |tenant: &TenantRef| {
            let stays = self.tenant(tenant.tenant).is_some_and(|old| old == tenant);
            (tenant.tenant, self.changed(tenant.tenant).filter(|_| stays).unwrap_or(version))
        };
        self.changed = tenants.iter().map(change).collect();
        self.next_ids = self.next_ids.max(next_ids);
        let old = self.trunks();
        let trunks = if old[..] == *trunks { old } else { Arc::new(trunks.to_vec()) };
        self.versions.insert(version, Arc::new(ConfigVersion { version, tenants, trunks }));
        while self.versions.len() > limit::VERSIONS_KEPT {
            let Some(first) = self.versions.get_min().map(|(version, _)| *version) else { break };
            self.versions.remove(&first);
        }
        Ok(())
    }

    /// In the layout in force; see [`Shard::snapshot`](crate::Shard::snapshot).
    pub fn snapshot(&self) -> Vec<u8> {
        self.image().to_bytes(self.layout).expect("the layout in force is known to this build")
    }

    /// From what [`Control::snapshot`] made, in any layout that this build knows.
    pub fn restore(bytes: &[u8]) -> Result<Self, LayoutFault> {
        ControlImage::from_bytes(bytes).map(Self::from_image)
    }

    fn image(&self) -> ControlImage {
        ControlImage {
            index: self.last.index,
            time: self.last.time,
            wall: self.last.wall,
            layout: self.layout,
            voters: self.voters.clone(),
            shards: self.shards,
            nodes: self.nodes().collect(),
            silent: self.silent.iter().copied().collect(),
            versions: self.versions().cloned().collect(),
            changed: self.changed.iter().map(|(tenant, version)| (*tenant, *version)).collect(),
            tokens: self.tokens.image(),
            acts: self.acts.image(),
            sessions: self.sessions.image(),
            next_ids: self.next_ids,
        }
    }

    fn from_image(image: ControlImage) -> Self {
        Self {
            last: At { index: image.index, time: image.time, wall: image.wall },
            layout: image.layout,
            voters: image.voters,
            shards: image.shards,
            nodes: image.nodes.into_iter().collect(),
            silent: image.silent.into_iter().collect(),
            versions: image.versions.into_iter().map(|config| (config.version, config)).collect(),
            changed: image.changed.into_iter().collect(),
            tokens: Tokens::from_image(image.tokens),
            acts: Acts::from_image(image.acts),
            sessions: Sessions::from_image(image.sessions),
            next_ids: image.next_ids,
        }
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
            versions: OrdMap::new(),
            changed: OrdMap::new(),
            tokens: Tokens::default(),
            acts: Acts::default(),
            sessions: Sessions::default(),
            next_ids: NextIds::default(),
        }
    }
}
