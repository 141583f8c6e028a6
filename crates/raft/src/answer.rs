//! Entrance for what other nodes ask on the link.

use std::sync::Arc;

use bytes::Bytes;
use strowger_link::{Class, Reply, open, seal};
use strowger_model::{GroupId, NodeId, PeerId};
use strowger_table::{Proposal, Written};
use tokio::time::timeout;

use crate::group::WriteFault;
use crate::groups::{Groups, Inner};
use crate::serve;
use crate::v1::{AskV1, CommandAnswerV1, CommandV1, GivenV1, RaftAnswerV1, RaftCallV1};

impl Groups {
    /// Takes what a node asks in [`Class::Raft`] and [`Class::Command`]; the rest, and all that relays ask, is left
    /// without an answer. Returns at once.
    ///
    /// The groups hold the link and the link its handler: a handler that holds a [`Groups`] lets go of it at the end.
    pub fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply) {
        let inner = self.handle.inner.clone();
        let PeerId::Node(from) = from else {
            tracing::warn!(%from, "a relay asked the consensus");
            return;
        };
        if *inner.stop.borrow() {
            return;
        }
        match class {
            Class::Raft => drop(tokio::spawn(async move { inner.on_raft(from, &body, reply).await })),
            Class::Command => drop(tokio::spawn(async move { inner.on_command(from, &body, reply).await })),
            _ => tracing::warn!(%from, ?class, "not for the consensus"),
        }
    }
}

impl Inner {
    async fn on_raft(self: Arc<Self>, from: NodeId, body: &[u8], reply: Reply) {
        let call = match open::<RaftCallV1>(body) {
            Ok(call) => call,
            Err(fault) => return tracing::warn!(%from, %fault, "a consensus call that cannot be read"),
        };
        if !self.membership.is_member() {
            return;
        }
        let Some(group) = self.group(GroupId(call.group)) else {
            return tracing::warn!(%from, group = call.group, "a consensus call for a group that does not exist here");
        };
        if let Some(answer) = serve::raft_call(group, &self.arriving, from, call.call).await {
            reply.send(seal(&RaftAnswerV1 { answer }));
        }
    }

    async fn on_command(self: Arc<Self>, from: NodeId, body: &[u8], reply: Reply) {
        let ask = match open::<CommandV1>(body) {
            Ok(command) => command.ask,
            Err(fault) => return tracing::warn!(%from, %fault, "a command that cannot be read"),
        };
        let answer = match ask {
            AskV1::Propose { group, body } => self.on_propose(from, GroupId(group), body).await,
            AskV1::Blank => GivenV1::Blank(self.membership.is_blank()),
            AskV1::Found => GivenV1::Blank(self.membership.found_by(from).await),
            AskV1::Hash { group, index } => {
                GivenV1::Hash(self.group(GroupId(group)).and_then(|group| group.shared.checkpoints.at(index)))
            }
        };
        reply.send(seal(&CommandAnswerV1 { answer }));
    }

    async fn on_propose(&self, from: NodeId, group: GroupId, body: Bytes) -> GivenV1 {
        let Some(group) = self.group(group) else { return GivenV1::NotLeader(None) };
        // What cannot be read here could be read by no replica either: it must not reach the log.
        match Proposal::check(&body) {
            // From a node that has applied a `Raise` before this one did: it asks again.
            Ok(layout) if layout > group.layout() => return GivenV1::NotLeader(None),
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(%from, %fault, "a proposal that cannot be read");
                return GivenV1::NotLeader(None);
            }
        }
        let written = match group.seat() {
            Some(seat) => timeout(Proposal::ATTEMPT, group.submit(&seat, body, false)).await,
            None => Ok(Err(group.not_leader())),
        };
        match written {
            // An outcome that has no bytes is none: it may be asked for again.
            Ok(Ok(outcome)) => {
                outcome.to_bytes(group.layout()).map_or(GivenV1::Unknown, |bytes| GivenV1::Outcome(bytes.into()))
            }
            Ok(Err(WriteFault::NotLeader(other))) => GivenV1::NotLeader(other.map(|node| node.0.into())),
            Ok(Err(WriteFault::Unknown)) | Err(_) => GivenV1::Unknown,
        }
    }
}
