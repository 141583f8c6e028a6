//! What became of calls, step by step, as this node saw the log go by; and why each offer went where it went.
//!
//! The log keeps of a plan only its basis and scores. Every voter applies the same entries, so every voter can keep the
//! long form: it computes it again from the state that the plan was made on, which it still has when the plan arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use strowger_model::{CallId, PlaceId, ShardId};
use strowger_table::{Applied, At, Body, Call, Command, Outcome, Proposal, RowKey, Shard, Touched};

use crate::history::{Candidates, Dialled, Plan, Step, What};

/// Calls remembered, the youngest: an hour at 3 a second, in some 20 MiB.
const CALLS: usize = 10_000;
/// Steps kept of one call. A caller who is offered to agent after agent must not push the others out.
const STEPS: usize = 64;
/// States of a shard kept: a plan comes back a commit after its basis, and a busy shard publishes some between.
const STATES: usize = 8;

/// The histories of the youngest calls, and the states that the next plans were made on.
pub struct DecisionLog {
    histories: BTreeMap<CallId, Vec<Step>>,
    /// In the order in which the calls came.
    order: VecDeque<CallId>,
    states: BTreeMap<ShardId, VecDeque<Arc<Shard>>>,
    /// Of each shard.
    states_kept: usize,
}

impl Default for DecisionLog {
    fn default() -> Self {
        Self::keeping(STATES)
    }
}

/// An entry as it was applied.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// Where it stands in the log.
    pub at: At,
    /// What was proposed.
    pub proposal: &'a Proposal,
    /// What came of it.
    pub applied: &'a Applied,
}

/// A plan whose candidates are still to be computed, and the state to do it on.
#[must_use = "a plan without candidates explains nothing"]
pub struct ToWeigh {
    plan: Arc<Plan>,
    state: Arc<Shard>,
}

impl ToWeigh {
    /// Takes longer than the log's way has time for.
    pub fn weigh(self) {
        // Set here and nowhere else.
        let _first = self.plan.candidates.set(Candidates::new(&self.state, &self.plan.offers));
    }
}

impl DecisionLog {
    /// Finds the basis of plans among so many states of a shard. Who is told entry by entry needs more of them than who
    /// hears of many at once.
    pub fn keeping(states: usize) -> Self {
        Self { histories: BTreeMap::new(), order: VecDeque::new(), states: BTreeMap::new(), states_kept: states }
    }

    /// The steps of a call that are remembered; none if it came too long ago, or before this process.
    pub fn history(&self, call: CallId) -> Option<&[Step]> {
        self.histories.get(&call).map(Vec::as_slice)
    }

    /// Notes a shard's entries and its state after them. What comes of it is for a task beside the log's way.
    pub fn hear<'a>(&mut self, table: &Shard, entries: impl IntoIterator<Item = Heard<'a>>) -> Vec<ToWeigh> {
        let mut to_weigh = Vec::new();
        // A repeat of an entry, and an entry that was refused, touch nothing.
        let nothing = Touched::Few(Vec::new());
        for entry in entries.into_iter().filter(|entry| entry.applied.touched != nothing) {
            match (&entry.proposal.body, &entry.applied.outcome) {
                (Body::Shard(Command::Plan(plan)), Outcome::Planned { granted }) => {
                    to_weigh.extend(self.offered(table, entry.at, plan, *granted));
                }
                (Body::Shard(Command::Dial(dial)), Outcome::Dialled { call }) => {
                    let before = self.states.get(&table.id()).and_then(|states| states.back());
                    let row = table.call(*call).map(|row| &**row);
                    let dialled = Dialled::new(before.map(|state| &**state), entry.at, dial, row);
                    self.note(*call, entry.at, What::Dialled(Arc::new(dialled)));
                }
                (body, _) => {
                    for call in self.changed(table, &entry.applied.touched) {
                        if let Some(what) = What::of(body, table.call(call).map(|row| &**row)) {
                            self.note(call, entry.at, what);
                        }
                    }
                }
            }
        }
        self.keep(table);
        to_weigh
    }

    /// The calls that an entry changed. Those of an entry that changed too many to name are found by comparing with the
    /// newest state from before it: whatever has the same row there did not change.
    fn changed(&self, table: &Shard, touched: &Touched) -> Vec<CallId> {
        if let Touched::Few(rows) = touched {
            let call = |row: &RowKey| if let RowKey::Call(call) = row { Some(*call) } else { None };
            return rows.iter().filter_map(call).collect();
        }
        let before = self.states.get(&table.id()).and_then(|states| states.back());
        let is_same = |row: &Arc<Call>| {
            let old = before.and_then(|before| before.call(row.id));
            old.is_some_and(|old| Arc::ptr_eq(old, row))
        };
        table.calls().filter(|row| !is_same(row)).map(|row| row.id).collect()
    }

    /// Copies no row: a state shares its rows with the next.
    fn keep(&mut self, table: &Shard) {
        let states = self.states.entry(table.id()).or_default();
        states.push_back(Arc::new(table.clone()));
        if states.len() > self.states_kept {
            states.pop_front();
        }
    }

    fn note(&mut self, call: CallId, at: At, what: What) {
        let step = Step { index: at.index, time: at.time, wall: at.wall, what };
        if let Some(history) = self.histories.get_mut(&call) {
            if history.len() < STEPS || step.what.is_final_news() {
                history.push(step);
            }
            return;
        }
        self.histories.insert(call, vec![step]);
        self.order.push_back(call);
        if self.order.len() > CALLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.histories.remove(&oldest);
        }
        debug_assert_eq!(self.order.len(), self.histories.len(), "every history has its turn to be forgotten");
    }

    fn offered(&mut self, table: &Shard, at: At, plan: &strowger_table::Plan, granted: u64) -> Option<ToWeigh> {
        let kept = Arc::new(Plan { basis: plan.basis, offers: plan.offers.clone(), candidates: OnceLock::new() });
        for (bit, offer) in plan.offers.iter().enumerate().filter(|(bit, _)| granted >> bit & 1 == 1) {
            debug_assert!(bit < 64, "a plan has no more offers than bits");
            let before = self.states.get(&table.id()).and_then(|states| states.back());
            let Some(call) = call_at(table, before, offer.place) else { continue };
            self.note(call, at, What::Offered { agent: offer.agent, plan: kept.clone() });
        }
        let state = self.state_at(table.id(), plan.basis)?;
        Some(ToWeigh { plan: kept, state })
    }

    /// The newest state that is not newer than the basis, or the oldest there is.
    fn state_at(&self, shard: ShardId, basis: u64) -> Option<Arc<Shard>> {
        let states = self.states.get(&shard)?;
        let is_old_enough = |state: &&Arc<Shard>| state.last().index <= basis;
        states.iter().rev().find(is_old_enough).or_else(|| states.front()).cloned()
    }
}

/// The call that waits at a place. Of a place that is gone by the end of the entry's batch, the state before it knows.
fn call_at(table: &Shard, before: Option<&Arc<Shard>>, place: PlaceId) -> Option<CallId> {
    let place = table.place(place).or_else(|| before?.place(place))?;
    place.call
}
