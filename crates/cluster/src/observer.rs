//! What the log did, handed to those who act on it: actors of calls that changed, the leader's errands, records.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use strowger_call::{Machine, Rows, Setting};
use strowger_model::{AgentId, CallId, GroupId, NodeId};
use strowger_raft::{AppliedEntry, Observer, View};
use strowger_switch::Pending;
use strowger_table::{Call, RowKey, Shard, Touched};

use crate::actor::{CallNews, agent, call};
use crate::context::{Context, shard_of};
use crate::intake::Intake;
use crate::sabotage::TestBreak;

/// Hears the log before the context exists; what comes until then is caught up by the sweep at start.
#[derive(Default)]
pub(crate) struct Watcher {
    pub context: OnceLock<Arc<Context>>,
    pub intake: OnceLock<Arc<Intake>>,
}

impl Observer for Watcher {
    fn applied(&self, group: GroupId, view: &Arc<View>, entries: &[AppliedEntry]) {
        let Some(context) = self.context.get() else { return };
        let Some(shard) = group.shard() else {
            context.refresh_directory();
            context.control_changed.notify_waiters();
            return;
        };
        let Some(table) = shard_of(view) else { return };
        context.refresh_directory();
        context.decision_log.hear(view, entries);
        let rows = touched_by(entries);
        match &rows {
            Some(rows) => self.rows_changed(context, view, table, rows),
            None => self.sweep(context, view),
        }
        if let Some(intake) = self.intake.get() {
            intake.applied(shard, view, rows.as_ref());
        }
        context.records_changed.notify_one();
    }

    fn installed(&self, group: GroupId, view: &Arc<View>) {
        let Some(context) = self.context.get() else { return };
        context.refresh_directory();
        if let Some(shard) = group.shard() {
            self.sweep(context, view);
            if let Some(intake) = self.intake.get() {
                intake.installed(shard, view);
            }
        }
        context.control_changed.notify_waiters();
        context.records_changed.notify_one();
    }

    fn leader_changed(&self, group: GroupId, leader: Option<NodeId>, term: u64) {
        let Some(context) = self.context.get() else { return };
        tracing::info!(%group, term, leader = leader.map(tracing::field::display), "leader changed");
        context.figures.leader_changed();
        if let Some(shard) = group.shard() {
            context.changed[usize::from(shard.0)].notify_one();
        }
        context.control_changed.notify_waiters();
    }
}

/// The rows that entries changed, each once; none: too many to name.
fn touched_by(entries: &[AppliedEntry]) -> Option<BTreeSet<RowKey>> {
    let mut rows = BTreeSet::new();
    for entry in entries {
        match &entry.applied.touched {
            Touched::Few(few) => rows.extend(few.iter().copied()),
            Touched::Many => return None,
        }
    }
    Some(rows)
}

impl Watcher {
    fn rows_changed(&self, context: &Arc<Context>, view: &Arc<View>, table: &Shard, rows: &BTreeSet<RowKey>) {
        let mut calls = BTreeSet::new();
        let mut to_plan = false;
        for row in rows {
            match row {
                RowKey::Call(id) => drop(calls.insert(*id)),
                RowKey::Place(id) => {
                    calls.extend(table.place(*id).and_then(|place| place.call));
                    to_plan = true;
                }
                RowKey::Agent(id) => {
                    agent_changed(context, table, *id);
                    to_plan = true;
                }
                RowKey::Campaign(_) | RowKey::Parts(_) | RowKey::Queue(_) => {}
            }
        }
        for id in calls {
            match table.call(id) {
                Some(row) => self.call_changed(context, view, row),
                // Forgotten: an actor that is left over has nothing to do any more.
                None => context.calls.stop(id),
            }
        }
        if to_plan {
            context.changed[usize::from(table.id().0)].notify_one();
        }
    }

    fn call_changed(&self, context: &Arc<Context>, view: &Arc<View>, row: &Arc<Call>) {
        if context.calls.tell(row.id, CallNews::Row(row.clone(), view.clone())) {
            return;
        }
        if !context.owns(row.owner) {
            return context.calls.stop(row.id);
        }
        let pending = row.key().and_then(|key| self.intake.get()?.seat(key));
        if !call::has_work(row) {
            return;
        }
        let Some(table) = shard_of(view) else { return };
        let Some(rows) = Rows::of(table, row.id) else { return };
        call::begin(context, row, view, || match pending {
            Some(Pending { invite, source, relay, .. }) => {
                let setting = Setting { local: context.local.clone(), relay };
                Machine::admitted(rows, &invite, source, setting, context.now())
            }
            None => from_row(context, rows),
        });
    }

    /// Compares all rows of a shard with the actors here: makes those that are missing, tells the others what they may
    /// have missed, and ends those without a row.
    pub fn sweep(&self, context: &Arc<Context>, view: &Arc<View>) {
        let Some(table) = shard_of(view) else { return };
        let gone = |id: &CallId| id.shard() == table.id() && table.call(*id).is_none();
        context.calls.keys().into_iter().filter(gone).for_each(|id| context.calls.stop(id));
        for row in table.calls() {
            self.call_changed(context, view, row);
        }
        for row in table.agents() {
            agent_changed(context, table, row.id);
        }
        context.changed[usize::from(table.id().0)].notify_one();
    }
}

/// An agent's actor reads the row itself: only that it is begun or over is told.
fn agent_changed(context: &Arc<Context>, table: &Shard, id: AgentId) {
    let is_ours = table.agent(id).is_some_and(|row| agent::is_ours(context, row));
    match (is_ours, context.agents.has(id)) {
        (true, false) => agent::begin_owned(context, table.id(), id),
        (false, true) if context.test_break != Some(TestBreak::LeaveAgent) => {
            context.agents.stop_idle(id, context.now())
        }
        (true, true) | (false, _) => {}
    }
}

/// An outbound call that was given to this node, or anybody's that it took over.
fn from_row(context: &Context, rows: Rows) -> Machine {
    let row = &rows.call;
    let any = || context.relays.usable().first().map(|usable| usable.relay);
    let chosen = row.outbound().map(|outbound| outbound.relay);
    let relay = row.customer().and_then(|leg| leg.relay).or(chosen).or_else(any).unwrap_or_default();
    let setting = Setting { local: context.local.clone(), relay };
    if row.outbound().is_some() && !row.was_adopted() {
        return Machine::dialled(rows, setting);
    }
    context.figures.adopted();
    Machine::adopted(rows, setting)
}
