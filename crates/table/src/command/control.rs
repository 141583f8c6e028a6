//! What can be said to the control group.

use strowger_model::config::{NextIds, Trunk};
use strowger_model::{Digest, Incarnation, NodeId, ShardId, TenantId};

use crate::{ActResult, Grant, Intent};

/// A tenant as the control group knows it: where it lives, and the digest of what the shard has of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TenantRef {
    /// Which.
    pub tenant: TenantId,
    /// Where it lives.
    pub shard: ShardId,
    /// Of its content.
    pub digest: Digest,
}

/// Commands of the control group.
#[derive(Clone, PartialEq, Debug)]
pub enum ControlCommand {
    /// Moves log time on in a quiet group.
    Tick,
    /// Who votes; said once by the first voter when the cluster is founded.
    Found {
        /// For ever: there is no command that changes them.
        voters: Vec<NodeId>,
        /// Likewise.
        shards: u16,
    },
    /// A process started: earlier incarnations of the node are over.
    Hello {
        /// Which.
        node: NodeId,
        /// Above all earlier ones of the node.
        incarnation: Incarnation,
    },
    /// A voter has not heard a node for too long. A majority of such reports makes it down.
    Silent {
        /// Who says it.
        voter: NodeId,
        /// Of whom.
        node: NodeId,
        /// Which start of it.
        incarnation: Incarnation,
    },
    /// The voter hears it again.
    Heard {
        /// Who says it.
        voter: NodeId,
        /// Of whom.
        node: NodeId,
        /// Which start of it.
        incarnation: Incarnation,
    },
    /// A whole configuration by its tenants' digests; replaces the one in force if its version is the next.
    Configure {
        /// One above the one in force.
        version: u64,
        /// All of them.
        tenants: Vec<TenantRef>,
        /// All of them.
        trunks: Vec<Trunk>,
        /// Above every id that the configuration uses.
        next_ids: NextIds,
    },
    /// A token for the API.
    Grant(Box<Grant>),
    /// From the next entry on, a later layout may be written: all members can read it, the voters among them.
    Raise {
        /// The later one.
        layout: u16,
        /// The newest layout of each, as it says itself.
        members: Vec<(NodeId, u16)>,
    },
    /// A token is worth nothing any more.
    Revoke {
        /// The tenant that it is for; none: the whole cluster.
        tenant: Option<TenantId>,
        /// Which of that tenant's.
        name: String,
    },
    /// A token is in use. Nodes say it once in `limit::TOKEN_USE` and not at each request.
    Used {
        /// Which.
        token_sha256: [u8; 32],
    },
    /// Somebody is about to do something through the API: nothing is done before this is committed.
    Begin(Box<Intent>),
    /// What came of it.
    End {
        /// As the outcome of its `Begin` says.
        act: u64,
        /// What was answered.
        result: Box<ActResult>,
    },
}
