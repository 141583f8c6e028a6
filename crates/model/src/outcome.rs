//! How a call ends. Every admitted call ends in exactly one `Outcome`.

use std::fmt;

/// The terms of the conservation promise.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum Outcome {
    /// Talked to an agent.
    Answered,
    /// Ended inside a flow that needed no agent.
    ServedByFlow,
    /// The caller hung up while waiting or being offered.
    Abandoned,
    /// Left the queue by rule: its size, its longest wait, no agents.
    Overflowed,
    /// Something of ours or of the far end's failed: dead media, no relay, no acknowledgement.
    Failed,
    /// Turned away before a flow began.
    Rejected,
    /// The called party of an outbound call was not reached; the record's `DialResult` says how.
    NotReached,
    /// The caller left a place behind and is called back.
    CalledBack,
    /// The caller left a message.
    Voicemail,
    /// An outside party that the call was given to answered.
    TransferredOut,
    /// Went on as part of another call, whose record tells the rest.
    Merged,
}

impl Outcome {
    /// Each once.
    pub const ALL: [Outcome; 11] = [
        Outcome::Answered,
        Outcome::ServedByFlow,
        Outcome::Abandoned,
        Outcome::Overflowed,
        Outcome::Failed,
        Outcome::Rejected,
        Outcome::NotReached,
        Outcome::CalledBack,
        Outcome::Voicemail,
        Outcome::TransferredOut,
        Outcome::Merged,
    ];

    /// As API, records and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::ServedByFlow => "served_by_flow",
            Outcome::Abandoned => "abandoned",
            Outcome::Overflowed => "overflowed",
            Outcome::Failed => "failed",
            Outcome::Rejected => "rejected",
            Outcome::NotReached => "not_reached",
            Outcome::CalledBack => "called_back",
            Outcome::Voicemail => "voicemail",
            Outcome::TransferredOut => "transferred_out",
            Outcome::Merged => "merged",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of dialling a number once.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum DialResult {
    /// Talked to an agent.
    Connected,
    /// Answered, and the call ended before an agent was there.
    Abandoned,
    /// The called party was busy (486, 600).
    Busy,
    /// Rang until the ring time-out, or nobody was there.
    NoAnswer,
    /// Declined by the called party.
    Rejected,
    /// There is no such number.
    InvalidNumber,
    /// The network could not bring the call there.
    Unreachable,
    /// The carrier took no call at all (5xx, 401, 402, 407 without a cause that tells of the number, or not a word), and
    /// nothing rang: that says nothing of who was called, and is no attempt.
    CarrierFailed,
    /// Nothing was sent: no media, no agent, no trunk.
    NotDialled,
    /// Perhaps dialled: whoever did it was gone before it could say so.
    Unknown,
}

impl DialResult {
    /// Each once.
    pub const ALL: [DialResult; 10] = [
        DialResult::Connected,
        DialResult::Abandoned,
        DialResult::Busy,
        DialResult::NoAnswer,
        DialResult::Rejected,
        DialResult::InvalidNumber,
        DialResult::Unreachable,
        DialResult::CarrierFailed,
        DialResult::NotDialled,
        DialResult::Unknown,
    ];

    /// As API, records and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            DialResult::Connected => "connected",
            DialResult::Abandoned => "abandoned",
            DialResult::Busy => "busy",
            DialResult::NoAnswer => "no_answer",
            DialResult::Rejected => "rejected",
            DialResult::InvalidNumber => "invalid_number",
            DialResult::Unreachable => "unreachable",
            DialResult::CarrierFailed => "carrier_failed",
            DialResult::NotDialled => "not_dialled",
            DialResult::Unknown => "unknown",
        }
    }
}

impl fmt::Display for DialResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who ended it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum HangupBy {
    /// The customer: the caller, or the party an outbound call called.
    Caller,
    /// The agent who served the call.
    Agent,
    /// A rule of ours, or an operator.
    System,
    /// Another party that was brought in.
    Party,
}

impl HangupBy {
    /// As API and records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            HangupBy::Caller => "caller",
            HangupBy::Agent => "agent",
            HangupBy::System => "system",
            HangupBy::Party => "party",
        }
    }
}

/// A Q.850 cause (ITU-T Q.850, table 1), the number carriers expect in a record.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Cause(pub u8);

impl Cause {
    /// No route to destination.
    pub const NO_ROUTE: Cause = Cause(3);
    /// Normal call clearing.
    pub const NORMAL: Cause = Cause(16);
    /// User busy.
    pub const BUSY: Cause = Cause(17);
    /// No answer from user: it rang.
    pub const NO_ANSWER: Cause = Cause(19);
    /// Call rejected.
    pub const REJECTED: Cause = Cause(21);
    /// No circuit available; of ours, no relay that opens a port.
    pub const NO_CIRCUIT: Cause = Cause(34);
    /// Temporary failure; of ours, dead media.
    pub const TEMPORARY_FAILURE: Cause = Cause(41);
    /// Bearer capability not authorized; of ours, media that would go where none may.
    pub const NOT_AUTHORIZED: Cause = Cause(57);
    /// Bearer capability not implemented; of ours, a description that cannot be met.
    pub const NOT_IMPLEMENTED: Cause = Cause(65);
    /// Recovery on timer expiry: nobody said anything any more.
    pub const RECOVERY_ON_TIMER: Cause = Cause(102);
}

/// The end of a call, as its owner or the leader proposes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Ended {
    /// Who ended it.
    pub by: HangupBy,
    /// Why; the far ends that are still there are told it (`Reason`, RFC 3326).
    pub cause: Cause,
}
