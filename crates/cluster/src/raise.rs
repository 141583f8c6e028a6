//! A later layout comes into force in a group once every voter has said, when it connected, that it can read it.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::{GroupId, Mono, NodeId, PeerId};
use strowger_table::{Body, Command, ControlCommand, Outcome, layout};

use crate::context::Context;

/// How often the leader compares.
const LOOK: Duration = Duration::from_secs(1);
/// All voters must have been of the new build for so long: an update that is taken back at once finds the layout it
/// knows. What was raised stays so.
const SETTLED: Duration = Duration::from_secs(10);
/// How long the leader waits for its own entry; an election takes less.
const COMMIT: Duration = Duration::from_secs(2);

/// Runs on every node and acts where that node leads.
pub(crate) async fn run(context: Arc<Context>, group: GroupId, voters: Vec<NodeId>) {
    let mut every = tokio::time::interval(LOOK);
    let mut since: Option<Mono> = None;
    loop {
        every.tick().await;
        let members: Vec<_> = voters.iter().map(|voter| (*voter, context.link.layout(PeerId::Node(*voter)))).collect();
        let view = context.groups.view(group);
        let Some((layout, members)) = layout::next(view.machine.layout(), &members) else {
            since = None;
            continue;
        };
        let began = *since.get_or_insert_with(|| context.now());
        let Some(leading) = context.groups.leads(group).filter(|_| context.now().since(began) >= SETTLED) else {
            continue;
        };
        let body = match group.shard() {
            None => Body::Control(ControlCommand::Raise { layout, members }),
            Some(_) => Body::Shard(Command::Raise { layout, members }),
        };
        match context.groups.propose_as_leader(group, leading, body, COMMIT).await {
            Ok(Outcome::Done) => {
                tracing::info!(%group, layout, "layout raised: every voter reads it");
                #[cfg(feature = "next-layout")]
                mark(&context, group, leading).await;
            }
            Ok(outcome) => tracing::debug!(%group, layout, ?outcome, "layout not raised"),
            Err(fault) => tracing::debug!(%group, layout, %fault, "layout not raised"),
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
