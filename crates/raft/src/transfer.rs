//! Planned moves of leadership.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use strowger_model::{GroupId, NodeId, PeerId};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::group::Group;
use crate::groups::Groups;

/// Entries that a voter may lack which is to take over at once: what is under way to a healthy one at the largest load
/// planned for one group (10 000/s), while its disk writes.
const NEAR: u64 = 256;
/// For the target to come near. The group goes on meanwhile: one that stays away or behind holds up nobody.
const COME_NEAR: Duration = Duration::from_millis(500);
/// For the target to have the last entries; nothing new is written meanwhile.
const CATCH_UP: Duration = Duration::from_millis(100);
/// For the target to be elected. Without success the voters elect somebody on their own in about this time.
const ELECTION: Duration = Duration::from_secs(2);

/// Why leadership was not moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum TransferError {
    #[error("this node does not lead {0}")]
    NotLeader(GroupId),
    #[error("{to} is no voter of {group}")]
    NotAVoter { group: GroupId, to: NodeId },
    #[error("{group} is being handed over already")]
    Busy { group: GroupId },
    #[error("{to} lacks entries of {group}: it is away or behind")]
    Behind { group: GroupId, to: NodeId },
    #[error("{to} did not become leader of {group} in time")]
    NotElected { group: GroupId, to: NodeId },
    #[error("this node is stopping")]
    Stopped,
}

/// Lets the proposer write again, however the transfer ended.
struct Held(Arc<watch::Sender<bool>>);

impl Held {
    fn new(hold: Arc<watch::Sender<bool>>) -> Option<Self> {
        hold.send_if_modified(|held| !std::mem::replace(held, true)).then_some(Self(hold))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Groups {
    /// Hands the group to another voter, and returns when that one leads. The target must have every entry first:
    /// once it began, a transfer cannot be called off, and the group stands until somebody leads.
    pub async fn transfer(&self, group: GroupId, to: NodeId) -> Result<(), TransferError> {
        let target = self.handle.inner.group(group).ok_or(TransferError::NotLeader(group))?;
        let seat = target.seat().ok_or(TransferError::NotLeader(group))?;
        if to == target.me {
            return Ok(());
        }
        let id = u64::from(to.0);
        if !target.raft.voter_ids().any(|voter| voter == id) {
            return Err(TransferError::NotAVoter { group, to });
        }
        lacks_at_most(target, to, NEAR, COME_NEAR).await?;
        let _held = Held::new(seat.hold).ok_or(TransferError::Busy { group })?;
        lacks_at_most(target, to, 0, CATCH_UP).await?;
        target.raft.trigger().transfer_leader(id).await.map_err(|_| TransferError::Stopped)?;
        let mut leadership = target.leadership.subscribe();
        let elected = leadership.wait_for(|now| now.leader == Some(to));
        match timeout_at(Instant::now() + ELECTION, elected).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(TransferError::Stopped),
            Err(_) => Err(TransferError::NotElected { group, to }),
        }
    }

    /// Hands each group that this node leads to one of `heirs` that is connected, the one first that lacks least of it; of
    /// equals not the same for all. Whatever nobody took is left to an election.
    pub async fn give_away(&self, heirs: &[NodeId]) {
        let link = &self.handle.inner.link;
        let heirs: Vec<NodeId> = heirs.iter().copied().filter(|heir| link.connected(PeerId::Node(*heir))).collect();
        let mut leads = JoinSet::new();
        for group in self.groups().filter(|group| self.leads(*group).is_some()) {
            leads.spawn(give_one_away(self.clone(), group, heirs.clone()));
        }
        leads.join_all().await;
    }
}

async fn give_one_away(groups: Groups, group: GroupId, mut heirs: Vec<NodeId>) {
    let Some(target) = groups.handle.inner.group(group) else { return };
    let turn = usize::from(group.0).checked_rem(heirs.len()).unwrap_or_default();
    heirs.rotate_left(turn);
    heirs.sort_by_key(|heir| Reverse(matched(target, *heir)));
    for heir in heirs {
        match groups.transfer(group, heir).await {
            Ok(()) | Err(TransferError::NotLeader(_)) => return,
            Err(fault) => tracing::info!(%group, %heir, %fault, "the lead was not taken"),
        }
    }
}

/// The last entry that a voter is known to have; none: this node does not lead, or has not heard.
fn matched(group: &Group, voter: NodeId) -> Option<u64> {
    let metrics = group.raft.metrics();
    let now = metrics.borrow_watched();
    let matched = now.replication.as_ref()?.get(&u64::from(voter.0)).copied().flatten();
    matched.map(|id| id.index)
}

/// Comes back when `to` lacks so few entries, or not within the time.
async fn lacks_at_most(group: &Group, to: NodeId, most: u64, within: Duration) -> Result<(), TransferError> {
    let mut metrics = group.raft.metrics();
    let until = Instant::now() + within;
    loop {
        let last = metrics.borrow_watched().last_log_index.unwrap_or(0);
        if matched(group, to).is_some_and(|matched| matched.saturating_add(most) >= last) {
            return Ok(());
        }
        match timeout_at(until, metrics.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(TransferError::Stopped),
            Err(_) => return Err(TransferError::Behind { group: group.id, to }),
        }
    }
}
