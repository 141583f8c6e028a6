//! Rows and actors compared, both ways, every 5 s: news of the log make and end actors; what a fault of ours left
//! different is mended here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use strowger_model::{AgentId, CallId, Incarnation, NodeId, ShardId};
use strowger_table::{Call, Shard};

use super::{agent, call, pacer};
use crate::context::{Context, shard_of};
use crate::relays::Relays;

const EVERY: Duration = Duration::from_secs(5);
/// Only what is still different after this is mended: an actor may be about to begin or to end.
const SETTLED: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Difference {
    CallWithout(CallId),
    CallLeft(CallId),
    AgentWithout(ShardId, AgentId),
    AgentLeft(AgentId),
}

pub(crate) async fn run(context: Arc<Context>) {
    loop {
        tokio::time::sleep(EVERY).await;
        // A passive node begins nothing, and one that stops has ended its actors before its rows are another's.
        if context.edge.is_passive() || context.is_stopping() {
            continue;
        }
        let first = differences(&context);
        if !first.is_empty() {
            tokio::time::sleep(SETTLED).await;
            first.intersection(&differences(&context)).for_each(|difference| mend(&context, *difference));
        }
        // Each relay has its courier, and the node its pacer, unless that breaks again and again.
        Relays::begin(&context);
        pacer::begin(&context);
    }
}

/// Actors are listed first: of each the row has been there before, and is missing only if it is gone.
fn differences(context: &Context) -> BTreeSet<Difference> {
    let (calls, agents) = (context.calls.seats(), context.agents.seats());
    let views: Vec<_> = context.shards().filter_map(|shard| context.shard_view(shard)).collect();
    let tables: Vec<&Shard> = views.iter().filter_map(|view| shard_of(view)).collect();
    let mut found = compare(&tables, (context.me, context.incarnation()), &calls, &agents);
    let now = context.now();
    found.retain(|difference| !matches!(difference, Difference::AgentLeft(id) if context.agents.lingers(*id, now)));
    found
}

/// `calls` and `agents`: who has a seat here, and whether an actor holds it that did not break.
fn compare(
    tables: &[&Shard],
    me: (NodeId, Incarnation),
    calls: &BTreeMap<CallId, bool>,
    agents: &BTreeMap<AgentId, bool>,
) -> BTreeSet<Difference> {
    let is_ours = |row: &Call| (row.owner.node, row.owner.incarnation) == me;
    let mut found = BTreeSet::new();
    let mut owned = BTreeSet::new();
    for table in tables {
        let to_do = table.calls().filter(|row| is_ours(row) && strowger_switch::has_work(row));
        let without = to_do.filter(|row| calls.get(&row.id) != Some(&true));
        found.extend(without.map(|row| Difference::CallWithout(row.id)));
        let left =
            calls.keys().filter(|id| id.shard() == table.id() && !table.call(**id).is_some_and(|row| is_ours(row)));
        found.extend(left.map(|id| Difference::CallLeft(*id)));
        for row in table.agents().filter(|row| agent::is_of(row, me)) {
            owned.insert(row.id);
            if agents.get(&row.id) != Some(&true) {
                found.insert(Difference::AgentWithout(table.id(), row.id));
            }
        }
    }
    found.extend(agents.keys().filter(|id| !owned.contains(id)).map(|id| Difference::AgentLeft(*id)));
    found
}

fn mend(context: &Arc<Context>, difference: Difference) {
    match difference {
        Difference::CallWithout(call) | Difference::CallLeft(call) => {
            tracing::warn!(%call, ?difference, "rows and actors differ");
        }
        Difference::AgentWithout(_, agent) | Difference::AgentLeft(agent) => {
            tracing::warn!(%agent, ?difference, "rows and actors differ");
        }
    }
    match difference {
        // What was told to relays and far ends is not known any more: a new epoch, whose row begins the actor.
        Difference::CallWithout(call) => {
            let taking = context.clone();
            context.spawn(async move { call::retake(&taking, call).await });
        }
        Difference::CallLeft(call) => context.calls.stop(call),
        Difference::AgentWithout(shard, agent) => agent::begin_owned(context, shard, agent),
        // One that carries out a REGISTER goes by itself.
        Difference::AgentLeft(agent) => context.agents.stop_idle(agent, context.now()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_a_row_has_no_actor_for_long() {
        let (here, elsewhere) = (Shard::new(ShardId(1)), CallId::new(ShardId(2), 7));
        let left = CallId::new(ShardId(1), 7);
        let calls = BTreeMap::from([(left, true), (elsewhere, true)]);
        let found = compare(&[&here], (NodeId(1), Incarnation(1)), &calls, &BTreeMap::new());
        assert_eq!(found, BTreeSet::from([Difference::CallLeft(left)]), "of other shards nothing is known");
    }
}
