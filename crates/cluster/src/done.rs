//! Duties performed, collected per shard and proposed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::{CallId, ShardId};
use strowger_switch::limit;
use strowger_table::Command;
use tokio::sync::mpsc;

use crate::context::Context;

/// Where actors leave what they have done. Unbounded like the actors' own mailboxes: the door bounds both.
#[derive(Clone)]
pub(crate) struct Performed(mpsc::UnboundedSender<(CallId, u32)>);

pub(crate) type PerformedList = mpsc::UnboundedReceiver<(CallId, u32)>;

impl Performed {
    pub fn new() -> (Self, PerformedList) {
        let (sender, list) = mpsc::unbounded_channel();
        (Self(sender), list)
    }

    pub fn say(&self, call: CallId, duty: u32) {
        // Gone only while the node stops; the adopter performs the duty again.
        let _stopping = self.0.send((call, duty));
    }
}

pub(crate) async fn run(context: Arc<Context>, mut list: PerformedList) {
    while let Some(first) = list.recv().await {
        tokio::time::sleep(limit::DONE_BATCH).await;
        let mut by_shard: BTreeMap<ShardId, Vec<(CallId, u32)>> = BTreeMap::new();
        by_shard.entry(first.0.shard()).or_default().push(first);
        while let Ok(next) = list.try_recv() {
            by_shard.entry(next.0.shard()).or_default().push(next);
        }
        for (shard, duties) in by_shard {
            let context = context.clone();
            tokio::spawn(async move {
                // Lost only with the cluster: then the duty is still open, and is performed again.
                let _lost = context.command(shard, Command::Done { duties }, limit::PROPOSE).await;
            });
        }
    }
}
