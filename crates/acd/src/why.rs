//! Why a call went where it went, computed again from the state a plan was made on.

use strowger_model::{AgentId, CallId, LogTime, QueueId};
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
    pub field: Field,
}

/// Who could take the calls of a queue, and why the others could not: the same for all its calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    pub queue: QueueId,
    /// The best idle agents, first the one the strategy prefers.
    pub candidates: Vec<Candidate>,
    /// Idle agents, named or not.
    pub idle: usize,
    /// Agents of the queue that could not take a call, counted by reason.
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
    let field = fields(shard, &[queue]).pop()?;
    Some(Why { call, basis: shard.last().index, ahead: ahead(shard, queue, call)?, field })
}

/// How many wait before a call; none if it does not wait in that queue.
pub fn ahead(shard: &Shard, queue: QueueId, call: CallId) -> Option<usize> {
    shard.waiting(queue).position(|(_, waiting)| waiting == call)
}

/// The fields of some queues, in their order.
pub fn fields(shard: &Shard, queues: &[QueueId]) -> Vec<Field> {
    queues.iter().map(|queue| field(shard, *queue)).collect()
}

fn field(shard: &Shard, queue: QueueId) -> Field {
    let candidates = shard.idle(queue).take(NAMED).map(|(idle_since, agent)| Candidate { agent, idle_since }).collect();
    let staff = shard.staff(queue);
    let idle = AgentState::Idle.index();
    let states = AgentState::NAMES.into_iter().zip(staff).enumerate();
    let excluded = states.filter(|(state, (_, count))| *state != idle && *count > 0).map(|(_, named)| named).collect();
    Field { queue, candidates, idle: staff[idle], excluded }
}
