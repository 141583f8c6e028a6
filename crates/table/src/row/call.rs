//! A call's row: all a node needs to go on with the call when its owner is gone.

use strowger_model::config::StepNo;
use strowger_model::{
    AgentId, CallId, CampaignId, DialResult, Dialog, E164, Ended, Far, FlowId, LeadId, LegNo, LogTime, Outcome, Owner,
    QueueId, RelayId, TenantId, TrunkId, Wall,
};

use crate::{Contact, DialFailure, limit};

/// What makes an INVITE the same INVITE (RFC 3261, 8.2.2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct AdmitKey {
    pub call_id: String,
    pub from_tag: String,
    pub cseq: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Call {
    pub id: CallId,
    pub tenant: TenantId,
    pub origin: Origin,
    pub trunk: TrunkId,
    pub from: String,
    pub to: String,
    pub owner: Owner,
    /// How many owners it had before: each adopter's CSeqs begin higher than its predecessor's.
    pub adoptions: u16,
    pub stage: Stage,
    /// Leg 0: who called us, or whom we called. None until the called party answers.
    pub caller: Option<Dialog>,
    /// The relay of leg 0.
    pub relay: Option<RelayId>,
    /// Every relay that was given a leg of the call; at its end all of them close it.
    pub relays: Vec<RelayId>,
    /// The agent's leg: being rung, talking, or being hung up.
    pub agent: Option<AgentLeg>,
    /// Earlier attempts whose phones are still being told to stop.
    pub leaving: Vec<AgentLeg>,
    /// The number the next leg gets; legs are never numbered twice.
    pub next_leg: LegNo,
    pub queue: Option<QueueId>,
    /// Place in the queue: log index of the enqueue. Kept through offers, misses and adoptions.
    pub order: u64,
    pub overflow: Option<StepNo>,
    pub times: CallTimes,
    pub offers: u16,
    pub duties: Vec<Duty>,
    pub next_duty: u32,
}

/// How a call began.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Origin {
    Inbound { flow: FlowId, key: AdmitKey },
    Outbound(Outbound),
}

/// What an outbound call needs besides what every call has.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Outbound {
    pub campaign: CampaignId,
    /// None for a number that an agent dialled and that is on no list.
    pub lead: Option<LeadId>,
    pub number: E164,
    pub caller_id: E164,
    /// Copied when the call was granted: a trunk that moves does not move a call that is being dialled.
    pub destination: Far,
    pub ring_timeout_ms: u32,
    /// Whose call it is until it has a leg of an agent.
    pub reserved: Option<Reserved>,
    /// Set when it failed.
    pub failure: Option<DialFailure>,
    /// Set at the end.
    pub result: Option<DialResult>,
}

/// An agent kept for the answer of a called party.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Reserved {
    pub agent: AgentId,
    /// The relay the agent's leg will use.
    pub relay: RelayId,
}

/// Where a call is in its life.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Stage {
    /// In the log; its 100 may have gone out, nothing else.
    Admitted,
    /// Answered and at this step of its flow. `entered` is the log index of the entry that led there, also from the
    /// step to itself: what is played in the step is numbered by it.
    Flow { step: StepNo, entered: u64 },
    /// The called party's phone is being rung.
    Dialling { deadline: LogTime },
    /// Waiting for an agent.
    Queued,
    /// An agent's phone is being rung; the place in the queue is kept.
    Offered { deadline: LogTime },
    /// Caller and agent talk.
    Talking,
    /// Over. The row lingers so that late repeats find it.
    Ended { outcome: Outcome, ended: Ended },
}

/// One attempt to bring an agent in.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct AgentLeg {
    pub leg: LegNo,
    pub agent: AgentId,
    /// The relay of this leg; it may be another than the caller's.
    pub relay: RelayId,
    /// Copied when the offer was granted: a registration that moves does not move a ringing phone.
    pub contact: Contact,
    /// Committed when the phone answered.
    pub dialog: Option<Dialog>,
}

