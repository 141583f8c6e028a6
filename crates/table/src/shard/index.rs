//! What is derived from the rows and kept with them, so that questions need no search. Each `put` takes out what the
//! old row stood for and puts in what the new one does.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use strowger_model::{
    AgentId, CallId, CampaignId, Dialog, E164, Incarnation, LeadId, LegKey, LogTime, NodeId, PlaceId, QueueId, RelayId,
    TenantId, Wall,
};

use super::Shard;
use crate::{
    AdmitKey, Agent, BarList, Call, Data, DutyKind, Lead, LeadState, Ledger, Medium, Place, Rank, RowKey, SlotState,
    Touched, Tried, limit,
};

/// Agents of a queue by state, in the order of `Agent::STATE_NAMES`.
pub type Staff = [usize; Agent::STATE_NAMES.len()];

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Index {
    pub by_key: OrdMap<AdmitKey, CallId>,
    /// Legs that are in another call's row than the one they were born in.
    pub moved: OrdMap<LegKey, CallId>,
    /// Places that wait to be offered, with the call of each: a plan needs no more of most of them.
    pub waiting: OrdMap<(QueueId, Rank), Option<CallId>>,
    /// How many wait in each queue.
    pub lengths: OrdMap<QueueId, usize>,
    pub idle: OrdSet<(QueueId, Medium, LogTime, AgentId, u8)>,
    /// How many agents of each queue are in each state: what an explanation counts.
    pub staff: OrdMap<QueueId, Staff>,
    pub leases: OrdSet<(LogTime, RowKey)>,
    pub owned: OrdMap<(NodeId, Incarnation), usize>,
    /// Leads that no call is to, by what the policy judges them by, and since when they wait. So a policy that changes
    /// moves nobody: it is asked once for all that are alike. By zone: leads of one whose hours are over are passed over
    /// at once. Barred numbers are not in it: they would gather at its head, where each round of the pacer would have to
    /// step over them.
    pub waiting_leads: OrdSet<(CampaignId, u16, Tried, Wall, LeadId)>,
    /// How many leads no call is to, barred or not.
    pub tried: OrdMap<(CampaignId, Tried), usize>,
    /// How many of those are not barred.
    pub unbarred: OrdMap<(CampaignId, Tried), usize>,
    pub by_number: OrdMap<(CampaignId, E164), LeadId>,
    /// Numbers that outbound calls have, until their phones are told that it is over.
    pub dialled: OrdMap<(TenantId, E164), CallId>,
    /// Legs that relays hold for live calls.
    pub legs: OrdMap<RelayId, usize>,
    /// By agent and slot: phones that are told to hang up and have not done so yet.
    pub hang_ups: OrdMap<(AgentId, u8), usize>,
}

impl Shard {
    pub(super) fn touch(&mut self, row: RowKey) {
        match &mut self.touched {
            Touched::Few(rows) if rows.contains(&row) => {}
            Touched::Few(rows) if rows.len() < limit::TOUCHED_FEW => rows.push(row),
            touched => *touched = Touched::Many,
        }
    }

    pub(super) fn put_call(&mut self, call: Call) {
        let id = call.id;
        if let Some(position) = call.flow_in_use() {
            self.flows.keep(position.flow, position.version);
        }
        let old = self.calls.get(&id).cloned();
        if let Some(old) = &old {
            self.unindex_call(old);
        } else if let Some(key) = call.key() {
            self.index.by_key.insert(key.clone(), id);
        }
        for slot in hang_ups(&call) {
            *self.index.hang_ups.entry(slot).or_insert(0) += 1;
        }
        if let Some(outbound) = call.outbound().filter(|_| call.has_called_party()) {
            self.index.dialled.insert((call.tenant, outbound.number), id);
        }
        for relay in live_relays(&call) {
            *self.index.legs.entry(relay).or_insert(0) += 1;
        }
        for leg in call.legs.iter().filter(|leg| leg.key.call != id) {
            self.index.moved.insert(leg.key, id);
        }
        self.lease(call.lease(), RowKey::Call(id));
        *self.index.owned.entry((call.owner.node, call.owner.incarnation)).or_insert(0) += 1;
        self.touch(RowKey::Call(id));
        let changed = old.iter().flat_map(|old| hang_ups(old)).chain(hang_ups(&call)).map(|(agent, _)| agent);
        let agents: Vec<AgentId> = changed.collect();
        self.calls.put(id, call);
        self.settle_agents(&agents);
    }

