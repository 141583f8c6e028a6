//! Rows that nobody is busy with go back to where they belong. A node that dies leaves its rows to the others, and comes
//! back with none: so one row after the other is assigned to its heir among the nodes that have stayed up, and after a
//! restart of all nodes, one after the other, each has its share again. A campaign that nobody paces is given to somebody
//! at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{AgentId, Incarnation, Mono, NodeId};
use strowger_table::{Agent, Command, Control, Ledger, Outcome, RowKey, Shard, heir_of};

use super::{Heard, Look, What};
use crate::turn::Turn;

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
    /// All campaigns are to be looked at: there are few.
    campaigns: bool,
    /// Agents and campaigns that have changed since they were looked at.
    changed: BTreeSet<RowKey>,
    moving: Option<RowKey>,
}

impl Spread {
    /// The nodes' times go on, whoever leads.
    pub fn begin_anew(&mut self) {
        *self = Self { up: std::mem::take(&mut self.up), ..Self::default() };
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
            self.look_at_all();
        }
        let may_move = |row: &&RowKey| matches!(row, RowKey::Agent(_) | RowKey::Campaign(_));
        self.changed.extend(changed.rows.iter().filter(may_move));
    }

    fn look_at_all(&mut self) {
        (self.walk, self.campaigns) = (Some(AgentId(0)), true);
    }

    pub fn look(&mut self, look: &Look<'_>) -> Option<What> {
        let up = self.up.iter().map(|(node, (incarnation, since))| ((*node, *incarnation), *since));
        let settled: Vec<Process> =
            up.filter(|(_, since)| look.now.since(*since) >= SETTLED).map(|(process, _)| process).collect();
        if settled != self.settled {
            self.settled = settled;
            self.look_at_all();
        }
        if self.up.is_empty() || !self.turn.is_free(look.now) {
            return None;
        }
        self.turn.rest();
        if std::mem::take(&mut self.campaigns) {
            self.changed.extend(look.shard.campaigns().map(|ledger| RowKey::Campaign(ledger.campaign)));
        }
        for _ in 0..PER_LOOK {
            let row = self.next_row(look.shard)?;
            if let Some(to) = self.heir(look.shard, row) {
                self.moving = Some(row);
                return Some(self.turn.propose(Command::Assign { row, to }));
            }
        }
        // The rest in the next look, which comes at once.
        self.turn.wait(look.now);
        None
    }

    fn next_row(&mut self, shard: &Shard) -> Option<RowKey> {
        if let Some(changed) = self.changed.pop_first() {
            return Some(changed);
        }
        // Agents wait for a node that has settled.
        let from = self.walk.filter(|_| !self.settled.is_empty())?;
        let next = shard.agents_from(from).next().map(|agent| agent.id);
        self.walk = next.and_then(|id| id.0.checked_add(1)).map(AgentId);
        next.map(RowKey::Agent)
    }

    fn heir(&self, shard: &Shard, row: RowKey) -> Option<Process> {
        match row {
            RowKey::Agent(id) => self.heir_of_agent(shard.agent(id)?),
            RowKey::Campaign(id) => self.heir_of_campaign(shard.campaign(id)?),
            _ => None,
        }
    }

    /// A campaign moves at any time: its calls stay where they are.
    fn heir_of_campaign(&self, ledger: &Ledger) -> Option<Process> {
        let owner = ledger.owner.map(|owner| (owner.node, owner.incarnation));
        let heirs = match owner {
            Some(owner) => self.heirs(Some(owner))?,
            None => self.up.iter().map(|(node, (incarnation, _))| (*node, *incarnation)).collect(),
        };
        heir_of(&heirs, ledger.heir_key()).filter(|heir| owner != Some(*heir))
    }

    /// Where an agent belongs, if that is elsewhere and nothing speaks against moving.
    fn heir_of_agent(&self, agent: &Agent) -> Option<Process> {
        let has_connection = agent.bindings.iter().any(|binding| binding.flow.line.is_some());
        if agent.bindings.is_empty() || has_connection || agent.is_at_work() {
            return None;
        }
        heir_of(&self.heirs(agent.owner)?, RowKey::Agent(agent.id)).filter(|heir| agent.owner != Some(*heir))
    }

    /// Among whom the heir of a row is chosen: those who have settled, and its owner as long as that lives, for nothing
    /// leaves a node because that one is young. None: its owner is dead, and whoever takes over from the dead takes this
    /// row, too.
    fn heirs(&self, owner: Option<Process>) -> Option<Vec<Process>> {
        let is_up = |owner: &Process| self.up.get(&owner.0).is_some_and(|(incarnation, _)| *incarnation == owner.1);
        if owner.as_ref().is_some_and(|owner| !is_up(owner)) {
            return None;
        }
        Some(self.settled.iter().copied().chain(owner).collect())
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
