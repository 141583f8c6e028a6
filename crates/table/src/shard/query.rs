//! What is asked of a shard.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::config::{Queue, Tenant};
use strowger_model::{
    AgentId, CallId, CampaignId, Dialog, Digest, E164, Incarnation, LeadId, LegKey, LogTime, NodeId, PlaceId, QueueId,
    RelayId, TenantId, TrunkId,
};

use super::Shard;
use super::index::Staff;
use crate::{
    AdmitKey, Agent, BarList, Call, Data, Lead, Ledger, Medium, Place, Rank, Record, Refusal, Reserver, RowKey, Scope,
    SlotState,
};

/// How many rows a shard holds, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Busy {
    /// Calls, with those that ended a moment ago.
    pub calls: usize,
    /// Places that wait to be offered.
    pub waiting: usize,
    /// All places.
    pub places: usize,
    /// Agents.
    pub agents: usize,
    /// Leads, done or not.
    pub leads: usize,
    /// Records that are kept for voters which were away.
    pub outbox: usize,
    /// Pieces of configurations that are on their way.
    pub parts: usize,
}

/// Calls, their legs, their places.
impl Shard {
    /// How many rows there are.
    pub fn busy(&self) -> Busy {
        Busy {
            calls: self.calls.len(),
            waiting: self.index.waiting.len(),
            places: self.places.len(),
            agents: self.agents.len(),
            leads: self.leads.len(),
            outbox: self.outbox.len(),
            parts: self.parts.len(),
        }
    }

    /// A call, until `limit::ENDED_LINGER` after its end.
    pub fn call(&self, id: CallId) -> Option<&Arc<Call>> {
        self.calls.get(&id)
    }

    /// The call that an INVITE was admitted as.
    pub fn call_by_key(&self, key: &AdmitKey) -> Option<&Arc<Call>> {
        self.index.by_key.get(key).and_then(|id| self.calls.get(id))
    }

    /// All, by id.
    pub fn calls(&self) -> impl Iterator<Item = &Arc<Call>> {
        self.calls.iter().map(|(_, call)| call)
    }

    /// The call whose row a leg is in: the one it was born in, unless it moved.
    pub fn call_of_leg(&self, leg: LegKey) -> Option<&Arc<Call>> {
        let id = self.index.moved.get(&leg).copied().unwrap_or(leg.call);
        self.calls.get(&id).filter(|call| call.leg(leg).is_some())
    }

    /// The row that has a leg, or had it: its owner knows what to say to who left.
    pub fn row_of_leg(&self, leg: LegKey) -> Option<&Arc<Call>> {
        self.call_of_leg(leg).or_else(|| self.calls.get(&leg.call))
    }

    /// The dialog of a leg, while it has one.
    pub fn dialog(&self, leg: LegKey) -> Option<&Arc<Dialog>> {
        self.dialogs.get(&leg)
    }

    /// What the flow learnt of a call.
    pub fn data(&self, call: CallId) -> Option<&Arc<Data>> {
        self.data.get(&call)
    }

    /// The agent who serves the customer of a call.
    pub fn serving(&self, call: CallId) -> Option<AgentId> {
        self.calls.get(&call).and_then(|call| call.serving_agent())
    }

    /// The agent kept for the answer of a call's customer.
    pub fn reserved(&self, call: &Call) -> Option<AgentId> {
        let agent = call.outbound()?.agent;
        let kept = SlotState::Reserved { by: Reserver::Call(call.id), until: LogTime::MAX };
        self.agents.get(&agent).filter(|agent| agent.slots.iter().any(|slot| slot.state == kept)).map(|_| agent)
    }

    /// A place.
    pub fn place(&self, id: PlaceId) -> Option<&Arc<Place>> {
        self.places.get(&id)
    }

    /// All, by id.
    pub fn places(&self) -> impl Iterator<Item = &Arc<Place>> {
        self.places.iter().map(|(_, place)| place)
    }

    /// The place that a call waits at, or is served from.
    pub fn place_of(&self, call: CallId) -> Option<&Arc<Place>> {
        self.calls.get(&call).and_then(|call| call.place).and_then(|place| self.places.get(&place))
    }

    /// The queue that a call is in, or was in last; with its last content when it left the configuration.
    pub fn queue(&self, call: &Call) -> Option<&Queue> {
        self.queue_of(call.tenant, call.queue())
    }

