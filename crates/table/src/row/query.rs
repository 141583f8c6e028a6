//! What is asked of rows by those who only look at them, in words that outlive the rows' layout.

use strowger_model::config::StepNo;
use strowger_model::{AgentId, CallId, DialResult, Ended, LegKey, LegNo, LogTime, Outcome, QueueId, RelayId, Wall};

use super::agent::{Agent, AgentState};
use super::call::{Call, Stage};
use super::lead::{Lead, LeadState};
use crate::LeaseKey;

/// A call's place in a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub queue: QueueId,
    /// Who comes first has the lower one.
    pub rank: u64,
    /// Its wait clock.
    pub since: LogTime,
}

/// A far end that a call has, or is telling to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegView {
    pub key: LegKey,
    /// None for the customer's.
    pub agent: Option<AgentId>,
    pub relay: Option<RelayId>,
    /// Not being told to go.
    pub is_live: bool,
}

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

    /// An agent talks with the customer.
    pub fn is_served(&self) -> bool {
        self.stage == Stage::Talking
    }

    /// The called party's phone is being rung.
    pub fn is_dialling(&self) -> bool {
        matches!(self.stage, Stage::Dialling { .. })
    }

    /// The step of its flow, while it is in one.
    pub fn flow_step(&self) -> Option<StepNo> {
        match self.stage {
            Stage::Flow { step, .. } => Some(step),
            _ => None,
        }
    }

    /// Whether the customer is, or was, there: the caller whose 200 is in the log, the called party that answered.
    pub fn is_answered(&self) -> bool {
        match self.outbound() {
            Some(_) => self.caller.is_some(),
            None => self.relay.is_some(),
        }
    }

    /// The customer's leg is up: the caller's from the start, the called party's once it answered.
    pub fn has_customer(&self) -> bool {
        self.caller.is_some()
    }

    /// Whether an earlier owner is gone.
    pub fn was_adopted(&self) -> bool {
        self.adoptions > 0
    }

    /// The agent whose phone is being rung.
    pub fn rung_agent(&self) -> Option<AgentId> {
        self.ringing_agent().map(|leg| leg.agent)
    }

    /// The leg of that phone.
    pub fn rung_leg(&self) -> Option<LegKey> {
        self.ringing_agent().map(|leg| self.leg_named(leg.leg))
    }

    /// The agent who talks with the customer.
    pub fn serving_agent(&self) -> Option<AgentId> {
        self.serving_leg().and_then(|leg| leg.agent)
    }

    pub fn serving_leg(&self) -> Option<LegView> {
        self.legs().into_iter().find(|leg| self.is_served() && leg.is_live && leg.agent.is_some())
    }

    /// The agent who is kept for the answer of a called party.
    pub fn reserved_agent(&self) -> Option<AgentId> {
        self.outbound()?.reserved.map(|reserved| reserved.agent)
    }

    /// The agent who is kept for the answer of a called party, or waits for it on the line.
    pub fn awaiting_agent(&self) -> Option<AgentId> {
        let waits = self.agent.as_ref().map(|leg| leg.agent);
        waits.or(self.reserved_agent()).filter(|_| self.is_dialling())
    }

    pub fn legs(&self) -> Vec<LegView> {
        let customer =
            LegView { key: self.leg_named(Self::CALLER_LEG), agent: None, relay: self.relay, is_live: !self.is_over() };
        let mut legs = vec![customer];
        let agents = self.agent.iter().map(|leg| (leg, !self.is_over()));
        let agents = agents.chain(self.leaving.iter().map(|leg| (leg, false)));
        legs.extend(agents.map(|(leg, is_live)| LegView {
            key: self.leg_named(leg.leg),
            agent: Some(leg.agent),
            relay: Some(leg.relay),
            is_live,
        }));
        legs
    }

    /// Every relay that was given a leg of it.
    pub fn relays(&self) -> Vec<RelayId> {
        self.relays.clone()
    }

    /// Whether its owner has something left to do.
    pub fn has_duties(&self) -> bool {
        !self.duties.is_empty()
    }

    /// The queue that it is in, or was in last.
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

    /// What came of dialling, once it is over.
    pub fn dial_result(&self) -> Option<DialResult> {
        self.outbound().and_then(|outbound| outbound.result)
    }

    /// What became of it, once it is over.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    pub fn ended(&self) -> Option<Ended> {
        match self.stage {
            Stage::Ended { ended, .. } => Some(ended),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> Option<Place> {
        let queue = self.queue.filter(|_| self.holds_place())?;
        Some(Place { queue, rank: self.order, since: self.waiting_since() })
    }

    fn leg_named(&self, leg: LegNo) -> LegKey {
        LegKey { call: self.id, leg }
    }
}

impl Agent {
    /// The words of [`Agent::state_name`].
    pub const STATE_NAMES: [&str; 8] = AgentState::NAMES;

    /// The state in a word, as operators and interfaces know it.
    pub fn state_name(&self) -> &'static str {
        self.state.as_str()
    }

    /// The call that the agent is kept for, rung for or talks with.
    pub fn call(&self) -> Option<CallId> {
        self.state.call()
    }

    /// The leg that the agent's phone is rung by.
    pub fn offered_leg(&self) -> Option<LegKey> {
        match self.state {
            AgentState::Offered { call, leg } => Some(LegKey { call, leg }),
            _ => None,
        }
    }

    /// Since when it is free for a call; none while it is not.
    pub fn free_since(&self) -> Option<LogTime> {
        (self.state == AgentState::Idle).then_some(self.idle_since)
    }

    /// Where its phone is.
    pub fn has_phone(&self) -> bool {
        self.contact.is_some()
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

    /// The call that dials it.
    pub fn dialled_by(&self) -> Option<CallId> {
        match self.state {
            LeadState::Dialling { call } => Some(call),
            LeadState::Due { .. } | LeadState::Done => None,
        }
    }

    pub fn is_done(&self) -> bool {
        self.state == LeadState::Done
    }
}

impl LeaseKey {
    /// The words of [`LeaseKey::kind`].
    pub const KINDS: [&str; 4] = ["call", "agent", "parts", "queue"];

    /// What kind of row it is of.
    pub fn kind(self) -> &'static str {
        match self {
            LeaseKey::Call(_) => "call",
            LeaseKey::Agent(_) => "agent",
            LeaseKey::Parts(_) => "parts",
            LeaseKey::Queue(_) => "queue",
        }
    }
}
