//! What other voters ask of this node's groups.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use strowger_model::{GroupId, NodeId};

use crate::group::Group;
use crate::types::{Raft, Snapshot, SnapshotMeta, Types, Vote};
use crate::v1::{AnswerV1, CallV1};

/// The largest state taken over in one snapshot. Beyond it the sender is told so rather than this node's memory run
/// out.
const MAX_SNAPSHOT_BYTES: usize = 1 << 30;

/// Snapshots that are arriving in parts, one for each group: who begins one drops another's that was never finished,
/// for its sender leads no more.
#[derive(Default)]
pub(crate) struct Arriving(Mutex<BTreeMap<(NodeId, GroupId), Parts>>);

struct Parts {
    transfer: u64,
    bytes: Vec<u8>,
}

impl Arriving {
    /// False if the part does not follow on what is here.
    fn take(&self, from: NodeId, group: GroupId, transfer: u64, at: u64, part: &[u8]) -> bool {
        let mut arriving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if at == 0 {
            arriving.retain(|(_, of), _| *of != group);
        }
        let parts = arriving.entry((from, group)).or_insert(Parts { transfer, bytes: Vec::new() });
        let follows = parts.transfer == transfer && parts.bytes.len() as u64 == at;
        if !follows || parts.bytes.len() + part.len() > MAX_SNAPSHOT_BYTES {
            arriving.remove(&(from, group));
            return false;
        }
        parts.bytes.extend_from_slice(part);
        true
    }

    fn finish(&self, from: NodeId, group: GroupId, transfer: u64) -> Option<Bytes> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(from, group))?;
        (parts.transfer == transfer).then(|| Bytes::from(parts.bytes))
    }
}

/// None: no answer is better than a wrong one, and the asker tries again.
pub(crate) async fn raft_call(group: &Group, arriving: &Arriving, from: NodeId, call: CallV1) -> Option<AnswerV1> {
    let raft = &group.raft;
    match call {
        CallV1::Append { vote, prev, entries, commit } => {
            let rpc = AppendEntriesRequest {
                vote: vote.into(),
                prev_log_id: prev.map(Into::into),
                entries: entries.into_iter().map(Into::into).collect(),
                leader_commit: commit.map(Into::into),
            };
            Some(appended(raft.append_entries(rpc).await.ok()))
        }
        CallV1::Vote { vote, last, transfer } => {
            Some(voted(raft.vote(vote_request(vote.into(), last.map(Into::into), transfer)).await.ok()))
        }
        CallV1::PreVote { vote, last, transfer } => {
            Some(voted(raft.pre_vote(vote_request(vote.into(), last.map(Into::into), transfer)).await.ok()))
        }
        CallV1::SnapshotPart { transfer, at, bytes } => {
            arriving.take(from, group.id, transfer, at, &bytes).then_some(AnswerV1::PartTaken)
        }
        CallV1::SnapshotEnd { transfer, vote, meta } => {
            let bytes = arriving.finish(from, group.id, transfer)?;
            let snapshot = Snapshot { meta: SnapshotMeta::from(meta), snapshot: bytes };
            let installed = raft.install_full_snapshot(vote.into(), snapshot).await.ok();
            Some(installed.map_or(AnswerV1::Stopped, |done| AnswerV1::Installed { vote: done.vote.into() }))
        }
        CallV1::TransferLeader { from, to, last } => {
            let rpc = TransferLeaderRequest::new(from.into(), to, last.map(Into::into));
            Some(transferring(raft, rpc).await)
        }
    }
}

fn vote_request(vote: Vote, last: Option<crate::types::LogId>, transfer: bool) -> VoteRequest<Types> {
    let mut rpc = VoteRequest::new(vote, last);
    rpc.leadership_transfer = transfer;
    rpc
}

fn appended(answer: Option<AppendEntriesResponse<Types>>) -> AnswerV1 {
    match answer {
        Some(AppendEntriesResponse::Success) => AnswerV1::Appended,
        Some(AppendEntriesResponse::PartialSuccess(id)) => AnswerV1::AppendedUpTo(id.map(Into::into)),
        Some(AppendEntriesResponse::Conflict) => AnswerV1::Conflict,
        Some(AppendEntriesResponse::HigherVote(vote)) => AnswerV1::HigherVote(vote.into()),
        None => AnswerV1::Stopped,
    }
}

fn voted(answer: Option<VoteResponse<Types>>) -> AnswerV1 {
    answer.map_or(AnswerV1::Stopped, |answer| AnswerV1::Voted {
        vote: answer.vote.into(),
        granted: answer.vote_granted,
        last: answer.last_log_id.map(Into::into),
    })
}

async fn transferring(raft: &Raft, rpc: TransferLeaderRequest<Types>) -> AnswerV1 {
    match raft.handle_transfer_leader(rpc).await {
        Ok(Ok(())) => AnswerV1::Transferring,
        Ok(Err(TransferLeaderError::VoteChanged { expected, actual })) => {
            AnswerV1::TransferVoteChanged { expected: expected.into(), actual: actual.into() }
        }
        Ok(Err(TransferLeaderError::LogNotFlushed { expected, actual })) => {
            AnswerV1::TransferNotFlushed { expected: expected.map(Into::into), actual: actual.map(Into::into) }
        }
        Err(_fatal) => AnswerV1::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_leader_that_died_began_is_dropped_when_the_next_one_begins() {
        let arriving = Arriving::default();
        let group = GroupId(1);
        assert!(arriving.take(NodeId(1), group, 7, 0, b"ab"));
        assert!(arriving.take(NodeId(1), GroupId(2), 7, 0, b"x"));
        assert!(arriving.take(NodeId(2), group, 7, 0, b"ab"));
        assert_eq!(
            arriving.0.lock().unwrap().keys().collect::<Vec<_>>(),
            [&(NodeId(1), GroupId(2)), &(NodeId(2), group)]
        );
        assert!(!arriving.take(NodeId(1), group, 7, 2, b"c"), "it begins anew");
        assert_eq!(arriving.finish(NodeId(2), group, 7), Some(Bytes::from_static(b"ab")));
    }

    #[test]
    fn parts_that_do_not_follow_are_refused() {
        let arriving = Arriving::default();
        let (from, group) = (NodeId(1), GroupId(1));
        assert!(arriving.take(from, group, 7, 0, b"ab"));
        assert!(arriving.take(from, group, 7, 2, b"c"));
        assert_eq!(arriving.finish(from, group, 7), Some(Bytes::from_static(b"abc")));
        assert!(!arriving.take(from, group, 7, 3, b"d"), "there is no beginning");
        assert!(arriving.take(from, group, 7, 0, b"ab"));
        assert!(!arriving.take(from, group, 8, 2, b"c"), "another transfer's");
        assert_eq!(arriving.finish(from, group, 7), None);
    }
}
