//! What the log did, handed to those who act on it: actors of calls that changed, the leader's errands, records.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use strowger_call::{Machine, Rows, Setting};
use strowger_model::{GroupId, NodeId, ShardId};
use strowger_raft::{AppliedEntry, Observer, View};
use strowger_switch::{Changed, Pending};
use strowger_table::{Call, RowKey, Shard, Touched};

use crate::calls::{self, CallNews};
use crate::context::{Context, shard_of};
use crate::intake::Intake;

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
            context.shards().for_each(|shard| context.news(shard).tell(Changed::control));
            return;
        };
        let Some(table) = shard_of(view) else { return };
        context.refresh_directory();
        context.decision_log.hear(view, entries);
        tell_leader(context, shard, entries);
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
            context.news(shard).tell(Changed::everything);
        }
        context.control_changed.notify_waiters();
        context.shards().for_each(|shard| context.news(shard).tell(Changed::control));
        context.records_changed.notify_one();
    }

    fn leader_changed(&self, group: GroupId, leader: Option<NodeId>, term: u64) {
        let Some(context) = self.context.get() else { return };
        tracing::info!(%group, term, leader = leader.map(tracing::field::display), "leader changed");
        context.figures.leader_changed();
        if let Some(shard) = group.shard() {
            context.news(shard).tell(|_| {});
        }
        context.control_changed.notify_waiters();
    }
}

/// A node that does not lead keeps no news: it looks at everything when it does.
fn tell_leader(context: &Context, shard: ShardId, entries: &[AppliedEntry]) {
    let touched = || entries.iter().map(|entry| &entry.applied.touched).filter(|touched| !touched.is_nothing());
    if touched().next().is_some() && context.groups.leads(shard.group()).is_some() {
        context.news(shard).tell(|changed| touched().for_each(|touched| changed.touched(touched)));
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
        for row in rows {
            match row {
                RowKey::Call(id) => drop(calls.insert(*id)),
                RowKey::Place(id) => {
                    calls.extend(table.place(*id).and_then(|place| place.call));
                }
                RowKey::Agent(_) | RowKey::Campaign(_) | RowKey::Parts(_) | RowKey::Queue(_) => {}
            }
        }
        for id in calls {
            match table.call(id) {
                Some(row) => self.call_changed(context, view, row),
                // Forgotten: an actor that is left over has nothing to do any more.
                None => context.calls.stop_forgotten(id),
            }
        }
    }

    fn call_changed(&self, context: &Arc<Context>, view: &Arc<View>, row: &Arc<Call>) {
        if context.calls.tell(row.id, CallNews::Row(row.clone(), view.clone())) {
            return;
        }
        if !context.owns(row.owner) {
            return context.calls.forget(row.id);
        }
        let pending = row.key().and_then(|key| self.intake.get()?.seat(key));
        if row.is_over() && row.duties.is_empty() {
            return;
        }
        let Some(table) = shard_of(view) else { return };
        let Some(rows) = Rows::of(table, row.id) else { return };
        let machine = match pending {
            Some(Pending { invite, source, relay, .. }) => {
                let setting = Setting { local: context.local.clone(), relay };
                Machine::admitted(rows, &invite, source, setting, context.now())
            }
            None => from_row(context, rows),
        };
        context.calls.reserve(row.id);
        tokio::spawn(calls::run(context.clone(), machine, view.clone()));
    }

    /// Compares all rows of a shard with the actors here: makes those that are missing, tells the others what they may
    /// have missed, and ends those without a row.
    pub fn sweep(&self, context: &Arc<Context>, view: &Arc<View>) {
        let Some(table) = shard_of(view) else { return };
        for id in context.calls.of(table.id()).into_iter().filter(|id| table.call(*id).is_none()) {
            context.calls.stop_forgotten(id);
        }
        for row in table.calls() {
            self.call_changed(context, view, row);
        }
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
