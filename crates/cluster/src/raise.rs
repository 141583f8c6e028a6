//! A later layout comes into force in a group once every voter has said, when it connected, that it can read it.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::{GroupId, Mono, NodeId, PeerId};
use strowger_table::{Body, Command, ControlCommand, Outcome, layout};

use crate::context::Context;
use crate::leader::{COMMIT, until};

/// All voters must have been of the new build for so long: an update that is taken back at once finds the layout it
/// knows. What was raised stays so.
const SETTLED: Duration = Duration::from_secs(10);
/// What was not committed is tried again after this: nobody waits for it.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs on every node and acts where that node leads. It looks when a peer was connected or lost, when a lead or the
/// control group changed, and when the voters have been of the new build for long enough.
pub(crate) async fn run(context: Arc<Context>, group: GroupId, voters: Vec<NodeId>) {
    let mut peers = context.link.changes();
    let mut since: Option<Mono> = None;
    loop {
        // Before the look, so that no change falls between.
        let control = context.control_news();
        peers.borrow_and_update();
        let again = look(&context, group, &voters, &mut since).await;
        tokio::select! {
            () = control => {}
            changed = peers.changed() => if changed.is_err() {
                return;
            },
            () = until(&context, again) => {}
        }
    }
}

/// When to look again, if nothing changes before.
async fn look(context: &Context, group: GroupId, voters: &[NodeId], since: &mut Option<Mono>) -> Option<Mono> {
    let members: Vec<_> = voters.iter().map(|voter| (*voter, context.link.layout(PeerId::Node(*voter)))).collect();
    let view = context.groups.view(group);
    let Some((layout, members)) = layout::next(view.machine.layout(), &members) else {
        *since = None;
        return None;
    };
    let settled = *since.get_or_insert_with(|| context.now()) + SETTLED;
    if context.now() < settled {
        return Some(settled);
    }
    let leading = context.groups.leads(group)?;
    let body = match group.shard() {
        None => Body::Control(ControlCommand::Raise { layout, members }),
        Some(_) => Body::Shard(Command::Raise { layout, members }),
    };
    match context.groups.propose_as_leader(group, leading, body, COMMIT).await {
        Ok(Outcome::Done) => {
            tracing::info!(%group, layout, "layout raised: every voter reads it");
            #[cfg(feature = "next-layout")]
            mark(context, group, leading).await;
            // There may be a later one still.
            Some(context.now())
        }
        Ok(outcome) => {
            tracing::debug!(%group, layout, ?outcome, "layout not raised");
            Some(context.now() + AGAIN)
        }
        Err(fault) => {
            tracing::debug!(%group, layout, %fault, "layout not raised");
            Some(context.now() + AGAIN)
        }
    }
}

/// What only the next layout can say is said at once, so that what two builds make of it is seen.
#[cfg(feature = "next-layout")]
async fn mark(context: &Context, group: GroupId, leading: strowger_raft::Leading) {
    let view = context.groups.view(group);
    let agents: Vec<_> = crate::context::shard_of(&view).into_iter().flat_map(|table| table.agents()).collect();
    for agent in agents {
        let mark = Body::Shard(Command::Mark { agent: agent.id, mark: 1 });
        let marked = context.groups.propose_as_leader(group, leading, mark, COMMIT).await;
        tracing::info!(%group, agent = %agent.id, ?marked, "marked in the next layout");
    }
}