    pub(super) fn queue_of(&self, tenant: TenantId, queue: Option<QueueId>) -> Option<&Queue> {
        let id = queue?;
        self.tenant(tenant).and_then(|tenant| tenant.queue(id)).or_else(|| self.closing_queue(id))
    }

    /// Whether a call waits to be offered: nobody serves it and no phone rings for it.
    pub fn is_waiting(&self, call: CallId) -> bool {
        self.place_of(call).is_some_and(|place| place.is_waiting())
    }

    /// Queues in which somebody waits to be offered, in order.
    pub fn waiting_queues(&self) -> impl Iterator<Item = QueueId> {
        self.index.lengths.iter().map(|(queue, _)| *queue)
    }

    /// Places that wait to be offered, in order: the rank of each, which names it, and its call.
    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = (Rank, Option<CallId>)> + '_ {
        // Without an end: a bounded range would look its end up as well, though most readers want the first few.
        let from = self.index.waiting.range((queue, Rank::FIRST)..);
        from.take_while(move |((of, _), _)| *of == queue).map(|((_, rank), call)| (*rank, *call))
    }

    /// Their rows, in order.
    pub fn waiting(&self, queue: QueueId) -> impl Iterator<Item = &Arc<Place>> {
        self.line(queue).filter_map(|(rank, _)| self.places.get(&rank.id))
    }

    /// How many places of a queue wait to be offered.
    pub fn waiting_length(&self, queue: QueueId) -> usize {
        self.index.lengths.get(&queue).copied().unwrap_or_default()
    }

    /// How many wait before this place.
    pub fn ahead(&self, place: &Place) -> usize {
        self.line(place.queue).take_while(|(rank, _)| *rank < place.rank).count()
    }

    /// Whether any place waits to be offered.
    pub fn anyone_waiting(&self) -> bool {
        !self.index.waiting.is_empty()
    }

    /// Legs that a relay holds for live calls of this shard.
    pub fn relay_legs(&self, relay: RelayId) -> usize {
        self.index.legs.get(&relay).copied().unwrap_or_default()
    }

    /// Lines of a trunk that calls of this shard take, in and out.
    pub fn lines(&self, trunk: TrunkId) -> usize {
        self.index.lines.get(&trunk).copied().unwrap_or_default()
    }
}

/// Agents and tenants.
impl Shard {
    /// An agent.
    pub fn agent(&self, id: AgentId) -> Option<&Arc<Agent>> {
        self.agents.get(&id)
    }

    /// All, by id.
    pub fn agents(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.iter().map(|(_, agent)| agent)
    }

    /// Agents in the order of their ids, from this one on.
    pub fn agents_from(&self, id: AgentId) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.range(id..).map(|(_, agent)| agent)
    }

    /// How many agents of a queue are in each state, in the order of `Agent::STATE_NAMES`.
    pub fn staff(&self, queue: QueueId) -> Staff {
        self.index.staff.get(&queue).copied().unwrap_or_default()
    }

    /// Agents of a queue with a free slot for a medium, the longest idle first.
    pub fn idle(&self, queue: QueueId, medium: Medium) -> impl Iterator<Item = (LogTime, AgentId, u8)> {
        let from = self.index.idle.range((queue, medium, LogTime::ZERO, AgentId(0), 0)..);
        let of_queue = from.take_while(move |(of, kind, ..)| (*of, *kind) == (queue, medium));
        of_queue.map(|(_, _, since, agent, slot)| (*since, *agent, *slot))
    }

    /// A tenant of this shard, as it is in force here.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id).map(|row| &*row.tenant)
    }

    /// For those who keep it.
    pub fn shared_tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id).map(|row| &row.tenant)
    }

    /// All of this shard, by id.
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

    /// Content that the shard's rows name: tenants in force and what they play, earlier flows that calls are in, queues
    /// that close, lists of leads. Some of it more than once.
    pub fn named_content(&self) -> impl Iterator<Item = Digest> {
        let in_force = self.tenants.iter().flat_map(|(_, row)| row.tenant.prompts().chain([row.digest]));
        let closing = self.closing.iter().map(|(_, closing)| closing.queue.music);
        let lists = self.campaigns().flat_map(|ledger| ledger.batches.iter().copied());
        in_force.chain(self.flows.prompts()).chain(closing).chain(lists)
    }

    /// Differs whenever the configuration of a tenant here does.
    pub fn config_mark(&self) -> u64 {
        self.tenants.hash()
    }
}

