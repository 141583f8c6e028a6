//! What is said of calls to leads and numbers, and of whom nobody may call.

use strowger_model::{
    AgentId, CampaignId, Cause, DialResult, E164, Far, Incarnation, LeadId, NodeId, RelayId, TenantId, Wall,
};

/// An outbound call as the pacer, or an agent, wants it. Zones and calendars are computed by whoever proposes it; the
/// table compares instants and numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// For which campaign.
    pub campaign: CampaignId,
    /// Who is called.
    pub to: DialTo,
    /// Who is kept for the answer, or asked for it.
    pub agent: AgentId,
    /// Who will perform the call.
    pub owner: (NodeId, Incarnation),
    /// Where the INVITE goes: the trunk's.
    pub destination: Far,
    /// For the called party's leg.
    pub relay: RelayId,
    /// For the agent's leg.
    pub agent_relay: RelayId,
    /// The epoch of the campaign's owner who wants it; judged while the campaign has an owner.
    pub epoch: u64,
    /// When the lead's calling hours end: an entry that comes later is refused.
    pub not_after: Wall,
}

/// Whom an outbound call is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialTo {
    /// The next lead: the agent is reserved and rung when the lead answers.
    Lead(LeadId),
    /// What an agent asked for: the agent's phone is rung first, then the number.
    Number {
        /// Whom to call.
        number: E164,
    },
}

/// How dialling failed, as the owner saw it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DialFailure {
    /// What the campaign counts.
    pub result: DialResult,
    /// Final SIP status; 0 if none came.
    pub status: u16,
    /// The same in Q.850.
    pub cause: Cause,
    /// For the record, which the carrier's are compared with.
    pub sip_call_id: String,
    /// Whether the called party's phone may still ring and must be told to stop.
    pub hang_up: bool,
}

/// A line of a list, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewLead {
    /// Whom to call.
    pub number: E164,
    /// IANA name of its time zone.
    pub zone: String,
    /// Its line in the batch, from 0.
    pub line: u16,
}

/// Which numbers a bar is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BarList {
    /// Never dialled.
    DoNotCall,
    /// Their calls are refused.
    Callers,
}

/// Who bars a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// The cluster, for all tenants.
    Everyone,
    /// That tenant alone.
    Tenant(TenantId),
}
