//! The errands of a shard's leader: plan, end leases, copy configuration, give away the rows of the dead, and hand
//! the lead to the voter it belongs to. Each runs on every node and acts only where that node leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strowger_model::{GroupId, Mono, NodeId, ShardId, TrunkId};
use strowger_raft::{LeadError, Leading};
use strowger_switch::Gate;
use strowger_table::{Body, Command, Outcome, Shard};
use tokio::task::JoinSet;

use crate::context::{Context, shard_of};

/// A new leader ends no lease in its first second: facts that are under way arrive first.
const EXPIRE_AFTER: Duration = Duration::from_secs(1);
/// How long the planner sleeps when nothing changes; only a bound, news wake it.
const IDLE: Duration = Duration::from_millis(500);
/// The longest sleep over leases: a new one may be shorter than all that are there.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often the pacer looks: an agent waits half of it for the next call to begin, a lead is never in a hurry.
const PACE: Duration = Duration::from_millis(100);
/// How long the leader waits for its own entry; an election takes less.
pub(crate) const COMMIT: Duration = Duration::from_secs(2);
/// How often configuration, owners and leadership are compared.
const ERRANDS: Duration = Duration::from_millis(100);
/// A voter keeps a lead that is not its own for so long before it hands it on: the other must have settled.
const SETTLED: Duration = Duration::from_secs(3);

/// Makes plans: at most one under way, the next on the state that the last one left.
pub(crate) async fn plan(context: Arc<Context>, shard: ShardId) {
    loop {
        wake(&context, shard, IDLE).await;
        while let Some(leading) = leads(&context, shard) {
            let view = context.groups.view(shard.group());
            let Some(table) = shard_of(&view).filter(|table| table.anyone_waiting()) else { break };
            let plan = strowger_acd::plan(table, &context.relays.usable());
            if plan.offers.is_empty() {
                break;
            }
            let offers = plan.offers.len();
            match lead(&context, shard, leading, Command::Plan(plan)).await {
                Ok(Outcome::Planned { granted }) => context.figures.planned(offers, granted.count_ones() as usize),
                Ok(_) | Err(_) => break,
            }
        }
    }
}

/// Dials for campaigns: looks every so often, because leads become due by themselves. The next round begins on the state that the last one left, so nothing is dialled twice for an agent.
pub(crate) async fn pace(context: Arc<Context>, shard: ShardId) {
    let mut gates: BTreeMap<TrunkId, Gate> = BTreeMap::new();
    loop {
        tokio::time::sleep(PACE).await;
        let Some(leading) = leads(&context, shard) else { continue };
        let view = context.groups.view(shard.group());
        let Some(table) = shard_of(&view) else { continue };
        let now = context.now();
        let trunks = context.directory().trunks.clone();
        for trunk in trunks.iter() {
            gates.entry(trunk.id).or_insert_with(|| Gate::new(trunk.max_dials_per_second, now));
        }
        let allowance = gates.iter_mut().map(|(trunk, gate)| (*trunk, gate.available(now))).collect();
        let dials = context.with_means(&allowance, |means| strowger_dialer::pace(table, means));
        for dial in &dials {
            let tenant = table.campaign(dial.campaign).and_then(|ledger| table.tenant(ledger.tenant));
            let trunk = tenant.and_then(|tenant| tenant.campaign(dial.campaign)).map(|campaign| campaign.trunk);
            // What was planned within the allowance is let in.
            let _admitted = trunk.and_then(|trunk| gates.get_mut(&trunk)).map(|gate| gate.admit(now));
        }
        let mut proposed = JoinSet::new();
        for dial in dials {
            let context = context.clone();
            proposed.spawn(async move { lead(&context, shard, leading, Command::Dial(Box::new(dial))).await });
        }
        while let Some(outcome) = proposed.join_next().await {
            context.figures.dialled(matches!(outcome, Ok(Ok(Outcome::Dialled { .. }))));
        }
    }
}

