//! Why a call went where it went, computed again from the state a plan was made on.

use strowger_model::{AgentId, CallId, LogTime, PlaceId, QueueId};
use strowger_table::{Agent, Medium, Shard};

/// How many candidates are named; the rest are counted.
const NAMED: usize = 8;

/// One waiting call, and who could have taken it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// It waits, and no phone rings for it.
    pub call: CallId,
    /// Log index of the state it was computed on.
    pub basis: u64,
    /// Places ahead of it in its queue.
    pub ahead: usize,
    /// The agents of its queue.
    pub field: Field,
}

/// Who could take the calls of a queue, and why the others could not: the same for all its calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Whose agents they are.
    pub queue: QueueId,
    /// The best idle agents, first the one the strategy prefers.
    pub candidates: Vec<Candidate>,
    /// Idle agents, named or not.
    pub idle: usize,
    /// Agents of the queue that could not take a call, counted by reason.
    pub excluded: Vec<(Exclusion, usize)>,
}

/// An agent who is ready, reachable and free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// By the id that rows know the agent under.
    pub agent: AgentId,
    /// What longest idle is counted from: the end of the last work, or the log-in.
    pub idle_since: LogTime,
}

/// Why an agent of the queue was no candidate: the state it was in.
pub type Exclusion = &'static str;

/// None if the call does not wait in a queue of this state.
pub fn why(shard: &Shard, call: CallId) -> Option<Why> {
    let row = shard.call(call)?;
    let queue = row.queue()?;
    let ahead = ahead(shard, queue, row.place?)?;
    Some(Why { call, basis: shard.last().index, ahead, field: field(shard, queue) })
}

/// How many wait before a place; none if it does not wait in that queue.
pub fn ahead(shard: &Shard, queue: QueueId, place: PlaceId) -> Option<usize> {
    let place = shard.place(place).filter(|place| place.queue == queue && place.is_waiting())?;
    Some(shard.ahead(place))
}

/// The fields of some queues, in their order.
pub fn fields(shard: &Shard, queues: &[QueueId]) -> Vec<Field> {
    queues.iter().map(|queue| field(shard, *queue)).collect()
}

fn field(shard: &Shard, queue: QueueId) -> Field {
    let idle = shard.idle(queue, Medium::Voice).take(NAMED);
    let candidates = idle.map(|(idle_since, agent, _)| Candidate { agent, idle_since }).collect();
    let mut idle = 0;
    let mut excluded = Vec::with_capacity(Agent::STATE_NAMES.len());
    for (state, count) in Agent::STATE_NAMES.into_iter().zip(shard.staff(queue)) {
        match (state, count) {
            (Agent::IDLE, count) => idle = count,
            (_, 0) => {}
            excluding => excluded.push(excluding),
        }
    }
    Field { queue, candidates, idle, excluded }
}
