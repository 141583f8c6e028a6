//! The planner: calls in order, each to the longest idle agent of its queue.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use strowger_model::{AgentId, CallId, QueueId, RelayId};
use strowger_table::{Offer, Plan, Shard, limit};

use crate::{RelayChoice, UsableRelay};

/// The head of one queue while a plan is made; ordered so that the earliest call of all comes first.
type Head = Reverse<(u64, QueueId, CallId)>;

/// Plans up to `OFFERS_PER_PLAN` offers. Queues that share agents are served in order of their first calls, so a
/// call never waits behind a later one for an agent both could have. Cost: one step per offer and per agent that
/// another queue took in the same plan.
pub fn plan(shard: &Shard, relays: &[UsableRelay]) -> Plan {
    let choice = RelayChoice::new(shard, relays);
    let now = shard.last().time;
    let mut heads: BinaryHeap<Head> = BinaryHeap::new();
    let mut lines = Vec::new();
    for (queue, _) in shard.waiting_queues() {
        let mut line = Line { queue, calls: shard.waiting(queue), agents: shard.idle(queue) };
        if let Some(head) = line.next_head() {
            heads.push(head);
            lines.push(line);
        }
    }
    let mut taken: HashSet<AgentId> = HashSet::new();
    let mut offers = Vec::new();
    while offers.len() < limit::OFFERS_PER_PLAN
        && let Some(Reverse((_, queue, call))) = heads.pop()
    {
        // `lines` was filled in ascending order of queues.
        let Ok(at) = lines.binary_search_by_key(&queue, |line| line.queue) else { continue };
        let line = &mut lines[at];
        let Some((since, agent)) = line.agents.find(|(_, agent)| !taken.contains(agent)) else { continue };
        taken.insert(agent);
        let relay = relay_for(shard, &choice, call, agent);
        offers.push(Offer { call, agent, queue, relay, score: now.since(since).as_micros() as u64 });
        heads.extend(line.next_head());
    }
    Plan { basis: shard.last().index, offers }
}

/// The relay of the agent's site that the call needs least way to. Without any, the call's own: its owner hears that
/// there is no port.
fn relay_for(shard: &Shard, choice: &RelayChoice<'_>, call: CallId, agent: AgentId) -> RelayId {
    let near = shard.call(call).and_then(|call| call.relay);
    let tenant = shard.agent(agent).and_then(|agent| shard.tenant(agent.tenant));
    let site = tenant.and_then(|tenant| tenant.agent(agent)).map_or("", |agent| agent.site.as_str());
    choice.choose(site, near).or(near).unwrap_or_default()
}

/// One queue's calls and agents, both in order.
struct Line<C, A> {
    queue: QueueId,
    calls: C,
    agents: A,
}

impl<C: Iterator<Item = (u64, CallId)>, A> Line<C, A> {
    fn next_head(&mut self) -> Option<Head> {
        self.calls.next().map(|(order, call)| Reverse((order, self.queue, call)))
    }
}
