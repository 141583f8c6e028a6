//! Runs the switch's rules for the leader of a shard. Every node has one task a shard, which acts only where the node
//! leads; it wakes when entries were applied, the lead or the control group changed, an errand was answered, or at the
//! instant that the rules named.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::{GroupId, Mono, NodeId, ShardId};
use strowger_raft::{LeadError, Leading, clock};
use strowger_switch::{Errand, HandOn, HandOver, Heard, Leader, Led, Look, Task, What};
use strowger_table::{Body, Command, Content, Outcome};
use tokio::task::JoinSet;

use crate::context::{Context, shard_of};

/// How long who leads a group waits for the outcome of an entry of its own. An election takes less, so that by then it
/// leads no longer, or the entry is proposed again.
pub(crate) const COMMIT: Duration = Duration::from_secs(2);

/// What came of an errand.
enum Answer {
    Outcome { term: u64, task: Task, outcome: Option<Outcome> },
    Content { term: u64, content: Option<Content> },
}

/// Ends with the node.
pub(crate) async fn run(context: Arc<Context>, shard: ShardId, voters: Vec<NodeId>) {
    let begin = || Leader::new(shard, context.me, home(shard.group(), &voters));
    let mut machine = begin();
    let mut under_way = JoinSet::new();
    loop {
        let (errands, again) = look(&context, shard, &mut machine);
        for errand in errands {
            under_way.spawn(perform(context.clone(), shard, errand));
        }
        tokio::select! {
            () = context.news(shard).told() => {}
            Some(answer) = under_way.join_next() => match answer {
                Ok(Answer::Outcome { term, task, outcome }) => {
                    machine.answered(term, task, outcome.as_ref(), context.now());
                }
                Ok(Answer::Content { term, content }) => machine.fetched(term, content, context.now()),
                Err(fault) => {
                    tracing::error!(%shard, %fault, "an errand of the leader broke; its rules begin anew");
                    machine = begin();
                }
            },
            () = until(&context, again) => {}
        }
    }
}

fn look(context: &Context, shard: ShardId, machine: &mut Leader) -> (Vec<Errand>, Option<Mono>) {
    // In this order: what was told is in the view, and so is what was decided before this node led.
    let changed: Heard = context.news(shard).take();
    let leading = leads(context, shard);
    let (view, control) = (context.groups.view(shard.group()), context.groups.view(GroupId::CONTROL));
    let (Some(table), Some(control)) = (shard_of(&view), control.machine.control()) else { return (Vec::new(), None) };
    let now = context.now();
    let look = Look {
        led: leading.map(|Leading { term, since, .. }| Led { term, since }),
        shard: table,
        control,
        leaving: &context.ending.others(),
        relays: &context.relays.usable(),
        now,
        log_now: context.groups.led_time(shard.group()).unwrap_or_default(),
        wall: clock::wall(),
    };
    machine.look(&changed, &look)
}

async fn perform(context: Arc<Context>, shard: ShardId, errand: Errand) -> Answer {
    let Errand { term, task, what } = errand;
    let outcome = match what {
        What::Propose(command) => propose(&context, shard, term, *command).await,
        What::HandOver(home) => {
            hand_over(&context, shard.group(), home).await;
            None
        }
        What::Fetch(tenant) => {
            let content = context.content_of(&tenant).await;
            if content.is_none() {
                tracing::warn!(%shard, tenant = %tenant.tenant, "its configuration is on no node that can be reached");
            }
            return Answer::Content { term, content };
        }
    };
    Answer::Outcome { term, task, outcome }
}

async fn propose(context: &Context, shard: ShardId, term: u64, command: Command) -> Option<Outcome> {
    let leading = context.groups.leads(shard.group()).filter(|leading| leading.term == term)?;
    let offers = if let Command::Plan(plan) = &command { plan.offers.len() } else { 0 };
    let configures = matches!(command, Command::Part(_) | Command::Configure { .. });
    let led = lead(context, shard, leading, command).await;
    match led {
        Ok(outcome) => {
            match &outcome {
                Outcome::Planned { granted } => context.figures.planned(offers, granted.count_ones() as usize),
                Outcome::Refused(refusal) if configures => {
                    tracing::warn!(%shard, ?refusal, "a shard refused a configuration");
                }
                _ => {}
            }
            Some(outcome)
        }
        Err(fault) => {
            tracing::debug!(%shard, %fault, "an errand was not committed");
            None
        }
    }
}

/// The control group's lead has a home too. Ends at once where that is.
pub(crate) async fn hand_on_control(context: Arc<Context>, voters: Vec<NodeId>) {
    let group = GroupId::CONTROL;
    let home = home(group, &voters);
    if home == context.me {
        return;
    }
    let mut rule = HandOn::new(context.me, home);
    loop {
        // Before the look, so that no change falls between.
        let changed = context.control_news();
        let view = context.groups.view(group);
        let leading = context.groups.leads(group).zip(view.machine.control());
        let hand_over = leading.map_or(HandOver::No, |(Leading { term, since, .. }, control)| {
            rule.look(Led { term, since }, control, &context.ending.others(), context.now())
        });
        if let HandOver::To(home) = hand_over {
            self::hand_over(&context, group, home).await;
            rule.answered(context.now());
            continue;
        }
        tokio::select! {
            () = changed => {}
            () = until(&context, hand_over.again()) => {}
        }
    }
}

/// Group g belongs to voter g mod n.
fn home(group: GroupId, voters: &[NodeId]) -> NodeId {
    let at = usize::from(group.0).checked_rem(voters.len()).unwrap_or_default();
    voters.get(at).copied().expect("a cluster has voters")
}

async fn hand_over(context: &Context, group: GroupId, home: NodeId) {
    if let Err(fault) = context.groups.transfer(group, home).await {
        tracing::debug!(%group, %home, %fault, "the lead stays here for now");
    }
}

/// Never, if there is no such instant.
pub(crate) async fn until(context: &Context, at: Option<Mono>) {
    match at {
        Some(at) => tokio::time::sleep(at.since(context.now())).await,
        None => std::future::pending().await,
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
