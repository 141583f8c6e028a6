//! Why a call went where it went, computed again from the state a plan was made on.

use strowger_model::{AgentId, CallId, LogTime};
use strowger_table::{AgentState, Shard};

/// How many candidates are named; the rest are counted.
const NAMED: usize = 8;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    pub call: CallId,
    /// Log index of the state it was computed on.
    pub basis: u64,
    /// Calls ahead of it in its queue.
    pub ahead: usize,
    /// The best idle agents, first the one the strategy prefers.
    pub candidates: Vec<Candidate>,
    /// Agents of the queue that could not take it, counted by reason.
    pub excluded: Vec<(Exclusion, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub agent: AgentId,
    pub idle_since: LogTime,
}

/// Why an agent of the queue was no candidate: the state it was in.
pub type Exclusion = &'static str;

/// None if the call does not wait in a queue of this state.
pub fn why(shard: &Shard, call: CallId) -> Option<Why> {
    let row = shard.call(call)?;
    let queue = row.queue.filter(|_| row.is_waiting())?;
    let ahead = shard.waiting(queue).take_while(|(_, waiting)| *waiting != call).count();
    let candidates = shard.idle(queue).take(NAMED).map(|(idle_since, agent)| Candidate { agent, idle_since }).collect();
    let mut counts = [0; AgentState::NAMES.len()];
    for agent in shard.agents().filter(|agent| agent.queues.contains(&queue) && agent.state != AgentState::Idle) {
        let at = AgentState::NAMES.iter().position(|name| *name == agent.state.as_str());
        counts[at.unwrap_or_default()] += 1;
    }
    let excluded = AgentState::NAMES.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect();
    Some(Why { call, basis: shard.last().index, ahead, candidates, excluded })
}
