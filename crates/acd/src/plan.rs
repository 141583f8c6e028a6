//! The planner: places in order, each to the longest idle agent of its queue.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::iter::Peekable;

use strowger_model::{AgentId, CallId, QueueId, RelayId};
use strowger_table::{Medium, Offer, Plan, Rank, Shard, limit};

use crate::{RelayChoice, UsableRelay};

/// The head of one queue while a plan is made; ordered so that the first place of all comes first.
type Head = Reverse<(Rank, QueueId)>;

/// Plans up to `OFFERS_PER_PLAN` offers. Queues that share agents are served in order of their first places, so that
/// nobody waits behind a later one for an agent both could have. Cost: one step per offer and per agent that
/// another queue took in the same plan.
pub fn plan(shard: &Shard, relays: &[UsableRelay]) -> Plan {
    let choice = RelayChoice::new(shard, relays);
    let now = shard.last().time;
    let mut heads: BinaryHeap<Head> = BinaryHeap::new();
    let mut lines = Vec::new();
    for queue in shard.waiting_queues() {
        let mut line = Line { queue, places: shard.line(queue).peekable(), agents: None };
        if let Some(head) = line.next_head() {
            heads.push(head);
            lines.push(line);
        }
    }
    let mut taken: HashSet<AgentId> = HashSet::new();
    let mut offers = Vec::new();
    while offers.len() < limit::OFFERS_PER_PLAN
        && let Some(Reverse((_, queue))) = heads.pop()
    {
        // `lines` was filled in ascending order of queues.
        let Ok(at) = lines.binary_search_by_key(&queue, |line| line.queue) else { continue };
        let line = &mut lines[at];
        let Some((place, call)) = line.places.next() else { continue };
        let agents = line.agents.get_or_insert_with(|| shard.idle(queue, Medium::Voice));
        let Some((since, agent, slot)) = agents.find(|(_, agent, _)| !taken.contains(agent)) else { continue };
        taken.insert(agent);
        let relay = relay_for(shard, &choice, call, agent);
        let score = now.since(since).as_micros() as u64;
        offers.push(Offer { place: place.id, agent, slot, queue, relay, score, ring_all: false });
        heads.extend(line.next_head());
    }
    Plan { basis: shard.last().index, offers }
}

/// The relay of the agent's site that the customer needs least way to. Without any, the customer's own: the call's
/// owner hears that there is no port.
fn relay_for(shard: &Shard, choice: &RelayChoice<'_>, call: Option<CallId>, agent: AgentId) -> RelayId {
    let call = call.and_then(|call| shard.call(call));
    let near = call.and_then(|call| call.customer()?.relay);
    let tenant = shard.agent(agent).and_then(|agent| shard.tenant(agent.tenant));
    let site = tenant.and_then(|tenant| tenant.agent(agent)).map_or("", |agent| agent.site.as_str());
    choice.choose(site, near).or(near).unwrap_or_default()
}

/// One queue's places and agents, both in order. Its agents are looked up when one of its places comes first.
struct Line<P: Iterator<Item = (Rank, Option<CallId>)>, A> {
    queue: QueueId,
    places: Peekable<P>,
    agents: Option<A>,
}

impl<P: Iterator<Item = (Rank, Option<CallId>)>, A> Line<P, A> {
    fn next_head(&mut self) -> Option<Head> {
        self.places.peek().map(|(rank, _)| Reverse((*rank, self.queue)))
    }
}
