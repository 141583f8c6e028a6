//! A proposal from any node to the leader and back, repeated under its number until it has an outcome.

use std::time::Duration;

use bytes::Bytes;
use strowger_link::{AskFault, Class, SendFault, open, seal};
use strowger_model::{GroupId, NodeId, PeerId};
use strowger_table::{Body, Outcome, Proposal, Written};
use tokio::time::{Instant, timeout, timeout_at};

use crate::group::{Group, Leading, WriteFault};
use crate::groups::{Groups, Inner};
use crate::v1::{AskV1, CommandAnswerV1, CommandV1, GivenV1};

/// A sealed proposal is at most this large: a batch of leads fits, and it goes to a follower in one message.
/// Configurations go in parts.
pub const MAX_PROPOSAL_BYTES: usize = 1 << 20;

/// Why a proposal has no outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProposeError {
    /// Nobody was found to send it to before the deadline.
    #[error(
        "{0} has no leader that this node can reach; the proposal was not sent, or its answer was lost with the leader"
    )]
    NoLeader(GroupId),
    /// Sent, and unanswered.
    #[error("{0} gave no outcome in time; the proposal may still be committed")]
    Deadline(GroupId),
    /// See [`Groups::shutdown`].
    #[error("this node is stopping")]
    Stopped,
    /// The configuration has fewer shards.
    #[error("{0} does not exist")]
    NoSuchGroup(GroupId),
    /// It was not sent.
    #[error("the proposal has {bytes} bytes, and the limit is {MAX_PROPOSAL_BYTES}")]
    TooLarge {
        /// Of the sealed proposal.
        bytes: usize,
    },
    /// It was not sent: what it says came with a later layout.
    #[error(
        "the proposal cannot be said in layout {layout}, which is in force in {group}; repeat it when all members are of this build"
    )]
    Layout {
        /// Where it should have gone.
        group: GroupId,
        /// In force there.
        layout: u16,
    },
}

/// Why the leader's own proposal has no outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeadError {
    /// Another may: it has to look for itself.
    #[error("this node does not lead {0}, or not in that term any more; nothing was written")]
    NotLeader(GroupId),
    /// The lead was lost, or time ran out, after the writing.
    #[error("the outcome in {0} is unknown; it may still be committed")]
    Unknown(GroupId),
    /// Nothing was written.
    #[error("the proposal has {bytes} bytes, and the limit is {MAX_PROPOSAL_BYTES}")]
    TooLarge {
        /// Of the sealed proposal.
        bytes: usize,
    },
    /// Nothing was written: what it says came with a later layout.
    #[error(
        "the proposal cannot be said in layout {layout}, which is in force in {group}; repeat it when all members are of this build"
    )]
    Layout {
        /// Where it should have been written.
        group: GroupId,
        /// In force there.
        layout: u16,
    },
}

/// Why a proposal has no bytes.
enum Unsealed {
    TooLarge(usize),
    Layout(u16),
}

impl Groups {
    /// Proposes from any node and waits for the outcome. It is applied at most once, however often it had to be
    /// repeated: lost answers and changes of leader are not the caller's business.
    pub async fn propose(&self, group: GroupId, body: Body, deadline: Duration) -> Result<Outcome, ProposeError> {
        let until = Instant::now() + deadline;
        let inner = &self.handle.inner;
        let target = inner.group(group).ok_or(ProposeError::NoSuchGroup(group))?;
        let proposed = async {
            let number = target.numbers.take().await;
            let body = inner.seal(target, number.seq, body).map_err(|why| match why {
                Unsealed::TooLarge(bytes) => ProposeError::TooLarge { bytes },
                Unsealed::Layout(layout) => ProposeError::Layout { group, layout },
            })?;
            inner.repeat(target, &body).await
        };
        timeout_at(until, proposed).await.unwrap_or_else(|_| match target.leadership.borrow().leader {
            Some(_) => Err(ProposeError::Deadline(group)),
            None => Err(ProposeError::NoLeader(group)),
        })
    }

