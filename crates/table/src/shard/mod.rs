//! A shard: the routing table of some tenants. This file holds the state, its indexes and its questions;
//! the files beside it hold what the commands do.

mod admit;
mod agents;
mod apply;
mod bars;
mod campaigns;
mod closing;
mod config;
mod dial;
mod expire;
mod flows;
mod image;
mod life;
mod offer;
mod owner;
mod parts;

use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};
use strowger_model::config::{Queue, Tenant};
use strowger_model::{
    AgentId, CallId, CampaignId, Dialog, Digest, E164, Incarnation, LeadId, LegKey, LogTime, NodeId, QueueId, RelayId,
    ShardId, TenantId, Wall,
};

use crate::rowmap::RowMap;
use crate::sessions::Sessions;
use crate::{AdmitKey, Agent, AgentState, At, BarList, Call, Lead, LeadState, Ledger, Place, Record, Scope};

#[derive(Clone, Debug)]
pub struct Shard {
    id: ShardId,
    last: At,
    tenants: RowMap<TenantId, Configured>,
    staged: RowMap<TenantId, parts::Staged>,
    parts: RowMap<(TenantId, u16), Vec<u8>>,
    closing: RowMap<QueueId, closing::Closing>,
    flows: flows::KeptFlows,
    calls: RowMap<CallId, Call>,
    agents: RowMap<AgentId, Agent>,
    campaigns: RowMap<CampaignId, Ledger>,
    leads: RowMap<LeadId, Lead>,
    bars: RowMap<(BarList, Scope, E164), ()>,
    outbox: RowMap<u64, Record>,
    sessions: Sessions,
    /// The newest incarnation of each node that is known to be over.
    fenced: OrdMap<NodeId, Incarnation>,
    /// INVITEs answered 503 before their `Admit` was committed; a late `Admit` is refused.
    withdrawn: OrdMap<AdmitKey, LogTime>,

    // Indexes, derived from the rows and rebuilt with them.
    by_key: OrdMap<AdmitKey, CallId>,
    waiting: OrdSet<(QueueId, u64, CallId)>,
    /// How many wait in each queue.
    lengths: OrdMap<QueueId, usize>,
    idle: OrdSet<(QueueId, LogTime, AgentId)>,
    /// How many agents of each queue are in each state, by `AgentState::NAMES`: what an explanation counts.
    staff: OrdMap<QueueId, Staff>,
    leases: OrdSet<(LogTime, LeaseKey)>,
    owned: OrdMap<(NodeId, Incarnation), usize>,
    /// By campaign and zone of its ledger: who is asleep is passed over at once. Barred numbers are not in it: they
    /// would gather at its head, where each round of the pacer would have to step over them.
    due: OrdSet<(CampaignId, u16, Wall, LeadId)>,
    by_number: OrdMap<(CampaignId, E164), LeadId>,
    /// Numbers that outbound calls have, until their phones are told that it is over.
    dialled: OrdMap<(TenantId, E164), CallId>,
    /// Legs that relays hold for live calls.
    legs: OrdMap<RelayId, usize>,
    /// Calls changed by the entry being applied.
    touched: Vec<CallId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Configured {
    version: u64,
    digest: Digest,
    tenant: Arc<Tenant>,
}

/// The digest stands for the content, which is large.
impl std::hash::Hash for Configured {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.version, self.digest).hash(state);
    }
}

/// Agents of a queue by state, in the order of `AgentState::NAMES`.
pub type Staff = [usize; AgentState::NAMES.len()];

/// Whose deadline it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LeaseKey {
    Call(CallId),
    Agent(AgentId),
    /// Parts of a configuration that nobody puts in force.
    Parts(TenantId),
    /// A queue that left the configuration.
    Queue(QueueId),
}

/// How many rows a shard holds, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Busy {
    pub calls: usize,
    pub waiting: usize,
    pub agents: usize,
    pub leads: usize,
    pub outbox: usize,
}

impl Shard {
    pub fn new(id: ShardId) -> Self {
        Self {
            id,
            last: At::default(),
            tenants: RowMap::default(),
            staged: RowMap::default(),
            parts: RowMap::default(),
            closing: RowMap::default(),
            flows: flows::KeptFlows::default(),
            calls: RowMap::default(),
            agents: RowMap::default(),
            campaigns: RowMap::default(),
            leads: RowMap::default(),
            bars: RowMap::default(),
            outbox: RowMap::default(),
            sessions: Sessions::default(),
            fenced: OrdMap::new(),
            withdrawn: OrdMap::new(),
            by_key: OrdMap::new(),
            waiting: OrdSet::new(),
            lengths: OrdMap::new(),
            idle: OrdSet::new(),
            staff: OrdMap::new(),
            leases: OrdSet::new(),
            owned: OrdMap::new(),
            due: OrdSet::new(),
            by_number: OrdMap::new(),
            dialled: OrdMap::new(),
            legs: OrdMap::new(),
            touched: Vec::new(),
        }
    }

