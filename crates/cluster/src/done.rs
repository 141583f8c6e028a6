//! Runs the switch's rule for duties performed: actors leave them here, entries tell the log.

use std::sync::Arc;

use strowger_model::{CallId, ShardId};
use strowger_raft::ProposeError;
use strowger_switch::limit;
use strowger_table::{Body, Command, Outcome};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::context::Context;

/// Taken at once, of what actors have left.
const TAKE: usize = 256;

/// What became of a shard's entry.
type Answer = (ShardId, Result<Outcome, ProposeError>);

/// Where actors leave what they have done. Unbounded like the actors' own mailboxes: the door bounds both.
#[derive(Clone)]
pub(crate) struct Performed(mpsc::UnboundedSender<(CallId, u32)>);

pub(crate) type PerformedList = mpsc::UnboundedReceiver<(CallId, u32)>;

impl Performed {
    #[expect(clippy::disallowed_methods, reason = "the door bounds the calls, and each has few duties")]
    pub fn new() -> (Self, PerformedList) {
        let (sender, list) = mpsc::unbounded_channel();
        (Self(sender), list)
    }

    pub fn say(&self, call: CallId, duty: u32) {
        // Gone only while the node stops; the adopter performs the duty again.
        let _stopping = self.0.send((call, duty));
    }
}

/// Ends with the node's groups: nothing is committed any more.
pub(crate) async fn run(context: Arc<Context>, mut list: PerformedList) {
    let mut rule = strowger_switch::Performed::default();
    let mut under_way: JoinSet<Answer> = JoinSet::new();
    let mut taken = Vec::with_capacity(TAKE);
    loop {
        let due = rule.due().map(|due| due.since(context.now()));
        tokio::select! {
            count = list.recv_many(&mut taken, TAKE) => {
                if count == 0 {
                    return;
                }
                rule.take(taken.drain(..), context.now());
            }
            Some(answer) = under_way.join_next() => {
                let Ok((shard, outcome)) = answer else { return tracing::error!("no duty is done any more") };
                if outcome == Err(ProposeError::Stopped) {
                    return;
                }
                rule.answered(shard, outcome.is_ok());
            }
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {}
        }
        for (shard, command) in rule.say(context.now()) {
            under_way.spawn(propose(context.clone(), shard, command));
        }
    }
}

async fn propose(context: Arc<Context>, shard: ShardId, command: Command) -> Answer {
    (shard, context.groups.propose(shard.group(), Body::Shard(command), limit::PROPOSE).await)
}
