//! One record per call, written when it ends and once more when its wrap-up ends.

use strowger_model::{
    AgentId, CallId, CampaignId, DialResult, Ended, LeadId, LogTime, Outcome, QueueId, TenantId, TrunkId, Wall,
};

use crate::row::kept::Kept;
use crate::row::segment::Segment;

/// What is kept of a call for ever.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// The trunk that the customer was reached over.
    pub trunk: Option<TrunkId>,
    /// Who called, as From or `caller_id` has it.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// SIP Call-ID of the customer's leg, which the carrier's records carry too; empty if no dialog came of it.
    pub sip_call_id: String,
    /// SIP Call-ID of the agent's leg, when one talked.
    pub agent_sip_call_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// By whom and why.
    pub ended: Ended,
    /// The one that it was in last.
    pub queue: Option<QueueId>,
    /// Who served it last; of a number that an agent asked for and that nobody answered, that agent.
    pub agent: Option<AgentId>,
    /// How many times it was offered to an agent.
    pub offers: u16,
    /// When it began.
    pub admitted: Wall,
    /// Durations in milliseconds, from observed times.
    pub wait_ms: Option<u64>,
    /// From the last ring to the conversation.
    pub ring_ms: Option<u64>,
    /// All conversations.
    pub talk_ms: Option<u64>,
    /// From its beginning to its end.
    pub total_ms: u64,
    /// Set by the second writing.
    pub wrap_ms: Option<u64>,
    /// How it went, in the words of the agent who left it last; set when they come, before the call's end or by a later
    /// writing.
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
    /// Whose call it was.
    pub campaign: CampaignId,
    /// None for a number that is on no list.
    pub lead: Option<LeadId>,
    /// What the campaign counted.
    pub result: DialResult,
    /// Final SIP status of the called party, 200 of one that answered; 0 if none came.
    pub status: u16,
}
