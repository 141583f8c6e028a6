//! What is asked of rows by those who only show them, in words that outlive the rows' layout.

use strowger_model::config::StepNo;
use strowger_model::{AgentId, CallId, DialResult, Ended, LegKey, LogTime, Outcome, Wall};

use super::RowKey;
use super::agent::{Agent, Medium};
use super::call::{Call, Stage};
use super::lead::{Lead, LeadState, LeadTurn};
use super::leg::Leg;

impl Call {
    /// The words of [`Call::stage_name`], in the order of a call's life.
    pub const STAGE_NAMES: [&str; 7] = ["admitted", "flow", "dialling", "queued", "offered", "talking", "ended"];

    /// The words of [`Call::direction`].
    pub const DIRECTIONS: [&str; 2] = ["inbound", "outbound"];

    /// Who called whom: what is counted of callers and of called parties is never one figure.
    pub fn direction(&self) -> &'static str {
        Self::DIRECTIONS[usize::from(self.outbound().is_some())]
    }

    /// The stage in a word, as operators and interfaces know it.
    pub fn stage_name(&self) -> &'static str {
        match self.stage {
            Stage::Admitted => "admitted",
            Stage::Reaching if self.customer().is_some() => "dialling",
            Stage::Reaching => "offered",
            Stage::Flow => "flow",
            Stage::Waiting if self.rung_agent().is_some() => "offered",
            Stage::Waiting => "queued",
            Stage::Talking => "talking",
            Stage::Ended { .. } => "ended",
        }
    }

    /// Holds a place in a queue, offered or not.
    pub fn holds_place(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// Waits in a queue, and no phone rings for it.
    pub fn is_waiting(&self) -> bool {
        self.holds_place() && self.live_legs().all(|leg| leg.agent().is_none())
    }

    /// An agent, or another party, talks with the customer.
    pub fn is_served(&self) -> bool {
        self.stage == Stage::Talking
    }

    /// The called party's phone is being rung.
    pub fn is_dialling(&self) -> bool {
        self.stage == Stage::Reaching && self.customer().is_some()
    }

    /// Whether the customer is, or was, there: the caller from the start, the called party once it answered.
    pub fn has_customer(&self) -> bool {
        self.outbound().is_none() || self.wait().is_some()
    }

    /// The step of its flow, while it is in one.
    pub fn flow_step(&self) -> Option<StepNo> {
        self.flow.filter(|_| self.stage == Stage::Flow).map(|position| position.step)
    }

    /// Whether the customer is, or was, connected to us: the caller whose 200 is in the log, the called party that
    /// answered.
    pub fn is_answered(&self) -> bool {
        match self.outbound() {
            Some(_) => self.has_customer(),
            None => self.stage != Stage::Admitted && self.customer().is_some_and(|leg| leg.relay.is_some()),
        }
    }

    /// Whether an earlier owner is gone.
    pub fn was_adopted(&self) -> bool {
        self.owner.epoch != self.id.index()
    }

    /// The leg by which an agent's phone is being rung; of several the first.
    pub fn rung_leg(&self) -> Option<LegKey> {
        self.ringing().next().map(|leg| leg.key)
    }

    /// Whether its owner has something left to do.
    pub fn has_duties(&self) -> bool {
        !self.duties.is_empty()
    }

    /// The agent whose phone is being rung; of several the first.
    pub fn rung_agent(&self) -> Option<AgentId> {
        self.ringing().find_map(Leg::agent)
    }

    /// The agent who is kept for the answer of a called party.
    pub fn reserved_agent(&self) -> Option<AgentId> {
        let is_kept = self.is_dialling() && self.live_legs().all(|leg| leg.agent().is_none());
        self.outbound().filter(|_| is_kept).map(|outbound| outbound.agent)
    }

    /// What came of dialling, once it is over.
    pub fn dial_result(&self) -> Option<DialResult> {
        self.result
    }

    /// What became of it, once it is over.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Who ended it and why, once it is over.
    pub fn ended(&self) -> Option<Ended> {
        match self.stage {
            Stage::Ended { ended, .. } => Some(ended),
            _ => None,
        }
    }
}

impl Agent {
    /// Since when it is free for a call; none while it is not.
    pub fn free_since(&self) -> Option<LogTime> {
        self.free_slots(Medium::Voice).map(|slot| slot.idle_since).min()
    }
}

impl Lead {
    /// The call that dials it.
    pub fn dialled_by(&self) -> Option<CallId> {
        match self.state {
            LeadState::Dialling { call } => Some(call),
            LeadState::Waiting { .. } => None,
        }
    }
}

impl LeadTurn {
    /// From when on it may be dialled; none while it is dialled, and once it is done.
    pub fn due(self) -> Option<Wall> {
        match self {
            LeadTurn::Due { at } => Some(at),
            LeadTurn::Dialling { .. } | LeadTurn::Done => None,
        }
    }
}

impl RowKey {
    /// The words of [`RowKey::kind`].
    pub const KINDS: [&str; 6] = ["call", "agent", "place", "campaign", "parts", "queue"];

    /// What kind of row it is of.
    pub fn kind(self) -> &'static str {
        match self {
            RowKey::Call(_) => "call",
            RowKey::Agent(_) => "agent",
            RowKey::Place(_) => "place",
            RowKey::Campaign(_) => "campaign",
            RowKey::Parts(_) => "parts",
            RowKey::Queue(_) => "queue",
        }
    }
}
