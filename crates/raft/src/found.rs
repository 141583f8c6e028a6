//! The very first start: one voter writes the first entry of every group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strowger_link::{Class, Link, open, seal};
use strowger_model::{NodeId, PeerId};
use tokio::sync::watch;

use crate::group::Group;
use crate::helm::stopped;
use crate::v1::{AskV1, CommandAnswerV1, CommandV1, GivenV1};

/// Between rounds of asking the other voters.
const ROUND: Duration = Duration::from_millis(100);
/// For one answer of one voter.
const ANSWER: Duration = Duration::from_secs(1);

/// What the other voters said.
enum Others {
    /// A majority, this node included, has no log, and nobody who answered has one.
    Blank,
    /// This one has: the cluster exists, and this node's disk was exchanged.
    Founded(NodeId),
    TooFew,
}

/// Founds all groups once a majority of voters is there and blank. A founder whose disk was lost would otherwise
/// found the cluster a second time.
pub(crate) async fn found(link: Link, groups: Vec<Arc<Group>>, voters: Vec<NodeId>, mut stop: watch::Receiver<bool>) {
    loop {
        match ask(&link, &voters).await {
            Others::Blank => break,
            Others::Founded(by) => {
                tracing::error!(%by, "this node's data directory is blank, but {by} knows the cluster: it founds nothing");
                return;
            }
            Others::TooFew => {}
        }
        if tokio::time::timeout(ROUND, stopped(&mut stop)).await.is_ok() {
            return;
        }
    }
    let members: BTreeMap<u64, ()> = voters.iter().map(|voter| (voter.0.into(), ())).collect();
    for group in groups {
        match group.raft.initialize(members.clone()).await {
            Ok(()) => tracing::info!(group = %group.id, "founded"),
            Err(fault) => tracing::error!(group = %group.id, %fault, "not founded"),
        }
    }
}

async fn ask(link: &Link, voters: &[NodeId]) -> Others {
    let mut blank = 0;
    for voter in voters {
        if PeerId::Node(*voter) == link.me() {
            blank += 1;
            continue;
        }
        match ask_one(link, *voter).await {
            Some(true) => blank += 1,
            Some(false) => return Others::Founded(*voter),
            None => {}
        }
    }
    if blank > voters.len() / 2 { Others::Blank } else { Others::TooFew }
}

async fn ask_one(link: &Link, voter: NodeId) -> Option<bool> {
    let ask = seal(&CommandV1 { ask: AskV1::Blank });
    let bytes = link.ask(PeerId::Node(voter), Class::Command, ask, ANSWER).await.ok()?;
    match open::<CommandAnswerV1>(&bytes).ok()?.answer {
        GivenV1::Blank(blank) => Some(blank),
        _ => None,
    }
}
