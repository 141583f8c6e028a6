//! Rows that nobody is busy with go back to where they belong. A node that dies leaves its rows to the others, and comes
//! back with none: so one row after the other is assigned to its heir among the nodes that have stayed up, and after a
//! restart of all nodes, one after the other, each has its share again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{AgentId, Incarnation, Mono, NodeId};
use strowger_table::{Agent, Command, Control, Outcome, RowKey, Shard, heir_of};

use super::turn::Turn;
use super::{Heard, Look, What};

/// A node is given rows only when it has been up for so long: one that dies again soon would only have moved them.
const SETTLED: Duration = Duration::from_secs(10);
/// Rows looked at in one look, about 0.1 ms: other rules do not wait for a walk over all agents.
const PER_LOOK: usize = 512;

type Process = (NodeId, Incarnation);

#[derive(Debug, Default)]
pub(super) struct Spread {
    turn: Turn,
    /// Since when this node knows that a process is up.
    up: BTreeMap<NodeId, (Incarnation, Mono)>,
    /// Those among whom heirs are chosen, in the order of their nodes.
    settled: Vec<Process>,
    /// Where the walk over all agents goes on; none: it has seen all.
    walk: Option<AgentId>,
    /// Agents that have changed since they were looked at.
    changed: BTreeSet<AgentId>,
    moving: Option<AgentId>,
}

impl Spread {
    /// The nodes' times go on, whoever leads.
    pub fn begin_anew(&mut self) {
        *self = Self { up: std::mem::take(&mut self.up), walk: Some(AgentId(0)), ..Self::default() };
    }

    /// Every look of every node: who leads next knows how long the others have been up.
    pub fn see(&mut self, control: &Control, now: Mono) {
        let live = control.live();
        self.up.retain(|node, (incarnation, _)| live.contains(&(*node, *incarnation)));
        for (node, incarnation) in live {
            self.up.entry(node).or_insert((incarnation, now));
        }
    }

    pub fn hear(&mut self, changed: &Heard) {
        if changed.many {
            self.walk = Some(AgentId(0));
        }
        let agents = changed.rows.iter().filter_map(|row| if let RowKey::Agent(id) = row { Some(*id) } else { None });
        self.changed.extend(agents);
    }

    pub fn look(&mut self, look: &Look<'_>) -> Option<What> {
        let up = self.up.iter().map(|(node, (incarnation, since))| ((*node, *incarnation), *since));
        let settled: Vec<Process> =
            up.filter(|(_, since)| look.now.since(*since) >= SETTLED).map(|(process, _)| process).collect();
        if settled != self.settled {
            self.settled = settled;
            self.walk = Some(AgentId(0));
        }
        if self.settled.is_empty() || !self.turn.is_free(look.now) {
            return None;
        }
        self.turn.rest();
        for _ in 0..PER_LOOK {
            let id = self.next_agent(look.shard)?;
            let Some(agent) = look.shard.agent(id) else { continue };
            if let Some(to) = self.heir(agent) {
                debug_assert!(agent.owner != Some(to) && !agent.is_at_work(), "only who rests elsewhere is moved");
                self.moving = Some(id);
                return Some(self.turn.propose(Command::Assign { row: RowKey::Agent(id), to }));
            }
        }
        // The rest in the next look, which comes at once.
        self.turn.wait(look.now);
        None
    }

    fn next_agent(&mut self, shard: &Shard) -> Option<AgentId> {
        if let Some(changed) = self.changed.pop_first() {
            return Some(changed);
        }
        let next = shard.agents_from(self.walk?).next().map(|agent| agent.id);
        self.walk = next.and_then(|id| id.0.checked_add(1)).map(AgentId);
        next
    }

    /// Where an agent belongs, if that is elsewhere and nothing speaks against moving. Its owner counts as settled as
    /// long as it lives: nothing leaves a node because that one is young.
    fn heir(&self, agent: &Agent) -> Option<Process> {
        let has_connection = agent.bindings.iter().any(|binding| binding.flow.line.is_some());
        if agent.bindings.is_empty() || has_connection || agent.is_at_work() {
            return None;
        }
        let is_up = |owner: &Process| self.up.get(&owner.0).is_some_and(|(incarnation, _)| *incarnation == owner.1);
        let owner = match agent.owner {
            // Whoever takes over from the dead takes this one, too.
            Some(owner) if !is_up(&owner) => return None,
            owner => owner.filter(|owner| !self.settled.contains(owner)),
        };
        let heirs: Vec<Process> = self.settled.iter().copied().chain(owner).collect();
        heir_of(&heirs, RowKey::Agent(agent.id)).filter(|heir| agent.owner != Some(*heir))
    }

    /// What the table refused has changed meanwhile, and news of it have come.
    pub fn answered(&mut self, outcome: Option<&Outcome>, now: Mono) {
        self.turn.end(outcome.is_some(), now);
        let moved = self.moving.take();
        if outcome.is_none() {
            self.changed.extend(moved);
        }
    }

    /// When it looks again by itself: when a node has settled, or what is left of a walk.
    pub fn again(&self, now: Mono) -> Option<Mono> {
        let settles = self.up.values().map(|(_, since)| *since + SETTLED).filter(|at| *at > now).min();
        [self.turn.again(), settles].into_iter().flatten().min()
    }
}
