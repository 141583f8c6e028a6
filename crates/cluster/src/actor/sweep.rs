//! Runs the switch's comparison of rows and actors: looks, and mends what it says.

use std::collections::BTreeSet;
use std::sync::Arc;

use strowger_switch::{Difference, SWEEP, Sweep};
use strowger_table::Shard;

use super::{agent, call, pacer};
use crate::context::{Context, shard_of};
use crate::relays::Relays;

pub(crate) async fn run(context: Arc<Context>) {
    let (mut rule, mut next) = (Sweep::default(), SWEEP);
    loop {
        tokio::time::sleep(next).await;
        // A passive node begins nothing, and one that stops has ended its actors before its rows are another's.
        if context.edge.is_passive() || context.is_stopping() {
            (rule, next) = (Sweep::default(), SWEEP);
            continue;
        }
        let mended;
        (mended, next) = rule.look(differences(&context));
        mended.into_iter().for_each(|difference| mend(&context, difference));
        // Each relay has its courier, and the node its pacer, unless that breaks again and again.
        Relays::begin(&context);
        pacer::begin(&context);
    }
}

fn differences(context: &Context) -> BTreeSet<Difference> {
    let (calls, agents) = (context.calls.seats(), context.agents.seats());
    let views: Vec<_> = context.shards().filter_map(|shard| context.shard_view(shard)).collect();
    let tables: Vec<&Shard> = views.iter().filter_map(|view| shard_of(view)).collect();
    let mut found = strowger_switch::differences(&tables, (context.me, context.incarnation()), &calls, &agents);
    let now = context.now();
    found.retain(|difference| !matches!(difference, Difference::AgentLeft(id) if context.agents.lingers(*id, now)));
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
        // The row of the new epoch begins the actor.
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
