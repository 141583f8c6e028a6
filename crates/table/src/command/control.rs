//! What can be said to the control group.

use strowger_model::config::{NextIds, Trunk};
use strowger_model::{Digest, Incarnation, NodeId, ShardId, TenantId};

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
    /// An API token, as its SHA-256, and what it may do.
    Grant {
        /// The token itself is nowhere.
        token_sha256: [u8; 32],
        /// As `api` reads it.
        role: String,
    },
    /// From the next entry on, a later layout may be written: all members can read it, the voters among them.
    Raise {
        /// The later one.
        layout: u16,
        /// The newest layout of each, as it says itself.
        members: Vec<(NodeId, u16)>,
    },
}