    /// Proposes as the leader that `leading` names, once: what only a leader may say is worth nothing after it.
    pub async fn propose_as_leader(
        &self,
        group: GroupId,
        leading: Leading,
        body: Body,
        deadline: Duration,
    ) -> Result<Outcome, LeadError> {
        let inner = &self.handle.inner;
        let target = inner.group(group).ok_or(LeadError::NotLeader(group))?;
        let seat = target.seat().filter(|seat| seat.leading == leading).ok_or(LeadError::NotLeader(group))?;
        let body = inner.seal(target, 0, body).map_err(|why| match why {
            Unsealed::TooLarge(bytes) => LeadError::TooLarge { bytes },
            Unsealed::Layout(layout) => LeadError::Layout { group, layout },
        })?;
        match timeout(deadline, target.submit(&seat, body, true)).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(WriteFault::NotLeader(_))) => Err(LeadError::NotLeader(group)),
            Ok(Err(WriteFault::Unknown)) | Err(_) => Err(LeadError::Unknown(group)),
        }
    }
}

impl Inner {
    /// In the layout that is in force as far as this node knows: it may be an older one than the leader's, never a
    /// later one.
    fn seal(&self, group: &Group, seq: u64, body: Body) -> Result<Bytes, Unsealed> {
        let layout = group.layout();
        let proposal = Proposal { from: self.from, seq, body };
        let sealed = proposal.to_bytes(layout).map_err(|_| Unsealed::Layout(layout))?;
        if sealed.len() > MAX_PROPOSAL_BYTES { Err(Unsealed::TooLarge(sealed.len())) } else { Ok(sealed.into()) }
    }

    /// Asks whoever leads, until there is an outcome.
    pub async fn repeat(&self, group: &Group, body: &Bytes) -> Result<Outcome, ProposeError> {
        let mut leadership = group.leadership.subscribe();
        let mut hint = None;
        loop {
            if *self.stop.borrow() {
                return Err(ProposeError::Stopped);
            }
            let leader = hint.take().or(leadership.borrow_and_update().leader);
            let fault = match leader {
                Some(leader) if leader == self.me => match group.seat() {
                    Some(seat) => timeout(Proposal::ATTEMPT, group.submit(&seat, body.clone(), false)).await,
                    None => Ok(Err(WriteFault::NotLeader(None))),
                },
                Some(leader) => Ok(self.forward(group.id, leader, body).await),
                None => Ok(Err(WriteFault::NotLeader(None))),
            };
            match fault {
                Ok(Ok(outcome)) => return Ok(outcome),
                // Somebody else was named: ask there at once.
                Ok(Err(WriteFault::NotLeader(Some(other)))) if Some(other) != leader && other != self.me => {
                    hint = Some(other);
                }
                Ok(Err(_)) | Err(_) => {}
            }
            let _sooner = timeout(Proposal::PAUSE, leadership.changed()).await;
        }
    }

    async fn forward(&self, group: GroupId, leader: NodeId, body: &Bytes) -> Result<Outcome, WriteFault> {
        let ask = seal(&CommandV1 { ask: AskV1::Propose { group: group.0, body: body.clone() } });
        let answer = self.link.ask(PeerId::Node(leader), Class::Command, ask, Proposal::ATTEMPT).await;
        let bytes = answer.map_err(|fault| match fault {
            AskFault::NotSent(SendFault::NotConnected | SendFault::Closed) => WriteFault::NotLeader(None),
            _ => WriteFault::Unknown,
        })?;
        match open::<CommandAnswerV1>(&bytes).map_err(|_| WriteFault::Unknown)?.answer {
            GivenV1::Outcome(outcome) => Outcome::from_bytes(&outcome).map_err(|_| WriteFault::Unknown),
            GivenV1::NotLeader(other) => Err(WriteFault::NotLeader(other.map(crate::types::node_of))),
            GivenV1::Unknown | GivenV1::Blank(_) | GivenV1::Hash(_) => Err(WriteFault::Unknown),
        }
    }
}
