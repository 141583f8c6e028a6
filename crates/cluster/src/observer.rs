//! What the log did, handed to those who act on it: actors of calls that changed, the leader's errands, records.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use strowger_call::Rows;
use strowger_model::{AgentId, GroupId, NodeId, ShardId};
use strowger_raft::{AppliedEntry, Observer, View};
use strowger_switch::{Begin, Changed, Due, Heard, due, touched};
use strowger_table::{Call, RowKey, Shard, Touched};

use crate::actor::{CallNews, agent, call, pacer};
use crate::context::{Context, shard_of};
use crate::node::{Known, Node};
use crate::sabotage::TestBreak;
use crate::spending;

/// How a process ends in which a group has stopped by a fault: whoever starts it again learns whether that was the disk.
const EXIT_STOPPED: i32 = 76;
/// The same, where its state differs from the leader's: started again it has the same state, takes calls and ends again.
const EXIT_DIFFERS: i32 = 77;
/// For the log to be written.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Hears the log before the node has begun; what comes until then is caught up by the sweep at start.
#[derive(Default)]
pub(crate) struct Watcher(pub Known);

impl Observer for Watcher {
    fn applied(&self, group: GroupId, view: &Arc<View>, entries: &[AppliedEntry]) {
        let Some(node) = self.0.get() else { return };
        let context = &node.context;
        let Some(shard) = group.shard() else {
            context.newest.look();
            context.control_changed.notify_waiters();
            context.tell_all_shards(Heard::control);
            context.records_changed.notify_one();
            return;
        };
        let Some(table) = shard_of(view) else { return };
        context.newest.look();
        context.decision_log.hear(view, entries);
        tell_rules(context, shard, entries);
        let (few, many): (Vec<&Touched>, Vec<&Touched>) =
            entries.iter().map(|entry| &entry.applied.touched).partition(|touched| matches!(touched, Touched::Few(_)));
        let rows = touched(few).unwrap_or_default();
        {
            let _telling = context.sweeps.telling(shard);
            rows_changed(&node, view, table, &rows);
        }
        match many.is_empty() {
            true => context.spending.heard(shard, table.last().index),
            false => context.sweeps.want(shard),
        }
        node.intake.applied(shard, view, &rows);
        context.records_changed.notify_one();
    }

    fn installed(&self, group: GroupId, _: &Arc<View>) {
        let Some(node) = self.0.get() else { return };
        let context = &node.context;
        context.newest.look();
        if let Some(shard) = group.shard() {
            context.sweeps.want(shard);
            context.news(shard).tell(Heard::everything);
        }
        context.control_changed.notify_waiters();
        context.tell_all_shards(Heard::control);
        context.records_changed.notify_one();
    }

    fn leader_changed(&self, group: GroupId, leader: Option<NodeId>, term: u64) {
        let Some(node) = self.0.get() else { return };
        let context = &node.context;
        tracing::info!(%group, term, leader = leader.map(tracing::field::display), "leader changed");
        context.figures.leader_changed();
        if let Some(shard) = group.shard() {
            context.news(shard).tell(|_| {});
        }
        context.control_changed.notify_waiters();
    }

    /// A node without one of its groups would beat on and keep its calls, and do nothing for them. Its end gives them to
    /// the others.
    fn stopped(&self, group: GroupId, differs: bool) {
        tracing::error!(%group, differs, "this process ends, so that its calls are the others'");
        // By a task, which a runtime that is ending drops: what ends with it has not failed.
        tokio::spawn(async move {
            tokio::time::sleep(LAST_WORDS).await;
            std::process::exit(if differs { EXIT_DIFFERS } else { EXIT_STOPPED });
        });
    }
}

/// A node that does not lead keeps no news: it looks at everything when it does.
fn tell_rules(context: &Context, shard: ShardId, entries: &[AppliedEntry]) {
    let touched = || entries.iter().map(|entry| &entry.applied.touched).filter(|touched| !touched.is_nothing());
    if touched().next().is_none() {
        return;
    }
    pacer::tell(context, shard);
    if context.groups.leads(shard.group()).is_some() {
        context.news(shard).tell(|heard| touched().for_each(|touched| heard.touched(touched)));
    }
}

/// What of these rows is told to whom: actors here begin, hear, or end.
pub(crate) fn rows_changed(node: &Node, view: &Arc<View>, table: &Shard, rows: &BTreeSet<RowKey>) {
    let Changed { calls, agents } = Changed::of(rows, table);
    agents.into_iter().for_each(|id| agent_changed(&node.context, table, id));
    for id in calls {
        match table.call(id) {
            Some(row) => {
                spending::see(&node.context, table, row);
                call_changed(node, view, row);
            }
            // Forgotten: an actor that is left over has nothing to do any more.
            None => {
                node.context.spending.forget(id, node.context.now());
                node.context.calls.stop(id);
            }
        }
    }
}

fn call_changed(node: &Node, view: &Arc<View>, row: &Arc<Call>) {
    let context = &node.context;
    let is_told = context.calls.tell(row.id, CallNews::Row(row.clone(), view.clone()));
    match due(row, is_told, context.owns(row.owner), |key| node.intake.seat(key)) {
        Due::Nothing => {}
        Due::LetGo => context.calls.stop(row.id),
        Due::Begin(begin) => begin_actor(context, view, row, begin),
    }
}

/// An agent's actor reads the row itself: only that it is begun or over is told. The edge hears where the phones are.
fn agent_changed(context: &Arc<Context>, table: &Shard, id: AgentId) {
    let bindings = table.agent(id).into_iter().flat_map(|row| &row.bindings);
    context.edge.known().set_phones(table.id(), id, bindings.map(|binding| binding.flow.addr.ip()));
    let is_ours = table.agent(id).is_some_and(|row| agent::is_ours(context, row));
    match (is_ours, context.agents.has(id)) {
        (true, false) => agent::begin_owned(context, table.id(), id),
        (false, true) if context.test_break != Some(TestBreak::LeaveAgent) => {
            context.agents.stop_idle(id, context.now())
        }
        (true, true) | (false, _) => {}
    }
}

fn begin_actor(context: &Arc<Context>, view: &Arc<View>, row: &Arc<Call>, begin: Begin) {
    let Some(rows) = shard_of(view).and_then(|table| Rows::of(table, row.id)) else { return };
    if matches!(begin, Begin::Adopted) {
        context.figures.adopted();
    }
    call::begin(context, row, view, || begin.machine(rows, &**context));
}
