//! Planned moves of leadership.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use strowger_model::{GroupId, NodeId};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::groups::Groups;

/// For the target to have all that was written; nothing new is written meanwhile.
const CATCH_UP: Duration = Duration::from_millis(500);
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
        let _held = Held::new(seat.hold).ok_or(TransferError::Busy { group })?;

        let mut metrics = target.raft.metrics();
        let until = Instant::now() + CATCH_UP;
        loop {
            let caught_up = {
                let now = metrics.borrow_watched();
                let matched = now.replication.as_ref().and_then(|peers| peers.get(&id).copied().flatten());
                matched.map(|id| id.index) >= now.last_log_index
            };
            if caught_up {
                break;
            }
            match timeout_at(until, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(TransferError::Stopped),
                Err(_) => return Err(TransferError::Behind { group, to }),
            }
        }

        target.raft.trigger().transfer_leader(id).await.map_err(|_| TransferError::Stopped)?;
        let mut leadership = target.leadership.subscribe();
        let elected = leadership.wait_for(|now| now.leader == Some(to));
        match timeout_at(Instant::now() + ELECTION, elected).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(TransferError::Stopped),
            Err(_) => Err(TransferError::NotElected { group, to }),
        }
    }
}
