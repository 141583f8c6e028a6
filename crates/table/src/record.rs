//! One record per call, written when it ends and once more when its wrap-up ends.

use strowger_model::{
    AgentId, CallId, CampaignId, DialResult, Ended, LeadId, Outcome, QueueId, TenantId, TrunkId, Wall,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Record {
    pub call: CallId,
    pub tenant: TenantId,
    pub trunk: TrunkId,
    pub from: String,
    pub to: String,
    /// SIP Call-ID of leg 0, which the carrier's records carry too; empty if no dialog came of it.
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
}

/// What a record says of an outbound call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct DialRecord {
    pub campaign: CampaignId,
    pub lead: Option<LeadId>,
    pub result: DialResult,
    /// Final SIP status of the called party; 0 if none came.
    pub status: u16,
}
