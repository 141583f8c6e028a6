//! What this crate writes to disk and sends to peers, frozen: the consensus library's own types may change with
//! any release, these may not. A change is a `v2` beside them. Bytes are shared, not copied; they lie as a `Vec<u8>` would.

use bytes::Bytes;
use rkyv::{Archive, Deserialize, Serialize};
use strowger_link::{Wire, schema};

macro_rules! frozen {
    ($name:ident, $number:literal, $layout:expr) => {
        impl Wire for $name {
            const TYPE: u16 = $number;
            const SCHEMA: u32 = schema($layout);
        }
    };
}

#[derive(Clone, Copy, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct LogIdV1 {
    pub term: u64,
    pub node: u64,
    pub index: u64,
}

#[derive(Clone, Copy, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct VoteV1 {
    pub term: u64,
    pub node: u64,
    pub committed: bool,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct MembershipV1 {
    /// One set of voters, or two while it changes.
    pub configs: Vec<Vec<u64>>,
    /// Voters and learners.
    pub nodes: Vec<u64>,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) enum PayloadV1 {
    Blank,
    /// `body` is a proposal, whose own header says in which layout.
    Normal {
        time_us: u64,
        wall_ms: u64,
        body: Bytes,
    },
    Membership(MembershipV1),
}

/// One entry of a log, on disk and on its way to a follower.
#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct EntryV1 {
    pub id: LogIdV1,
    pub payload: PayloadV1,
}

/// Up to where a log is committed or purged, on disk.
#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct MarkV1 {
    pub id: LogIdV1,
}

/// Whose data directory this is.
#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct IdentityV1 {
    pub node: u16,
    pub store: u128,
    pub shards: u16,
    pub incarnation: u64,
    /// It took part in the founding: what it acknowledged since then counts.
    pub member: bool,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct SnapshotMetaV1 {
    pub last: Option<LogIdV1>,
    pub membership_at: Option<LogIdV1>,
    pub membership: MembershipV1,
}

/// The state of one group, on disk.
#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct SnapshotV1 {
    pub group: u16,
    pub meta: SnapshotMetaV1,
    /// Says in which layout it is by its own header.
    pub machine: Bytes,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct RaftCallV1 {
    pub group: u16,
    pub call: CallV1,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) enum CallV1 {
    Append {
        vote: VoteV1,
        prev: Option<LogIdV1>,
        entries: Vec<EntryV1>,
        commit: Option<LogIdV1>,
    },
    Vote {
        vote: VoteV1,
        last: Option<LogIdV1>,
        transfer: bool,
    },
    PreVote {
        vote: VoteV1,
        last: Option<LogIdV1>,
        transfer: bool,
    },
    /// A piece of a snapshot; pieces of one transfer come in order.
    SnapshotPart {
        transfer: u64,
        at: u64,
        bytes: Bytes,
    },
    /// All pieces were sent: install them.
    SnapshotEnd {
        transfer: u64,
        vote: VoteV1,
        meta: SnapshotMetaV1,
    },
    TransferLeader {
        from: VoteV1,
        to: u64,
        last: Option<LogIdV1>,
    },
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct RaftAnswerV1 {
    pub answer: AnswerV1,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) enum AnswerV1 {
    Appended,
    AppendedUpTo(Option<LogIdV1>),
    Conflict,
    HigherVote(VoteV1),
    Voted {
        vote: VoteV1,
        granted: bool,
        last: Option<LogIdV1>,
    },
    PartTaken,
    Installed {
        vote: VoteV1,
    },
    Transferring,
    TransferVoteChanged {
        expected: VoteV1,
        actual: VoteV1,
    },
    TransferNotFlushed {
        expected: Option<LogIdV1>,
        actual: Option<LogIdV1>,
    },
    /// The group does not run here (any more).
    Stopped,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct CommandV1 {
    pub ask: AskV1,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) enum AskV1 {
    /// `body` is a proposal in the group's layout, as the log keeps it.
    Propose { group: u16, body: Bytes },
    /// Asked before the very first start: has this node any log?
    Blank,
    /// All voters are blank: be a member from now on.
    Found,
    /// The state hash at a checkpoint.
    Hash { group: u16, index: u64 },
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct CommandAnswerV1 {
    pub answer: GivenV1,
}

#[derive(Clone, PartialEq, Debug, Archive, Serialize, Deserialize)]
pub(crate) enum GivenV1 {
    /// In the group's layout.
    Outcome(Bytes),
    /// Whom it holds to be the leader.
    NotLeader(Option<u64>),
    /// It may or may not be committed: repeat it under the same number.
    Unknown,
    Blank(bool),
    Hash(Option<u64>),
}

const LOG_ID: &str = "LogIdV1{term:u64,node:u64,index:u64}";
const VOTE: &str = "VoteV1{term:u64,node:u64,committed:bool}";

frozen!(
    EntryV1,
    0x0201,
    "EntryV1{id:LogIdV1{term:u64,node:u64,index:u64},payload:PayloadV1{Blank,
    Normal{time_us:u64,wall_ms:u64,body:[u8]},Membership{configs:[[u64]],nodes:[u64]}}}"
);
frozen!(VoteV1, 0x0202, VOTE);
frozen!(MarkV1, 0x0203, LOG_ID);
frozen!(IdentityV1, 0x0204, "IdentityV1{node:u16,store:u128,shards:u16,incarnation:u64,member:bool}");
frozen!(
    SnapshotV1,
    0x0205,
    "SnapshotV1{group:u16,meta:SnapshotMetaV1{last:?LogIdV1,membership_at:?LogIdV1,
    membership:MembershipV1},machine:[u8]}"
);
frozen!(
    RaftCallV1,
    0x0207,
    "RaftCallV1{group:u16,call:CallV1{Append{vote,prev:?,entries:[EntryV1],commit:?},
    Vote{vote,last:?,transfer:bool},PreVote{vote,last:?,transfer:bool},SnapshotPart{transfer:u64,at:u64,bytes:[u8]},
    SnapshotEnd{transfer:u64,vote,meta:SnapshotMetaV1},TransferLeader{from,to:u64,last:?}}}"
);
frozen!(
    RaftAnswerV1,
    0x0208,
    "RaftAnswerV1{Appended,AppendedUpTo(?LogIdV1),Conflict,HigherVote(VoteV1),
    Voted{vote,granted:bool,last:?},PartTaken,Installed{vote},Transferring,TransferVoteChanged{expected,actual},
    TransferNotFlushed{expected:?LogIdV1,actual:?LogIdV1},Stopped}"
);
frozen!(CommandV1, 0x0209, "CommandV1{Propose{group:u16,body:[u8]},Blank,Found,Hash{group:u16,index:u64}}");
frozen!(
    CommandAnswerV1,
    0x020a,
    "CommandAnswerV1{Outcome([u8]),NotLeader(?u64),Unknown,
    Blank(bool),Hash(?u64)}"
);