    /// Agents of whose phones one may have hung up, or be told to.
    fn settle_agents(&mut self, agents: &[AgentId]) {
        for id in agents {
            if let Ok(agent) = self.agent_row(*id) {
                self.put_agent(agent);
            }
        }
    }

    /// Takes a call off the table, with what is kept beside it.
    pub(super) fn remove_call(&mut self, id: CallId) {
        let Some(old) = self.calls.remove(&id) else { return };
        self.unindex_call(&old);
        if let Some(key) = old.key() {
            self.index.by_key.remove(key);
        }
        for leg in &old.legs {
            self.dialogs.remove(&leg.key);
        }
        self.data.remove(&id);
        self.touch(RowKey::Call(id));
        self.settle_agents(&hang_ups(&old).map(|(agent, _)| agent).collect::<Vec<_>>());
    }

    fn unindex_call(&mut self, old: &Arc<Call>) {
        if let Some(position) = old.flow_in_use() {
            self.flows.release(position.flow, position.version);
        }
        self.unlease(old.lease(), RowKey::Call(old.id));
        if let Some(outbound) = old.outbound().filter(|_| old.has_called_party()) {
            self.index.dialled.remove(&(old.tenant, outbound.number));
        }
        live_relays(old).for_each(|relay| count_down(&mut self.index.legs, &relay));
        hang_ups(old).for_each(|slot| count_down(&mut self.index.hang_ups, &slot));
        for leg in old.legs.iter().filter(|leg| leg.key.call != old.id) {
            self.index.moved.remove(&leg.key);
        }
        count_down(&mut self.index.owned, &(old.owner.node, old.owner.incarnation));
    }

    pub(super) fn put_dialog(&mut self, leg: LegKey, dialog: Dialog) {
        self.dialogs.put(leg, dialog);
    }

    pub(super) fn put_data(&mut self, call: CallId, data: Data) {
        if data.is_empty() {
            self.data.remove(&call);
        } else {
            self.data.put(call, data);
        }
    }

    pub(super) fn put_place(&mut self, place: Place) {
        let id = place.id;
        if let Some(old) = self.places.get(&id).cloned() {
            self.unindex_place(&old);
        }
        if place.is_waiting() {
            self.index.waiting.insert((place.queue, place.rank), place.call);
            *self.index.lengths.entry(place.queue).or_insert(0) += 1;
            self.empty_again(place.queue);
        }
        self.lease(place.lease(), RowKey::Place(id));
        self.touch(RowKey::Place(id));
        self.places.put(id, place);
    }

    pub(super) fn remove_place(&mut self, id: PlaceId) {
        if let Some(old) = self.places.remove(&id) {
            self.unindex_place(&old);
            self.touch(RowKey::Place(id));
        }
    }

    fn unindex_place(&mut self, old: &Place) {
        if old.is_waiting() {
            self.index.waiting.remove(&(old.queue, old.rank));
            count_down(&mut self.index.lengths, &old.queue);
        }
        self.unlease(old.lease(), RowKey::Place(old.id));
    }

    pub(super) fn put_lead(&mut self, lead: Lead) {
        match self.leads.get(&lead.id).cloned() {
            Some(old) => {
                self.unlist(&old);
                if let LeadState::Waiting { .. } = old.state {
                    count_down(&mut self.index.tried, &(old.id.campaign(), old.tried()));
                }
            }
            None => drop(self.index.by_number.insert((lead.id.campaign(), lead.number), lead.id)),
        }
        self.list(&lead);
        if let LeadState::Waiting { .. } = lead.state {
            *self.index.tried.entry((lead.id.campaign(), lead.tried())).or_insert(0) += 1;
        }
        self.leads.put(lead.id, lead);
    }

    /// Puts a lead among those who may be dialled, if it is one.
    pub(super) fn list(&mut self, lead: &Lead) {
        let campaign = lead.id.campaign();
        let Some(tenant) = self.campaigns.get(&campaign).map(|ledger| ledger.tenant) else { return };
        if let LeadState::Waiting { since } = lead.state
            && !self.is_barred(BarList::DoNotCall, tenant, lead.number)
        {
            self.index.waiting_leads.insert((campaign, lead.zone, lead.tried(), since, lead.id));
            *self.index.unbarred.entry((campaign, lead.tried())).or_insert(0) += 1;
        }
    }

    pub(super) fn unlist(&mut self, lead: &Lead) {
        if let LeadState::Waiting { since } = lead.state {
            let (campaign, tried) = (lead.id.campaign(), lead.tried());
            if self.index.waiting_leads.remove(&(campaign, lead.zone, tried, since, lead.id)).is_some() {
                count_down(&mut self.index.unbarred, &(campaign, tried));
            }
        }
    }