/// When what happened, in log time as observed by whoever saw it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct CallTimes {
    pub admitted: LogTime,
    pub admitted_wall: Wall,
    pub enqueued: Option<LogTime>,
    pub offered: Option<LogTime>,
    pub connected: Option<LogTime>,
    pub ended: Option<LogTime>,
    /// When it overflowed out of a queue where it had waited; the rest of its flow is counted from here.
    pub overflowed: Option<LogTime>,
    /// How long the row of an ended call is kept: late repeats and the agent's wrap-up still need it.
    pub kept_until: Option<LogTime>,
}

/// Something the owner must do, until it says `Done` or the time is past.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Duty {
    pub id: u32,
    pub kind: DutyKind,
    pub until: LogTime,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DutyKind {
    /// Send the 200 and repeat it until the ACK.
    Answer,
    /// Ring the phone of this leg.
    Ring { leg: LegNo },
    /// Send the INVITE to the called party. Never performed late, and never by another than the first owner.
    Originate,
    /// End this leg's dialog, however far it got.
    HangUp { leg: LegNo },
    /// Close the call's media.
    CloseMedia,
}

impl Call {
    pub const CALLER_LEG: LegNo = LegNo(0);

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    /// In the queue and free to be offered.
    pub fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Queued)
    }

    /// Holds a place in a queue, offered or not.
    pub fn holds_place(&self) -> bool {
        matches!(self.stage, Stage::Queued | Stage::Offered { .. })
    }

    /// The agent's leg of that number, whether it is in use or leaving.
    pub fn agent_leg(&self, leg: LegNo) -> Option<&AgentLeg> {
        self.agent.iter().chain(&self.leaving).find(|agent| agent.leg == leg)
    }

    pub fn outbound(&self) -> Option<&Outbound> {
        match &self.origin {
            Origin::Outbound(outbound) => Some(outbound),
            Origin::Inbound { .. } => None,
        }
    }

    pub fn flow(&self) -> Option<FlowId> {
        match &self.origin {
            Origin::Inbound { flow, .. } => Some(*flow),
            Origin::Outbound(_) => None,
        }
    }

    pub fn key(&self) -> Option<&AdmitKey> {
        match &self.origin {
            Origin::Inbound { key, .. } => Some(key),
            Origin::Outbound(_) => None,
        }
    }

    /// Whether the called party of an outbound call may still ring or talk: until then nobody calls it again.
    pub(crate) fn has_called_party(&self) -> bool {
        let ends_it = |duty: &Duty| duty.kind == DutyKind::HangUp { leg: Self::CALLER_LEG };
        self.outbound().is_some() && (!self.is_over() || self.duties.iter().any(ends_it))
    }

    pub(crate) fn uses(&mut self, relay: RelayId) {
        if !self.relays.contains(&relay) {
            self.relays.push(relay);
        }
    }

    pub fn ringing_agent(&self) -> Option<&AgentLeg> {
        match self.stage {
            Stage::Offered { .. } => self.agent.as_ref(),
            _ => None,
        }
    }

    pub fn duty(&self, id: u32) -> Option<&Duty> {
        self.duties.iter().find(|duty| duty.id == id)
    }

    pub(crate) fn add_duty(&mut self, kind: DutyKind, until: LogTime) {
        self.duties.push(Duty { id: self.next_duty, kind, until });
        self.next_duty += 1;
    }

    /// The first moment at which this row must change if nobody changes it before.
    pub(crate) fn lease(&self, max_wait: Option<std::time::Duration>) -> LogTime {
        let stage = match self.stage {
            Stage::Admitted => self.times.admitted + limit::ADMITTED_MAX,
            Stage::Flow { .. } => self.times.overflowed.unwrap_or(self.times.admitted) + limit::FLOW_MAX,
            Stage::Queued => self.waiting_since() + max_wait.unwrap_or(limit::FLOW_MAX),
            Stage::Offered { deadline } | Stage::Dialling { deadline } => deadline,
            Stage::Talking => self.times.connected.unwrap_or_default() + limit::TALK_MAX,
            Stage::Ended { .. } => self.times.kept_until.unwrap_or_default(),
        };
        self.duties.iter().map(|duty| duty.until).fold(stage, LogTime::min)
    }

    pub(crate) fn waiting_since(&self) -> LogTime {
        self.times.enqueued.unwrap_or(self.times.admitted)
    }
}
