//! What is derived from the rows and kept with them, so that questions need no search. Each `put` takes out what the
//! old row stood for and puts in what the new one does.

use imbl::{OrdMap, OrdSet};
use strowger_model::{
    AgentId, CallId, CampaignId, Dialog, E164, Incarnation, LeadId, LegKey, LogTime, NodeId, PlaceId, QueueId, RelayId,
    TenantId, TrunkId, Wall,
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
    /// Live legs that trunks carry.
    pub lines: OrdMap<TrunkId, usize>,
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
        let old = self.calls.get(&id).cloned();
        let agents = self.index_call(id, old.as_deref(), Some(&call));
        // What makes its INVITE the same never changes.
        if let Some(key) = call.key().filter(|_| old.is_none()) {
            self.index.by_key.insert(key.clone(), id);
        }
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
        let agents = self.index_call(id, Some(&old), None);
        if let Some(key) = old.key() {
            self.index.by_key.remove(key);
        }
        for leg in &old.legs {
            self.dialogs.remove(&leg.key);
        }
        self.data.remove(&id);
        self.settle_agents(&agents);
    }

    /// Returns the agents of whose phones one was told to hang up, or is not waited for any more.
    fn index_call(&mut self, id: CallId, old: Option<&Call>, new: Option<&Call>) -> Vec<AgentId> {
        let flow = |call: &Call| call.flow_in_use().map(|position| (position.flow, position.version));
        self.flows.count(old.and_then(flow), new.and_then(flow));
        recount(&mut self.index.hang_ups, old, new, hang_ups);
        rewrite(&mut self.index.dialled, old, new, |call| {
            let outbound = call.outbound().filter(|_| call.has_called_party())?;
            Some(((call.tenant, outbound.number), id))
        });
        recount(&mut self.index.legs, old, new, live_relays);
        recount(&mut self.index.lines, old, new, Call::lines);
        rewrite(&mut self.index.moved, old, new, |call| {
            call.legs.iter().filter(|leg| leg.key.call != id).map(|leg| (leg.key, id))
        });
        recount(&mut self.index.owned, old, new, |call| [(call.owner.node, call.owner.incarnation)]);
        self.move_lease(old.map(Call::lease), new.map(Call::lease), RowKey::Call(id));
        self.touch(RowKey::Call(id));
        let told = |call: Option<&Call>| -> Vec<AgentId> {
            call.into_iter().flat_map(hang_ups).map(|(agent, _)| agent).collect()
        };
        let (before, after) = (told(old), told(new));
        if before == after { Vec::new() } else { [before, after].concat() }
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
        let old = self.places.get(&id).cloned();
        self.index_place(id, old.as_deref(), Some(&place));
        if place.is_waiting() {
            self.empty_again(place.queue);
        }
        self.places.put(id, place);
    }

    pub(super) fn remove_place(&mut self, id: PlaceId) {
        if let Some(old) = self.places.remove(&id) {
            self.index_place(id, Some(&old), None);
        }
    }

    fn index_place(&mut self, id: PlaceId, old: Option<&Place>, new: Option<&Place>) {
        let waiting = |place: &Place| place.is_waiting().then_some(((place.queue, place.rank), place.call));
        rewrite(&mut self.index.waiting, old, new, waiting);
        recount(&mut self.index.lengths, old, new, |place| place.is_waiting().then_some(place.queue));
        self.move_lease(old.map(Place::lease), new.map(Place::lease), RowKey::Place(id));
        self.touch(RowKey::Place(id));
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
        let old = self.campaigns.get(&ledger.campaign).map(|old| &**old);
        recount(&mut self.index.owned, old, Some(&ledger), |ledger| {
            ledger.owner.map(|owner| (owner.node, owner.incarnation))
        });
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
        self.index_agent(id, old.as_deref(), Some(&agent));
        self.agents.put(id, agent);
    }

    pub(super) fn remove_agent(&mut self, id: AgentId) {
        if let Some(old) = self.agents.remove(&id) {
            self.index_agent(id, Some(&old), None);
        }
    }

    fn index_agent<'a>(&mut self, id: AgentId, old: Option<&'a Agent>, new: Option<&'a Agent>) {
        let counted = |agent: &'a Agent| (&agent.queues, agent.state_index());
        let (before, after) = (old.map(counted), new.map(counted));
        if before != after {
            if let Some((queues, state)) = before {
                queues.iter().for_each(|queue| self.index.staff.entry(*queue).or_default()[state] -= 1);
            }
            if let Some((queues, state)) = after {
                queues.iter().for_each(|queue| self.index.staff.entry(*queue).or_default()[state] += 1);
            }
        }
        let (before, after) = (old.map_or(Vec::new(), idle_entries), new.map_or(Vec::new(), idle_entries));
        if before != after {
            for entry in &before {
                self.index.idle.remove(entry);
            }
            self.index.idle.extend(after);
        }
        recount(&mut self.index.owned, old, new, |agent| agent.owner);
        self.move_lease(old.map(Agent::lease), new.map(Agent::lease), RowKey::Agent(id));
        self.touch(RowKey::Agent(id));
    }

    /// When a row must be looked at again: as it was written before, and as it is written now.
    pub(super) fn move_lease(&mut self, before: Option<LogTime>, after: Option<LogTime>, row: RowKey) {
        if before == after {
            return;
        }
        if let Some(before) = before.filter(|before| *before < LogTime::MAX) {
            self.index.leases.remove(&(before, row));
        }
        if let Some(after) = after.filter(|after| *after < LogTime::MAX) {
            self.index.leases.insert((after, row));
        }
    }
}

/// Moves counts from what an old row stood for to what the new one does. What is the same in both is not written: a
/// write copies nodes of the tree that readers' views share.
fn recount<'a, R, K: Ord + Clone, I: IntoIterator<Item = K>>(
    counts: &mut OrdMap<K, usize>,
    old: Option<&'a R>,
    new: Option<&'a R>,
    keys: impl Fn(&'a R) -> I,
) {
    let keys_of = |row: Option<&'a R>| row.into_iter().flat_map(&keys);
    if keys_of(old).eq(keys_of(new)) {
        return;
    }
    keys_of(new).for_each(|key| *counts.entry(key).or_insert(0) += 1);
    keys_of(old).for_each(|key| count_down(counts, &key));
}

/// As `recount`, for what a row is found by.
fn rewrite<'a, R, K: Ord + Clone, V: Clone + PartialEq, I: IntoIterator<Item = (K, V)>>(
    found: &mut OrdMap<K, V>,
    old: Option<&'a R>,
    new: Option<&'a R>,
    entries: impl Fn(&'a R) -> I,
) {
    let entries_of = |row: Option<&'a R>| row.into_iter().flat_map(&entries);
    if entries_of(old).eq(entries_of(new)) {
        return;
    }
    entries_of(old).for_each(|(key, _)| drop(found.remove(&key)));
    found.extend(entries_of(new));
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