    pub(super) fn put_campaign(&mut self, ledger: Ledger) {
        if let Some(old) = self.campaigns.get(&ledger.campaign).and_then(|old| old.owner) {
            count_down(&mut self.index.owned, &(old.node, old.incarnation));
        }
        if let Some(owner) = ledger.owner {
            *self.index.owned.entry((owner.node, owner.incarnation)).or_insert(0) += 1;
        }
        self.touch(RowKey::Campaign(ledger.campaign));
        self.campaigns.put(ledger.campaign, ledger);
    }

    pub(super) fn put_agent(&mut self, mut agent: Agent) {
        let id = agent.id;
        self.settle_slots(&mut agent);
        let old = self.agents.get(&id).cloned();
        if old.as_deref() == Some(&agent) {
            return;
        }
        // Left the configuration while at work, and the work is over.
        if !agent.is_at_work() && self.tenant(agent.tenant).and_then(|tenant| tenant.agent(id)).is_none() {
            return self.remove_agent(id);
        }
        if let Some(old) = old {
            self.unindex_agent(&old);
        }
        for queue in &agent.queues {
            self.index.staff.entry(*queue).or_default()[agent.state_index()] += 1;
        }
        for entry in idle_entries(&agent) {
            self.index.idle.insert(entry);
        }
        if let Some(owner) = agent.owner {
            *self.index.owned.entry(owner).or_insert(0) += 1;
        }
        self.lease(agent.lease(), RowKey::Agent(id));
        self.touch(RowKey::Agent(id));
        self.agents.put(id, agent);
    }

    pub(super) fn remove_agent(&mut self, id: AgentId) {
        if let Some(old) = self.agents.remove(&id) {
            self.unindex_agent(&old);
            self.touch(RowKey::Agent(id));
        }
    }

    fn unindex_agent(&mut self, old: &Agent) {
        for queue in &old.queues {
            if let Some(staff) = self.index.staff.get_mut(queue) {
                staff[old.state_index()] -= 1;
            }
        }
        for entry in idle_entries(old) {
            self.index.idle.remove(&entry);
        }
        if let Some(owner) = old.owner {
            count_down(&mut self.index.owned, &owner);
        }
        self.unlease(old.lease(), RowKey::Agent(old.id));
    }

    pub(super) fn lease(&mut self, deadline: LogTime, row: RowKey) {
        if deadline < LogTime::MAX {
            self.index.leases.insert((deadline, row));
        }
    }

    pub(super) fn unlease(&mut self, deadline: LogTime, row: RowKey) {
        if deadline < LogTime::MAX {
            self.index.leases.remove(&(deadline, row));
        }
    }
}

/// The relay of each leg of a live call; twice where a leg moves from one to another.
pub(super) fn live_relays(call: &Call) -> impl Iterator<Item = RelayId> {
    let closing = call.duties.iter().filter_map(|duty| match duty.kind {
        DutyKind::Close { relay, .. } => Some(relay),
        _ => None,
    });
    let legs = call.live_legs().flat_map(|leg| leg.relay.into_iter().chain(leg.next_relay));
    let is_over = call.is_over();
    legs.chain(closing).filter(move |_| !is_over)
}

/// The slots of agents whose phones a call has told to hang up.
fn hang_ups(call: &Call) -> impl Iterator<Item = (AgentId, u8)> {
    call.duties.iter().filter_map(|duty| match duty.kind {
        DutyKind::HangUp { leg } => call.leg(leg)?.slot(),
        _ => None,
    })
}

/// Where an agent stands among those who are idle: once a queue and free slot.
pub(super) fn idle_entries(agent: &Agent) -> Vec<(QueueId, Medium, LogTime, AgentId, u8)> {
    let free = [Medium::Voice, Medium::Chat, Medium::Item].into_iter().flat_map(|medium| agent.free_slots(medium));
    let free: Vec<_> = free.map(|slot| (slot.medium, slot.idle_since, slot.no)).collect();
    debug_assert!(agent.slots.iter().filter(|slot| slot.state == SlotState::Free).count() >= free.len());
    let entry = |queue: &QueueId| {
        let queue = *queue;
        free.iter().map(move |(medium, since, no)| (queue, *medium, *since, agent.id, *no))
    };
    agent.queues.iter().flat_map(entry).collect()
}

pub(super) fn count_down<K: Ord + Clone>(counts: &mut OrdMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => drop(counts.remove(key)),
        None => debug_assert!(false, "counted down below nothing"),
    }
}
