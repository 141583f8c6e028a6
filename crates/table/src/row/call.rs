//! A call's row: all a node needs to go on with the call when its owner is gone.

use strowger_model::config::StepNo;
use strowger_model::{
    AgentId, CallId, Dialog, Ended, FlowId, LegNo, LogTime, Outcome, Owner, QueueId, RelayId, TenantId, TrunkId, Wall,
};

use crate::{Contact, limit};

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
    pub flow: FlowId,
    pub trunk: TrunkId,
    pub from: String,
    pub to: String,
    pub key: AdmitKey,
    pub owner: Owner,
    /// How many owners it had before: each adopter's CSeqs begin higher than its predecessor's.
    pub adoptions: u16,
    pub stage: Stage,
    pub caller: Dialog,
    pub relay: Option<RelayId>,
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

/// Where a call is in its life.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Stage {
    /// In the log; its 100 may have gone out, nothing else.
    Admitted,
    /// Answered and at this step of its flow.
    Flow { step: StepNo },
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
            Stage::Queued => self.enqueued() + max_wait.unwrap_or(limit::FLOW_MAX),
            Stage::Offered { deadline } => deadline,
            Stage::Talking => self.times.connected.unwrap_or_default() + limit::TALK_MAX,
            Stage::Ended { .. } => self.times.kept_until.unwrap_or_default(),
        };
        self.duties.iter().map(|duty| duty.until).fold(stage, LogTime::min)
    }

    pub(crate) fn enqueued(&self) -> LogTime {
        self.times.enqueued.unwrap_or(self.times.admitted)
    }
}