    pub fn id(&self) -> ShardId {
        self.id
    }

    pub fn last(&self) -> At {
        self.last
    }

    pub fn hash(&self) -> u64 {
        let dialling = [self.campaigns.hash(), self.leads.hash(), self.bars.hash()];
        let config = [self.staged.hash(), self.parts.hash(), self.closing.hash(), self.flows.hash()];
        [self.tenants.hash(), self.calls.hash(), self.agents.hash(), self.outbox.hash()]
            .into_iter()
            .chain(dialling)
            .chain(config)
            .fold(0, |sum: u64, part| sum.rotate_left(16).wrapping_add(part))
    }

    pub fn busy(&self) -> Busy {
        Busy {
            calls: self.calls.len(),
            waiting: self.waiting.len(),
            agents: self.agents.len(),
            leads: self.leads.len(),
            outbox: self.outbox.len(),
        }
    }

    pub fn call(&self, id: CallId) -> Option<&Arc<Call>> {
        self.calls.get(&id)
    }

    pub fn call_by_key(&self, key: &AdmitKey) -> Option<&Arc<Call>> {
        self.by_key.get(key).and_then(|id| self.calls.get(id))
    }

    pub fn calls(&self) -> impl Iterator<Item = &Arc<Call>> {
        self.calls.iter().map(|(_, call)| call)
    }

    /// The dialog of a leg, as it is committed.
    pub fn dialog(&self, leg: LegKey) -> Option<&Dialog> {
        let call = self.calls.get(&leg.call)?;
        if leg.leg == Call::CALLER_LEG {
            return call.caller.as_ref();
        }
        call.agent_leg(leg.leg)?.dialog.as_ref()
    }

    /// The place that a call holds in a queue, offered or not.
    pub fn place_of(&self, call: CallId) -> Option<Place> {
        self.calls.get(&call)?.place()
    }

    pub fn agent(&self, id: AgentId) -> Option<&Arc<Agent>> {
        self.agents.get(&id)
    }

