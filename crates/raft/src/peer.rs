//! The way to one other voter, for one group.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use openraft::RPCTypes;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use strowger_link::{AskFault, Class, Link, SendFault, open, seal};
use strowger_model::{GroupId, PeerId};

use crate::types::{Snapshot, Types, Vote, node_of};
use crate::v1::{AnswerV1, CallV1, RaftAnswerV1, RaftCallV1};

/// An append waits for the follower's disk. Ten heartbeats: a hung one is given up before clients give up on theirs,
/// a slow disk is not mistaken for one.
const APPEND_TIMEOUT_HEARTBEATS: u32 = 10;
/// A vote that takes longer than this is of no use: another election has begun.
const VOTE_TIMEOUT_HEARTBEATS: u32 = 4;
/// Bytes in one part of a snapshot: at 1 Gbit/s it holds up the heartbeats behind it for 35 ms.
const PART_BYTES: usize = 4 << 20;
/// A part only goes into memory.
const PART_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the ways of one group.
pub(crate) struct Peers {
    pub group: GroupId,
    pub me: u64,
    pub link: Link,
    pub heartbeat: Duration,
}

pub(crate) struct Peer {
    group: GroupId,
    me: u64,
    target: u64,
    link: Link,
    heartbeat: Duration,
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _node: &()) -> Peer {
        Peer { group: self.group, me: self.me, target, link: self.link.clone(), heartbeat: self.heartbeat }
    }
}

impl Peer {
    async fn ask(&self, call: CallV1, action: RPCTypes, timeout: Duration) -> Result<AnswerV1, RPCError<Types>> {
        let call = seal(&RaftCallV1 { group: self.group.0, call });
        let to = PeerId::Node(node_of(self.target));
        let answer = self.link.ask(to, Class::Raft, call, timeout).await;
        let bytes = answer.map_err(|fault| match fault {
            AskFault::TimedOut => Timeout { action, id: self.me, target: self.target, timeout }.into(),
            AskFault::NotSent(SendFault::NotConnected | SendFault::Closed) => Unreachable::new(&fault).into(),
            AskFault::NotSent(_) | AskFault::NoAnswer | AskFault::ConnectionLost => {
                RPCError::Network(NetworkError::new(&fault))
            }
        })?;
        let answer = open::<RaftAnswerV1>(&bytes).map_err(|fault| NetworkError::new(&fault))?;
        match answer.answer {
            AnswerV1::Stopped => Err(Unreachable::from_string("the group does not run there").into()),
            answer => Ok(answer),
        }
    }

    async fn ask_vote(&self, call: CallV1) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self.ask(call, RPCTypes::Vote, self.heartbeat * VOTE_TIMEOUT_HEARTBEATS).await? {
            AnswerV1::Voted { vote, granted, last } => {
                Ok(VoteResponse::new(Vote::from(vote), last.map(Into::into), granted))
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: Snapshot) -> Result<SnapshotResponse<Types>, RPCError<Types>> {
        let transfer = snapshot.meta.last_log_id.map_or(0, |id| id.index);
        let bytes: Bytes = snapshot.snapshot;
        for start in (0..bytes.len()).step_by(PART_BYTES) {
            let part = bytes.slice(start..bytes.len().min(start + PART_BYTES));
            let call = CallV1::SnapshotPart { transfer, at: start as u64, bytes: part };
            match self.ask(call, RPCTypes::InstallSnapshot, PART_TIMEOUT).await? {
                AnswerV1::PartTaken => {}
                other => return Err(unexpected(&other)),
            }
        }
        let call = CallV1::SnapshotEnd { transfer, vote: vote.into(), meta: (&snapshot.meta).into() };
        match self.ask(call, RPCTypes::InstallSnapshot, INSTALL_TIMEOUT).await? {
            AnswerV1::Installed { vote } => Ok(SnapshotResponse::new(vote.into())),
            other => Err(unexpected(&other)),
        }
    }
}

/// Decoding and storing some hundred megabytes.
pub(crate) const INSTALL_TIMEOUT: Duration = Duration::from_secs(30);

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let call = CallV1::Append {
            vote: rpc.vote.into(),
            prev: rpc.prev_log_id.map(Into::into),
            entries: rpc.entries.iter().map(Into::into).collect(),
            commit: rpc.leader_commit.map(Into::into),
        };
        match self.ask(call, RPCTypes::AppendEntries, self.heartbeat * APPEND_TIMEOUT_HEARTBEATS).await? {
            AnswerV1::Appended => Ok(AppendEntriesResponse::Success),
            AnswerV1::AppendedUpTo(id) => Ok(AppendEntriesResponse::PartialSuccess(id.map(Into::into))),
            AnswerV1::Conflict => Ok(AppendEntriesResponse::Conflict),
            AnswerV1::HigherVote(vote) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
            other => Err(unexpected(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let (vote, last) = (rpc.vote.into(), rpc.last_log_id.map(Into::into));
        self.ask_vote(CallV1::Vote { vote, last, transfer: rpc.leadership_transfer }).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let (vote, last) = (rpc.vote.into(), rpc.last_log_id.map(Into::into));
        self.ask_vote(CallV1::PreVote { vote, last, transfer: rpc.leadership_transfer }).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            sent = self.send_snapshot(vote, snapshot) => Ok(sent?),
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let call = CallV1::TransferLeader {
            from: (*rpc.from_leader()).into(),
            to: *rpc.to_node_id(),
            last: rpc.last_log_id().copied().map(Into::into),
        };
        match self.ask(call, RPCTypes::TransferLeader, self.heartbeat * VOTE_TIMEOUT_HEARTBEATS).await? {
            AnswerV1::Transferring => Ok(Ok(())),
            AnswerV1::TransferVoteChanged { expected, actual } => {
                Ok(Err(TransferLeaderError::VoteChanged { expected: expected.into(), actual: actual.into() }))
            }
            AnswerV1::TransferNotFlushed { expected, actual } => Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: expected.map(Into::into),
                actual: actual.map(Into::into),
            })),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(answer: &AnswerV1) -> RPCError<Types> {
    NetworkError::from_string(format!("an answer to something else: {answer:?}")).into()
}