/// Campaigns and whom they may call.
impl Shard {
    /// A campaign's ledger.
    pub fn campaign(&self, id: CampaignId) -> Option<&Arc<Ledger>> {
        self.campaigns.get(&id)
    }

    /// All, by id; with those that have left the configuration.
    pub fn campaigns(&self) -> impl Iterator<Item = &Arc<Ledger>> {
        self.campaigns.iter().map(|(_, ledger)| ledger)
    }

    /// A lead.
    pub fn lead(&self, id: LeadId) -> Option<&Arc<Lead>> {
        self.leads.get(&id)
    }

    /// The leads of a campaign, in the order in which they were taken.
    pub fn leads(&self, campaign: CampaignId) -> impl Iterator<Item = &Arc<Lead>> {
        self.leads.range(LeadId::new(campaign, 0)..=LeadId::new(campaign, u32::MAX)).map(|(_, lead)| lead)
    }

    /// The lead of a campaign that has this number.
    pub fn lead_by_number(&self, campaign: CampaignId, number: E164) -> Option<&Arc<Lead>> {
        self.index.by_number.get(&(campaign, number)).and_then(|id| self.leads.get(id))
    }

    /// The call that has a number: a live one, or one whose called party is still being hung up on.
    pub fn dialled(&self, tenant: TenantId, number: E164) -> Option<CallId> {
        self.index.dialled.get(&(tenant, number)).copied()
    }

    /// Whether a number is on a tenant's list or on everybody's.
    pub fn is_barred(&self, list: BarList, tenant: TenantId, number: E164) -> bool {
        [Scope::Everyone, Scope::Tenant(tenant)]
            .into_iter()
            .any(|scope| self.bars.get(&(list, scope, number)).is_some())
    }

    /// What is on one list, by number. Walks all bars: for people, not for calls.
    pub fn bars(&self, list: BarList, scope: Scope) -> impl Iterator<Item = E164> {
        self.bars.iter().map(|(key, _)| key).filter(move |key| (key.0, key.1) == (list, scope)).map(|key| key.2)
    }

    /// Whether a number may be dialled now, whoever wants it: on no list, on no call.
    pub fn may_dial(&self, tenant: TenantId, number: E164) -> Result<(), Refusal> {
        if self.is_barred(BarList::DoNotCall, tenant, number) {
            return Err(Refusal::Barred);
        }
        if self.dialled(tenant, number).is_some() {
            return Err(Refusal::LeadBusy);
        }
        Ok(())
    }

    /// Whether an agent who is idle may be taken for a campaign. Inbound goes first: while somebody waits whom the
    /// agent could take, the planner has the agent.
    pub fn is_free_for_dial(&self, agent: &Agent) -> bool {
        agent.queues.iter().all(|queue| self.waiting_length(*queue) == 0)
    }
}

/// Deadlines, owners, records.
impl Shard {
    /// The first deadline of all rows, in log time; none without rows.
    pub fn next_lease(&self) -> Option<LogTime> {
        self.index.leases.get_min().map(|(deadline, _)| *deadline)
    }

    /// Rows that outlived their deadline by more than `grace`: what "stuck" means.
    pub fn overdue(&self, now: LogTime, grace: Duration) -> impl Iterator<Item = RowKey> {
        self.index.leases.range(..(now - grace, RowKey::Call(CallId(0)))).map(|(_, row)| *row)
    }

    /// The incarnations that own rows here.
    pub fn owners(&self) -> impl Iterator<Item = (NodeId, Incarnation)> {
        self.index.owned.keys().copied()
    }

    /// The last life of a node that is known here to be over.
    pub fn fenced(&self, node: NodeId) -> Incarnation {
        self.fenced.get(&node).map(|over| **over).unwrap_or_default()
    }

    /// Records after a cursor, oldest first.
    pub fn records(&self, after: u64) -> impl Iterator<Item = (u64, &Arc<Record>)> {
        self.outbox.range(after + 1..).map(|(number, record)| (*number, record))
    }

    /// The oldest record that is still here.
    pub fn first_record(&self) -> Option<u64> {
        self.outbox.first_key().copied()
    }
}
