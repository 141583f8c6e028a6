//! One record per call, written when it ends and once more when its wrap-up ends.

use strowger_model::{
    AgentId, CallId, CampaignId, DialResult, Ended, LeadId, LogTime, Outcome, QueueId, TenantId, TrunkId, Wall,
};

use crate::row::kept::Kept;
use crate::row::segment::Segment;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    pub call: CallId,
    pub tenant: TenantId,
    /// The trunk that the customer was reached over.
    pub trunk: Option<TrunkId>,
    pub from: String,
    pub to: String,
    /// SIP Call-ID of the customer's leg, which the carrier's records carry too; empty if no dialog came of it.
    pub sip_call_id: String,
    /// SIP Call-ID of the agent's leg, when one talked.
    pub agent_sip_call_id: Option<String>,
    pub outcome: Outcome,
    pub ended: Ended,
    pub queue: Option<QueueId>,
    pub agent: Option<AgentId>,
    /// How many times it was offered to an agent.
    pub offers: u16,
    pub admitted: Wall,
    /// Durations in milliseconds, from observed times.
    pub wait_ms: Option<u64>,
    pub ring_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub total_ms: u64,
    /// Set by the second writing.
    pub wrap_ms: Option<u64>,
    pub disposition: Option<String>,
    /// Set for outbound calls.
    pub dial: Option<DialRecord>,
    /// Log time of `admitted`: what the segments are counted from.
    pub began: LogTime,
    /// The story, piece by piece.
    pub segments: Kept<Vec<Segment>>,
    /// The call that it went on in.
    pub into: Option<CallId>,
}

/// What a record says of an outbound call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DialRecord {
    pub campaign: CampaignId,
    pub lead: Option<LeadId>,
    pub result: DialResult,
    /// Final SIP status of the called party; 0 if none came.
    pub status: u16,
}
