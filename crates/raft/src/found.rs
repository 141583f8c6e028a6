//! The very first start: all voters become members, and one writes the first entry of every group.
//!
//! A voter that forgot what it acknowledged could help to outvote it. So only a data directory that took part in the
//! founding is a member; a blank one that meets a founded cluster stays outside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strowger_link::{Class, Link, open, seal};
use strowger_model::{NodeId, PeerId};
use tokio::sync::watch;

use crate::group::Group;
use crate::leadership::stopped;
use crate::store::Store;
use crate::v1::{AskV1, CommandAnswerV1, CommandV1, GivenV1};

/// Between rounds of asking the other voters: none of them says when it has begun, nor when it has become a member.
const ROUND: Duration = Duration::from_millis(100);
/// For one answer of one voter; it may have to write to its disk first.
const ANSWER: Duration = Duration::from_secs(2);

/// Whether this node's data directory counts.
pub(crate) struct Membership {
    member: AtomicBool,
    store: Store,
    groups: Vec<Arc<Group>>,
}

/// What the other voters said.
enum Others {
    Blank,
    /// This one has a log: the cluster exists.
    Founded(NodeId),
    Missing,
}

impl Membership {
    pub fn new(member: bool, store: Store, groups: Vec<Arc<Group>>) -> Self {
        Self { member: AtomicBool::new(member), store, groups }
    }

    pub fn is_member(&self) -> bool {
        self.member.load(Ordering::Acquire)
    }

    /// Neither log nor vote in any group.
    pub fn is_blank(&self) -> bool {
        self.groups.iter().all(|group| group.log.blank())
    }

    /// The founding has not reached this node, or a crash interrupted it.
    pub fn is_incomplete(&self) -> bool {
        !self.is_member() || self.groups.iter().any(|group| group.log.blank())
    }

    /// The founder says that all voters are blank. False if this one is not.
    pub async fn found_by(&self, founder: NodeId) -> bool {
        if !self.is_blank() {
            return false;
        }
        tracing::info!(%founder, "this node is a member from now on");
        self.join().await
    }

    async fn join(&self) -> bool {
        if !self.is_member() {
            if let Err(fault) = self.store.make_member().await {
                tracing::error!(%fault, "membership could not be written");
                return false;
            }
            self.member.store(true, Ordering::Release);
        }
        true
    }

    async fn initialize(&self, voters: &[NodeId]) {
        let members: BTreeMap<u64, ()> = voters.iter().map(|voter| (voter.0.into(), ())).collect();
        for group in self.groups.iter().filter(|group| group.log.blank()) {
            match group.raft.initialize(members.clone()).await {
                Ok(()) => tracing::info!(group = %group.id, "founded"),
                Err(fault) => tracing::error!(group = %group.id, %fault, "not founded"),
            }
        }
    }
}

/// Runs until this node belongs to a cluster, or is sure that it never will.
pub(crate) async fn found(
    link: Link,
    membership: Arc<Membership>,
    voters: Vec<NodeId>,
    mut stop: watch::Receiver<bool>,
) {
    let founder = voters.iter().min().copied().map(PeerId::Node);
    let founds = founder == Some(link.me());
    loop {
        // All others are members too by now, and what this one did not found nobody did.
        if founds && membership.is_member() {
            return membership.initialize(&voters).await;
        }
        let others = ask_all(&link, &voters, &AskV1::Blank).await;
        if !founds && membership.is_member() {
            return;
        }
        match others {
            Others::Founded(by) => {
                tracing::error!(
                    "this node's data directory is blank, and {by} knows the cluster: its disk was exchanged or its \
                     directory moved; it takes no part, because it could help to outvote what it once acknowledged. \
                     Give it its old directory back"
                );
                return;
            }
            Others::Blank if founds => {
                let all = matches!(ask_all(&link, &voters, &AskV1::Found).await, Others::Blank);
                if all && membership.join().await {
                    continue;
                }
            }
            Others::Blank | Others::Missing => {}
        }
        if tokio::time::timeout(ROUND, stopped(&mut stop)).await.is_ok() {
            return;
        }
    }
}

async fn ask_all(link: &Link, voters: &[NodeId], ask: &AskV1) -> Others {
    let mut missing = false;
    for voter in voters.iter().filter(|voter| PeerId::Node(**voter) != link.me()) {
        match ask_one(link, *voter, ask).await {
            Some(true) => {}
            Some(false) => return Others::Founded(*voter),
            None => missing = true,
        }
    }
    if missing { Others::Missing } else { Others::Blank }
}

async fn ask_one(link: &Link, voter: NodeId, ask: &AskV1) -> Option<bool> {
    let ask = seal(&CommandV1 { ask: ask.clone() });
    let bytes = link.ask(PeerId::Node(voter), Class::Command, ask, ANSWER).await.ok()?;
    match open::<CommandAnswerV1>(&bytes).ok()?.answer {
        GivenV1::Blank(blank) => Some(blank),
        _ => None,
    }
}
