//! Typed ids. A number of one kind never stands in for another.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default,
            rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(/// A voter or further node of the cluster.
    NodeId(u16), "node-");
id!(/// A media relay.
    RelayId(u16), "relay-");
id!(/// A shard: one replicated routing table. Shard `n` is Raft group `n + 1`.
    ShardId(u16), "shard-");
id!(/// A Raft group: 0 is control, the rest are shards.
    GroupId(u16), "group-");
id!(/// A tenant; ids are given by the control group and never used again.
    TenantId(u32), "tenant-");
id!(/// A queue of a tenant.
    QueueId(u32), "queue-");
id!(/// An agent of a tenant.
    AgentId(u32), "agent-");
id!(/// A call flow of a tenant.
    FlowId(u32), "flow-");
id!(/// A trunk.
    TrunkId(u32), "trunk-");
id!(/// An outbound campaign.
    CampaignId(u32), "campaign-");
id!(/// One start of a process. A started process never has the incarnation of an earlier one.
    Incarnation(u64), "inc-");
id!(/// A leg of a call, in the order in which the call's legs began. What a leg is for stands in its row.
    LegNo(u16), "leg-");
id!(/// A phone as it names itself, so that a binding renewed is the same one: a number made of its instance id
    /// (RFC 5626, 4.1) or, without one, of its Contact. 0 is the phone that is always there.
    Instance(u64), "instance-");
id!(/// An endpoint that takes media by a socket: a voice agent, a recorder.
    EndpointId(u32), "endpoint-");

/// A call: the shard in the upper 16 bits, the log index of its `Admit` in the lower 48,
/// so an id is unique without a counter and says where its row lives.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct CallId(pub u64);

impl CallId {
    const INDEX_BITS: u32 = 48;

    /// `index`: of the call's `Admit` or `Dial`, below 2^48.
    pub fn new(shard: ShardId, index: u64) -> Self {
        debug_assert!(index < 1 << Self::INDEX_BITS);
        Self(u64::from(shard.0) << Self::INDEX_BITS | index)
    }

    /// The shard that has the row.
    pub fn shard(self) -> ShardId {
        ShardId((self.0 >> Self::INDEX_BITS) as u16)
    }

    /// Of the entry that made it; above what is applied here, the row is not here yet.
    pub fn index(self) -> u64 {
        self.0 & ((1 << Self::INDEX_BITS) - 1)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.shard().0, self.index())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {self}")
    }
}

/// A place in a queue: the shard in the upper 16 bits, the log index of the entry that made it in the lower 48. It may
/// outlive the call that it was made for.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct PlaceId(pub u64);

impl PlaceId {
    /// `index`: of the entry that made it, below 2^48.
    pub fn new(shard: ShardId, index: u64) -> Self {
        Self(CallId::new(shard, index).0)
    }

    /// The shard that has the row.
    pub fn shard(self) -> ShardId {
        CallId(self.0).shard()
    }

    /// Of the entry that made it.
    pub fn index(self) -> u64 {
        CallId(self.0).index()
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CallId(self.0).fmt(f)
    }
}

impl fmt::Debug for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place {self}")
    }
}

/// Text that is not `SHARD-INDEX`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a call id: expected SHARD-INDEX, for example 0-1742")]
pub struct NotACallId(pub String);

impl std::str::FromStr for CallId {
    type Err = NotACallId;

    fn from_str(text: &str) -> Result<Self, NotACallId> {
        let fault = || NotACallId(text.to_owned());
        let (shard, index) = text.split_once('-').ok_or_else(fault)?;
        let index: u64 = index.parse().map_err(|_| fault())?;
        if index >> Self::INDEX_BITS != 0 {
            return Err(fault());
        }
        Ok(Self::new(ShardId(shard.parse().map_err(|_| fault())?), index))
    }
}

/// A lead: its campaign in the upper half, its place in the campaign's list in the lower.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct LeadId(pub u64);

impl LeadId {
    /// `place`: from 0, in the order of import.
    pub fn new(campaign: CampaignId, place: u32) -> Self {
        Self(u64::from(campaign.0) << 32 | u64::from(place))
    }

    /// Whose list it is on.
    pub fn campaign(self) -> CampaignId {
        CampaignId((self.0 >> 32) as u32)
    }

    /// Its position in the list.
    pub fn place(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.campaign().0, self.place())
    }
}

impl GroupId {
    /// Who is alive, and the configuration.
    pub const CONTROL: GroupId = GroupId(0);

    /// The shard this group replicates; none for control.
    pub fn shard(self) -> Option<ShardId> {
        self.0.checked_sub(1).map(ShardId)
    }
}

impl ShardId {
    /// The Raft group that replicates it.
    pub fn group(self) -> GroupId {
        GroupId(self.0 + 1)
    }
}

/// One leg of one call, under the call and number that it was born with: a leg that moves into another call's row keeps
/// it, and with it its token, its tags and its relay port.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct LegKey {
    /// The call that it was born in.
    pub call: CallId,
    /// Its number there.
    pub leg: LegNo,
}

impl fmt::Display for LegKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.leg.0)
    }
}

/// Who performs a row's duties: one start of one node, since one log entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Owner {
    /// The node.
    pub node: NodeId,
    /// Which start of it: a later one owns nothing of an earlier one.
    pub incarnation: Incarnation,
    /// Log index of the entry that made it owner; a higher one fences a lower one.
    pub epoch: u64,
}

/// A process that speaks on the link.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum PeerId {
    /// By its number in `cluster.voters`.
    Node(NodeId),
    /// By its number in `cluster.relays`.
    Relay(RelayId),
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerId::Node(id) => id.fmt(f),
            PeerId::Relay(id) => id.fmt(f),
        }
    }
}

/// SHA-256 of a piece of content (prompt, music): its address everywhere.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}