    pub fn agents(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.iter().map(|(_, agent)| agent)
    }

    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id).map(|row| &*row.tenant)
    }

    /// For those who keep it.
    pub fn shared_tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id).map(|row| &row.tenant)
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().map(|(_, row)| &*row.tenant)
    }

    /// The version of a tenant's configuration that is in force here.
    pub fn config_version(&self, id: TenantId) -> Option<u64> {
        self.tenants.get(&id).map(|row| row.version)
    }

    /// The digest of a tenant's configuration that is in force here.
    pub fn config_digest(&self, id: TenantId) -> Option<Digest> {
        self.tenants.get(&id).map(|row| row.digest)
    }

    /// Differs whenever the configuration of a tenant here does.
    pub fn config_mark(&self) -> u64 {
        self.tenants.hash()
    }

    /// The queue that a call is or was in; with its last content when it left the configuration.
    pub fn queue(&self, call: &Call) -> Option<&Queue> {
        let id = call.queue?;
        let in_force = self.tenant(call.tenant).and_then(|tenant| tenant.queue(id));
        in_force.or_else(|| self.closing_queue(id))
    }

    /// Queues in which calls wait to be offered, each with the place of its first call.
    pub fn waiting_queues(&self) -> Vec<(QueueId, u64)> {
        let mut heads = Vec::new();
        let mut next = self.waiting.get_min().copied();
        while let Some((queue, order, _)) = next {
            heads.push((queue, order));
            next = self.waiting.range((QueueId(queue.0 + 1), 0, CallId(0))..).next().copied();
        }
        heads
    }

    /// Calls that wait to be offered, in order.
    pub fn waiting(&self, queue: QueueId) -> impl Iterator<Item = (u64, CallId)> {
        let all = (queue, 0, CallId(0))..=(queue, u64::MAX, CallId(u64::MAX));
        self.waiting.range(all).map(|(_, order, call)| (*order, *call))
    }

    /// How many calls of a queue wait to be offered.
    pub fn waiting_length(&self, queue: QueueId) -> usize {
        self.lengths.get(&queue).copied().unwrap_or_default()
    }

    /// How many agents of a queue are in each state, in the order of `AgentState::NAMES`.
    pub fn staff(&self, queue: QueueId) -> Staff {
        self.staff.get(&queue).copied().unwrap_or_default()
    }

    /// Idle agents of a queue, the longest idle first.
    pub fn idle(&self, queue: QueueId) -> impl Iterator<Item = (LogTime, AgentId)> {
        let all = (queue, LogTime::ZERO, AgentId(0))..=(queue, LogTime::MAX, AgentId(u32::MAX));
        self.idle.range(all).map(|(_, since, agent)| (*since, *agent))
    }

    pub fn campaign(&self, id: CampaignId) -> Option<&Arc<Ledger>> {
        self.campaigns.get(&id)
    }

    pub fn campaigns(&self) -> impl Iterator<Item = &Arc<Ledger>> {
        self.campaigns.iter().map(|(_, ledger)| ledger)
    }

    pub fn lead(&self, id: LeadId) -> Option<&Arc<Lead>> {
        self.leads.get(&id)
    }

    /// The leads of a campaign, in the order in which they were taken.
    pub fn leads(&self, campaign: CampaignId) -> impl Iterator<Item = &Arc<Lead>> {
        self.leads.range(LeadId::new(campaign, 0)..=LeadId::new(campaign, u32::MAX)).map(|(_, lead)| lead)
    }

    pub fn lead_by_number(&self, campaign: CampaignId, number: E164) -> Option<&Arc<Lead>> {
        self.by_number.get(&(campaign, number)).and_then(|id| self.leads.get(id))
    }

    /// Leads of a campaign that wait to be dialled and are not barred, of one of its ledger's zones; the longest due
    /// first.
    pub fn due(&self, campaign: CampaignId, zone: u16) -> impl Iterator<Item = (Wall, LeadId)> {
        let all = (campaign, zone, Wall(0), LeadId(0))..=(campaign, zone, Wall(u64::MAX), LeadId(u64::MAX));
        self.due.range(all).map(|(_, _, at, lead)| (*at, *lead))
    }

    /// The call that has a number: a live one, or one whose called party is still being hung up on.
    pub fn dialled(&self, tenant: TenantId, number: E164) -> Option<CallId> {
        self.dialled.get(&(tenant, number)).copied()
    }

    /// Whether a number is on a tenant's list or on everybody's.
    pub fn is_barred(&self, list: BarList, tenant: TenantId, number: E164) -> bool {
        [Scope::Everyone, Scope::Tenant(tenant)]
            .into_iter()
            .any(|scope| self.bars.get(&(list, scope, number)).is_some())
    }

    pub fn bars(&self, list: BarList, scope: Scope) -> impl Iterator<Item = E164> {
        self.bars.iter().map(|(key, _)| key).filter(move |key| (key.0, key.1) == (list, scope)).map(|key| key.2)
    }

    /// Legs of live calls that a relay holds for this shard.
    pub fn relay_legs(&self, relay: RelayId) -> usize {
        self.legs.get(&relay).copied().unwrap_or_default()
    }

    pub fn anyone_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next deadline of all.
    pub fn next_lease(&self) -> Option<LogTime> {
        self.leases.get_min().map(|(deadline, _)| *deadline)
    }

    /// Leases that outlived their deadline by more than `grace`: what "stuck" means.
    pub fn overdue(&self, now: LogTime, grace: Duration) -> impl Iterator<Item = LeaseKey> {
        self.leases.range(..(now - grace, LeaseKey::Call(CallId(0)))).map(|(_, key)| *key)
    }

    /// The incarnations that own rows here.
    pub fn owners(&self) -> impl Iterator<Item = (NodeId, Incarnation)> {
        self.owned.keys().copied()
    }

    /// Records after a cursor, oldest first.
    pub fn records(&self, after: u64) -> impl Iterator<Item = (u64, &Arc<Record>)> {
        self.outbox.range(after + 1..).map(|(number, record)| (*number, record))
    }

    pub fn first_record(&self) -> Option<u64> {
        self.outbox.first_key().copied()
    }

    fn max_wait(&self, call: &Call) -> Option<Duration> {
        self.queue(call).map(|queue| Duration::from_millis(queue.max_wait_ms.into()))
    }

    fn put_call(&mut self, call: Call) {
        let id = call.id;
        if let Some(old) = self.calls.get(&id).cloned() {
            self.unindex_call(&old);
        } else if let Some(key) = call.key() {
            self.by_key.insert(key.clone(), id);
        }
        if let Some(outbound) = call.outbound().filter(|_| call.has_called_party()) {
            self.dialled.insert((call.tenant, outbound.number), id);
        }
        for relay in live_legs(&call) {
            *self.legs.entry(relay).or_insert(0) += 1;
        }
        if let (true, Some(queue)) = (call.is_waiting(), call.queue) {
            self.waiting.insert((queue, call.order, id));
            *self.lengths.entry(queue).or_insert(0) += 1;
            self.empty_again(queue);
        }
        self.leases.insert((call.lease(self.max_wait(&call)), LeaseKey::Call(id)));
        *self.owned.entry((call.owner.node, call.owner.incarnation)).or_insert(0) += 1;
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
        self.calls.put(id, call);
    }

    fn remove_call(&mut self, id: CallId) {
        if let Some(old) = self.calls.remove(&id) {
            self.unindex_call(&old);
            if let Some(key) = old.key() {
                self.by_key.remove(key);
            }
            self.touched.push(id);
        }
    }

    fn unindex_call(&mut self, old: &Call) {
        if let (true, Some(queue)) = (old.is_waiting(), old.queue) {
            self.waiting.remove(&(queue, old.order, old.id));
            count_down(&mut self.lengths, &queue);
        }
        self.leases.remove(&(old.lease(self.max_wait(old)), LeaseKey::Call(old.id)));
        if let Some(outbound) = old.outbound().filter(|_| old.has_called_party()) {
            self.dialled.remove(&(old.tenant, outbound.number));
        }
        live_legs(old).for_each(|relay| count_down(&mut self.legs, &relay));
        count_down(&mut self.owned, &(old.owner.node, old.owner.incarnation));
    }

    fn put_lead(&mut self, lead: Lead) {
        match self.leads.get(&lead.id).cloned() {
            Some(old) => self.unlist(&old),
            None => drop(self.by_number.insert((lead.id.campaign(), lead.number), lead.id)),
        }
        self.list(&lead);
        self.leads.put(lead.id, lead);
    }

    /// Puts a lead among those to be dialled, if it is one.
    fn list(&mut self, lead: &Lead) {
        let campaign = lead.id.campaign();
        let Some(tenant) = self.campaigns.get(&campaign).map(|ledger| ledger.tenant) else { return };
        if let LeadState::Due { at } = lead.state
            && !self.is_barred(BarList::DoNotCall, tenant, lead.number)
        {
            self.due.insert((campaign, lead.zone, at, lead.id));
        }
    }

    fn unlist(&mut self, lead: &Lead) {
        if let LeadState::Due { at } = lead.state {
            self.due.remove(&(lead.id.campaign(), lead.zone, at, lead.id));
        }
    }

    fn put_agent(&mut self, agent: Agent) {
        let id = agent.id;
        // Left the configuration while at work, and the work is over.
        if !agent.is_at_work() && self.tenant(agent.tenant).and_then(|tenant| tenant.agent(id)).is_none() {
            return self.remove_agent(id);
        }
        self.unindex_agent(id);
        for queue in &agent.queues {
            self.staff.entry(*queue).or_default()[agent.state.index()] += 1;
            if agent.state == AgentState::Idle {
                self.idle.insert((*queue, agent.idle_since, id));
            }
        }
        let lease = agent.lease();
        if lease < LogTime::MAX {
            self.leases.insert((lease, LeaseKey::Agent(id)));
        }
        self.agents.put(id, agent);
    }

    fn remove_agent(&mut self, id: AgentId) {
        self.unindex_agent(id);
        self.agents.remove(&id);
    }

    fn unindex_agent(&mut self, id: AgentId) {
        let Some(old) = self.agents.get(&id).cloned() else { return };
        for queue in &old.queues {
            if let Some(staff) = self.staff.get_mut(queue) {
                staff[old.state.index()] -= 1;
            }
            if old.state == AgentState::Idle {
                self.idle.remove(&(*queue, old.idle_since, id));
            }
        }
        self.leases.remove(&(old.lease(), LeaseKey::Agent(id)));
    }
}

/// The relay of each leg of a live call.
fn live_legs(call: &Call) -> impl Iterator<Item = RelayId> {
    let agents = call.agent.iter().chain(&call.leaving).map(|agent| agent.relay);
    let legs: Vec<RelayId> = if call.is_over() { Vec::new() } else { call.relay.into_iter().chain(agents).collect() };
    legs.into_iter()
}

fn count_down<K: Ord + Clone>(counts: &mut OrdMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(key)),
    }
}