/// Ends leases when they are due.
pub(crate) async fn expire(context: Arc<Context>, shard: ShardId) {
    loop {
        let due = next_expiry(&context, shard);
        tokio::time::sleep(due.map_or(ERRANDS, |(_, due)| due)).await;
        if let Some((leading, Duration::ZERO)) = due
            && lead(&context, shard, leading, Command::Expire).await.is_err()
        {
            tokio::time::sleep(ERRANDS).await;
        }
    }
}

/// How long until the next lease is due or it is time to look again; none while this node does not lead, or leads
/// too new.
fn next_expiry(context: &Context, shard: ShardId) -> Option<(Leading, Duration)> {
    let leading = leads(context, shard)?;
    if context.now().since(leading.since) < EXPIRE_AFTER {
        return None;
    }
    let view = context.groups.view(shard.group());
    let next = shard_of(&view)?.next_lease()?;
    // Looking again soon finds leases that were made meanwhile.
    Some((leading, next.since(view.log_now()).min(LOOK_AGAIN)))
}

/// Copies configuration into the shard, adopts, hands the lead on.
pub(crate) async fn errands(context: Arc<Context>, shard: ShardId, voters: Vec<NodeId>) {
    let mut every = tokio::time::interval(ERRANDS);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = context.control_changed.notified() => {}
        }
        let Some(leading) = leads(&context, shard) else { continue };
        crate::configure::bring(&context, shard, leading).await;
        for command in due_commands(&context, shard) {
            if let Err(fault) = lead(&context, shard, leading, command).await {
                tracing::debug!(%shard, %fault, "an errand was not committed");
                break;
            }
        }
        hand_on(&context, shard.group(), &voters, leading.since).await;
    }
}

fn due_commands(context: &Context, shard: ShardId) -> Vec<Command> {
    let (control, table) = (context.groups.view(GroupId::CONTROL), context.groups.view(shard.group()));
    let (Some(control), Some(table)) = (control.machine.control(), shard_of(&table)) else { return Vec::new() };
    let mut due = Vec::new();
    let gone = |table: &Shard| -> Vec<_> {
        table.tenants().map(|tenant| tenant.id).filter(|id| control.tenant(*id).is_none()).collect()
    };
    due.extend(gone(table).into_iter().map(|tenant| Command::Retire { version: control.version(), tenant }));
    for (node, incarnation) in table.owners() {
        let over = control.node(node).is_some_and(|known| known.incarnation > incarnation || known.down);
        if over {
            due.push(Command::Adopt { node, incarnation, heirs: control.live() });
        }
    }
    due
}

/// Leads are spread over the voters: group g belongs to voter g mod n while that one is alive.
async fn hand_on(context: &Context, group: GroupId, voters: &[NodeId], since: Mono) {
    let Some(home) = voters.get(usize::from(group.0) % voters.len().max(1)).copied() else { return };
    if home == context.me || context.now().since(since) < SETTLED {
        return;
    }
    let view = context.groups.view(GroupId::CONTROL);
    let is_live = view.machine.control().and_then(|control| control.node(home)).is_some_and(|node| !node.down);
    if is_live && let Err(fault) = context.groups.transfer(group, home).await {
        tracing::debug!(%group, %home, %fault, "the lead stays here for now");
    }
}

/// The control group's lead has a home too.
pub(crate) async fn hand_on_control(context: Arc<Context>, voters: Vec<NodeId>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        if let Some(leading) = context.groups.leads(GroupId::CONTROL) {
            hand_on(&context, GroupId::CONTROL, &voters, leading.since).await;
        }
    }
}

pub(crate) async fn lead(
    context: &Context,
    shard: ShardId,
    leading: Leading,
    command: Command,
) -> Result<Outcome, LeadError> {
    context.groups.propose_as_leader(shard.group(), leading, Body::Shard(command), COMMIT).await
}

fn leads(context: &Context, shard: ShardId) -> Option<Leading> {
    // A passive leader decides nothing; its entries would not be committed anyway.
    context.groups.leads(shard.group()).filter(|_| !context.edge.is_passive())
}

async fn wake(context: &Context, shard: ShardId, at_most: Duration) {
    // Timing out is the other way to wake.
    let _woken = tokio::time::timeout(at_most, context.changed[usize::from(shard.0)].notified()).await;
}
