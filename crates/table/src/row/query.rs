//! What is asked of rows by those who only show them, in words that outlive the rows' layout.

use strowger_model::{AgentId, DialResult, LogTime, Outcome, QueueId, Wall};

use super::agent::{Agent, AgentState};
use super::call::{Call, Stage};
use super::lead::{Lead, LeadState};
use crate::LeaseKey;

impl Call {
    /// The words of [`Call::stage_name`], in the order of a call's life.
    pub const STAGE_NAMES: [&str; 7] = ["admitted", "flow", "dialling", "queued", "offered", "talking", "ended"];

    /// The stage in a word, as operators and interfaces know it.
    pub fn stage_name(&self) -> &'static str {
        match self.stage {
            Stage::Admitted => "admitted",
            Stage::Flow { .. } => "flow",
            Stage::Dialling { .. } => "dialling",
            Stage::Queued => "queued",
            Stage::Offered { .. } => "offered",
            Stage::Talking => "talking",
            Stage::Ended { .. } => "ended",
        }
    }

    /// The queue that it is in, or was in last; of an outbound call that of its campaign.
    pub fn queue(&self) -> Option<QueueId> {
        self.queue
    }

    /// When it entered the queue.
    pub fn enqueued(&self) -> Option<LogTime> {
        self.times.enqueued
    }

    /// When the first conversation began.
    pub fn connected(&self) -> Option<LogTime> {
        self.times.connected
    }

    /// An agent serves the customer.
    pub fn is_served(&self) -> bool {
        matches!(self.stage, Stage::Talking)
    }

    /// The called party's phone is being rung.
    pub fn is_dialling(&self) -> bool {
        matches!(self.stage, Stage::Dialling { .. })
    }

    /// The customer's leg is up: the caller's from the start, the called party's once it answered.
    pub fn has_customer(&self) -> bool {
        self.caller.is_some()
    }

    /// The agent whose phone is being rung.
    pub fn rung_agent(&self) -> Option<AgentId> {
        self.ringing_agent().map(|leg| leg.agent)
    }

    /// The agent who is kept for the answer of a called party.
    pub fn reserved_agent(&self) -> Option<AgentId> {
        self.outbound()?.reserved.map(|reserved| reserved.agent)
    }

    /// What came of dialling, once it is over.
    pub fn dial_result(&self) -> Option<DialResult> {
        self.outbound()?.result
    }

    /// What became of it, once it is over.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }
    }
}

impl Agent {
    /// The words of [`Agent::state_name`].
    pub const STATE_NAMES: [&str; 8] = AgentState::NAMES;

    /// The state in a word, as operators and interfaces know it.
    pub fn state_name(&self) -> &'static str {
        self.state.as_str()
    }

    /// Since when it is free for an offer; none while it is not.
    pub fn free_since(&self) -> Option<LogTime> {
        (self.state == AgentState::Idle).then_some(self.idle_since)
    }
}

impl Lead {
    /// From when on it may be dialled; none while it is dialled, and once it is done.
    pub fn due(&self) -> Option<Wall> {
        match self.state {
            LeadState::Due { at } => Some(at),
            LeadState::Dialling { .. } | LeadState::Done => None,
        }
    }
}

impl LeaseKey {
    /// The words of [`LeaseKey::kind`].
    pub const KINDS: [&str; 2] = ["call", "agent"];

    /// What kind of row it is of.
    pub fn kind(self) -> &'static str {
        match self {
            LeaseKey::Call(_) => "call",
            LeaseKey::Agent(_) => "agent",
        }
    }
}
