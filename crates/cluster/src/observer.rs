//! What the log did, handed to those who act on it: actors of calls that changed, the leader's errands, records.

use std::sync::{Arc, OnceLock};

use strowger_call::{Machine, Setting};
use strowger_model::{GroupId, NodeId};
use strowger_raft::{AppliedEntry, Observer, View};
use strowger_switch::Pending;
use strowger_table::Call;

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
            return;
        };
        let Some(table) = shard_of(view) else { return };
        context.refresh_directory();
        context.decision_log.hear(view, entries);
        let mut last = None;
        for id in entries.iter().flat_map(|entry| &entry.applied.touched) {
            if last == Some(*id) {
                continue;
            }
            last = Some(*id);
            match table.call(*id) {
                Some(row) => self.call_changed(context, row),
                // Forgotten: an actor that is left over has nothing to do any more.
                None => context.calls.stop_forgotten(*id),
            }
        }
        if let Some(intake) = self.intake.get() {
            intake.applied(shard, view, entries.iter().flat_map(|entry| entry.applied.touched.iter().copied()));
        }
        context.changed[usize::from(shard.0)].notify_one();
        context.records_changed.notify_one();
    }

    fn installed(&self, group: GroupId, view: &Arc<View>) {
        let Some(context) = self.context.get() else { return };
        context.refresh_directory();
        if let Some(shard) = group.shard() {
            sweep(context, view);
            if let Some(intake) = self.intake.get() {
                intake.installed(shard, view);
            }
            context.changed[usize::from(shard.0)].notify_one();
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

impl Watcher {
    fn call_changed(&self, context: &Arc<Context>, row: &Arc<Call>) {
        if context.calls.tell(row.id, CallNews::Row(row.clone())) || !context.owns(row.owner) {
            return;
        }
        let pending = row.key().and_then(|key| self.intake.get()?.seat(key));
        if row.is_over() && row.duties.is_empty() {
            return;
        }
        let machine = match pending {
            Some(Pending { invite, source, relay, .. }) => {
                let setting = Setting { local: context.local.clone(), relay };
                Machine::admitted(row.clone(), &invite, source, setting, context.now())
            }
            None => from_row(context, row),
        };
        context.calls.reserve(row.id);
        tokio::spawn(calls::begin(context.clone(), machine));
    }
}

/// An outbound call that was given to this node, or anybody's that it took over.
fn from_row(context: &Context, row: &Arc<Call>) -> Machine {
    let any = || context.relays.usable().first().map(|usable| usable.relay);
    let relay = row.relay.or_else(any).unwrap_or_default();
    let setting = Setting { local: context.local.clone(), relay };
    if row.outbound().is_some() && row.adoptions == 0 {
        return Machine::dialled(row.clone(), setting);
    }
    context.figures.adopted();
    Machine::adopted(row.clone(), setting, context.now())
}

/// Compares all rows of a shard with the actors here: makes those that are missing, tells the others what they may
/// have missed, and ends those without a row.
pub(crate) fn sweep(context: &Arc<Context>, view: &View) {
    let Some(table) = shard_of(view) else { return };
    for id in context.calls.of(table.id()).into_iter().filter(|id| table.call(*id).is_none()) {
        context.calls.stop_forgotten(id);
    }
    for row in table.calls() {
        // An actor of a call that is another's by now ends itself when it hears so.
        if context.calls.tell(row.id, CallNews::Row(row.clone())) || !context.owns(row.owner) {
            continue;
        }
        if row.is_over() && row.duties.is_empty() {
            continue;
        }
        context.calls.reserve(row.id);
        tokio::spawn(calls::begin(context.clone(), from_row(context, row)));
    }
}
