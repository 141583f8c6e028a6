//! A call's row: all a node needs to go on with the call when its owner is gone. Its legs' dialogs and what its flow
//! learnt are rows of their own: they are large, and seldom change when the call does.

use strowger_model::config::StepNo;
use strowger_model::{
    AgentId, CallId, DialResult, Ended, FlowId, LegKey, LegNo, LogTime, Outcome, Owner, PlaceId, QueueId, RelayId,
    TenantId, TrunkId, Wall,
};

use super::kept::Kept;
use super::leg::{Leg, LegRole, Reach};
use super::origin::{AdmitKey, Began, Origin, Outbound};
use super::segment::{Segment, SegmentKind};
use super::tap::{Tap, TapKind, TapState};
use crate::{DialFailure, limit};

/// A call, until `limit::ENDED_LINGER` after its end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// Shard, and index of the entry that made it.
    pub id: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// How it began.
    pub origin: Kept<Origin>,
    /// Who performs its duties.
    pub owner: Owner,
    /// The numbers that the next ones get; none is ever given twice.
    pub next: Next,
    /// How far it is.
    pub stage: Stage,
    /// When the stage is over at the latest, where no leg and no place says so.
    pub until: LogTime,
    /// Those that live and those that are being told to go.
    pub legs: Vec<Leg>,
    /// Its place in a queue.
    pub place: Option<PlaceId>,
    /// The place of an agent's question beside the customer; one at a time.
    pub aside: Option<PlaceId>,
    /// The leg of the agent who serves the customer.
    pub serving: Option<LegKey>,
    /// Where it is in its flow; kept when it has left it.
    pub flow: Option<FlowPosition>,
    /// Something is being said that no recording, no copy and no listener may get.
    pub private: Option<LogTime>,
    /// At most `limit::TAPS`, until they are sealed.
    pub taps: Vec<Tap>,
    /// Its story, oldest first; at most `limit::SEGMENTS`.
    pub segments: Kept<Vec<Segment>>,
    /// What its owner has yet to do.
    pub duties: Vec<Duty>,
    /// When it began and ended.
    pub times: CallTimes,
    /// Why the called party of an outbound call was not reached.
    pub failure: Option<DialFailure>,
    /// What an outbound call was to its campaign; set at its end.
    pub result: Option<DialResult>,
}

/// Counters of what a call numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Next {
    /// Of the next leg.
    pub leg: LegNo,
    /// Of the next tap.
    pub tap: u8,
    /// Of the next segment.
    pub segment: u16,
    /// Of the next duty.
    pub duty: u32,
}

/// Where a call is in its life. Which phones ring is said by the legs, wrap-up by the agent's slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// In the log; its 100 may have gone out, nothing else.
    Admitted,
    /// Outbound, and the customer is not there yet.
    Reaching,
    /// Answered and in its flow.
    Flow,
    /// Nobody serves the customer, and the place is in its queue, offered or not.
    Waiting,
    /// An agent serves the customer, or another party talks or is being rung.
    Talking,
    /// Over, as part of another call if it says which. The row lingers so that late repeats find it.
    Ended {
        /// What became of it.
        outcome: Outcome,
        /// By whom and why.
        ended: Ended,
        /// The call that it went on in.
        into: Option<CallId>,
    },
}

/// Where a call is in a flow, and the version of it that the call began with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowPosition {
    /// Which flow.
    pub flow: FlowId,
    /// The tenant's configuration in which the flow last changed before the call began.
    pub version: u64,
    /// Which step of it.
    pub step: StepNo,
    /// Which try at this step, from 0; 0 so far, see [`Command::Step`](crate::Command::Step).
    pub attempt: u8,
    /// Index of the entry that led here, also from the step to itself: what is played in the step is numbered by it.
    pub entered: u64,
}

/// When what happened, in log time as observed by whoever saw it. The rest stands in the segments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CallTimes {
    /// Of its first entry.
    pub admitted: LogTime,
    /// The same on the calendar.
    pub admitted_wall: Wall,
    /// As whoever saw the end observed it.
    pub ended: Option<LogTime>,
}

/// Something the owner must do, until it says `Done` or the time is past.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Duty {
    /// Its number within the call.
    pub id: u32,
    /// What is to be done.
    pub kind: DutyKind,
    /// What is not done by then is given up.
    pub until: LogTime,
}

/// What an owner must do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DutyKind {
    /// Send the 200 and repeat it until the ACK.
    Answer {
        /// The customer's.
        leg: LegKey,
    },
    /// Ring the phone of this leg.
    Ring {
        /// The agent's.
        leg: LegKey,
    },
    /// Send the INVITE to this leg's far end. Never performed late, and never by another than the first owner.
    Originate {
        /// The called party's.
        leg: LegKey,
    },
    /// End this leg's dialog, however far it got.
    HangUp {
        /// Which leg.
        leg: LegKey,
    },
    /// Close the port that this relay holds for a leg that left it.
    Close {
        /// Which relay.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
    },
    /// Tell who asked for a transfer what came of it (RFC 3515, 2.4.5).
    Notify {
        /// The leg that the request came on.
        leg: LegKey,
    },
    /// Keep the row until the relay said that a recording is complete.
    Seal {
        /// The tap, by its number in the call.
        tap: u8,
    },
}

impl Call {
    /// Whether its outcome is known; its row stays for a while.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    /// Whether a record is written of it: a leg in a row of its own is told of by the call that it was split from.
    pub fn has_record(&self) -> bool {
        !matches!(self.origin.began, Began::Split { .. })
    }

    /// The leg of that birth key, if this row has it.
    pub fn leg(&self, key: LegKey) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.key == key)
    }

    pub(crate) fn leg_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.key == key)
    }

    /// The leg of whom the call is for, gone or not. None while the number of an outbound call is not yet dialled.
    pub fn customer(&self) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.is_customer())
    }

    /// Legs that ring, are screened or are up.
    pub fn live_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_live())
    }

    /// Agents' phones that ring for this call.
    pub fn ringing(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_ringing() && leg.agent().is_some())
    }

    /// Whether an agent's phone rings, or somebody at it is asked first.
    pub(crate) fn is_rung(&self) -> bool {
        self.live_legs().any(|leg| leg.agent().is_some() && !leg.is_up())
    }

    /// Legs that are being told to go.
    pub fn releasing(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_releasing())
    }

    /// The leg of the agent who serves the customer.
    pub fn serving_leg(&self) -> Option<&Leg> {
        self.serving.and_then(|key| self.leg(key))
    }

    /// The agent who serves the customer.
    pub fn serving_agent(&self) -> Option<AgentId> {
        self.serving_leg().and_then(Leg::agent)
    }

    /// The agent's leg that is rung or up; the serving one first.
    pub fn agent_leg(&self) -> Option<&Leg> {
        let live = |leg: &&Leg| leg.is_live() && leg.agent().is_some();
        self.serving_leg().or_else(|| self.legs.iter().find(live))
    }

    /// The live leg of an agent.
    pub fn leg_of(&self, agent: AgentId) -> Option<&Leg> {
        self.live_legs().find(|leg| leg.agent() == Some(agent))
    }

    /// What an outbound call was granted with; none for others.
    pub fn outbound(&self) -> Option<&Outbound> {
        self.origin.outbound()
    }

    /// The version of a flow that it may still go on with.
    pub(crate) fn flow_in_use(&self) -> Option<FlowPosition> {
        self.flow.filter(|_| !self.is_over())
    }

    /// What makes its INVITE the same; none for a call of ours.
    pub fn key(&self) -> Option<&AdmitKey> {
        self.origin.key()
    }

    /// Who calls, as told and recorded.
    pub fn from(&self) -> &str {
        &self.origin.from
    }

    /// Who is called, as told and recorded.
    pub fn to(&self) -> &str {
        &self.origin.to
    }

    /// The trunk that the customer is reached over.
    pub fn trunk(&self) -> Option<TrunkId> {
        self.origin.trunk()
    }

    /// The lines that it takes: the trunk of each live leg that came, or goes, over one. Of a leg that came to another call
    /// and was merged into this one, this one's trunk is taken for its own: rows keep no other.
    pub fn lines(&self) -> impl Iterator<Item = TrunkId> {
        self.live_legs().filter_map(|leg| match leg.reach {
            Reach::Inbound => self.trunk(),
            Reach::Trunk { trunk, .. } => Some(trunk),
            Reach::Binding { .. } | Reach::Socket { .. } => None,
        })
    }

    /// Every relay that has a leg of the call, or has one still to close.
    pub fn relays(&self) -> Vec<RelayId> {
        let legs =
            self.legs.iter().filter(|leg| leg.is_live()).flat_map(|leg| leg.relay.into_iter().chain(leg.next_relay));
        let closing = self.duties.iter().filter_map(|duty| match duty.kind {
            DutyKind::Close { relay, .. } => Some(relay),
            _ => None,
        });
        let mut relays: Vec<RelayId> = legs.chain(closing).collect();
        relays.sort_unstable();
        relays.dedup();
        relays
    }

    /// The queue that it is in, or was in last.
    pub fn queue(&self) -> Option<QueueId> {
        let waits = |segment: &&Segment| segment.kind == SegmentKind::Wait;
        let entered = self.segments.iter().rev().find(waits).and_then(|wait| wait.queue);
        entered.or_else(|| self.outbound().map(|outbound| outbound.queue))
    }

    /// The queue whose music is heard in it: its own, or the one that a leg brought into a row of its own.
    pub fn music(&self) -> Option<QueueId> {
        self.queue().or_else(|| self.legs.iter().find_map(|leg| leg.queue))
    }

    /// The last wait that really was one: who is turned away by a queue does not wait.
    pub fn wait(&self) -> Option<&Segment> {
        let waited = |segment: &&Segment| segment.kind == SegmentKind::Wait && !segment.is_turned_away();
        self.segments.iter().rev().find(waited)
    }

    /// When the last wait began.
    pub fn enqueued(&self) -> Option<LogTime> {
        self.wait().map(|wait| wait.from)
    }

    /// When the first conversation began.
    pub fn connected(&self) -> Option<LogTime> {
        self.segments.iter().find(|segment| segment.kind == SegmentKind::Talk).map(|talk| talk.from)
    }

    /// When an agent's phone was rung last.
    pub fn offered(&self) -> Option<LogTime> {
        self.segments.iter().rev().find(|segment| segment.kind == SegmentKind::Ring).map(|ring| ring.from)
    }

    /// How many times it was offered to an agent.
    pub fn offers(&self) -> u16 {
        let rings = self.segments.iter().filter(|segment| segment.kind == SegmentKind::Ring);
        rings.map(|ring| ring.n).fold(0, u16::saturating_add)
    }

    /// The agent who asked for the number that it calls: whose phone rang before anybody was called.
    pub fn asked_by(&self) -> Option<AgentId> {
        let outbound = self.outbound()?;
        let first = self.segments.iter().find(|piece| matches!(piece.kind, SegmentKind::Wait | SegmentKind::Ring))?;
        (first.kind == SegmentKind::Ring).then_some(outbound.agent)
    }

    /// What the called party's side said in the end, as SIP says it; 0 if nothing came, or nothing was sent.
    pub(crate) fn final_status(&self) -> u16 {
        match (&self.failure, self.result) {
            (Some(failure), _) => failure.status,
            (None, Some(DialResult::Connected | DialResult::Abandoned)) => 200,
            (None, _) => 0,
        }
    }

    /// The duty of that number, while it is open.
    pub fn duty(&self, id: u32) -> Option<&Duty> {
        self.duties.iter().find(|duty| duty.id == id)
    }

    /// The duty of a kind.
    pub fn duty_to(&self, kind: DutyKind) -> Option<&Duty> {
        self.duties.iter().find(|duty| duty.kind == kind)
    }

    /// Whether the called party of an outbound call may still ring or talk: until then nobody calls it again.
    pub(crate) fn has_called_party(&self) -> bool {
        let ends_it = |duty: &Duty| match duty.kind {
            DutyKind::HangUp { leg } => self.leg(leg).is_some_and(|leg| leg.role == LegRole::Customer),
            _ => false,
        };
        self.outbound().is_some() && (!self.is_over() || self.duties.iter().any(ends_it))
    }

    pub(crate) fn add_duty(&mut self, kind: DutyKind, until: LogTime) {
        self.duties.push(Duty { id: self.next.duty, kind, until });
        self.next.duty += 1;
    }

    pub(crate) fn drop_duty(&mut self, kind: DutyKind) {
        self.duties.retain(|duty| duty.kind != kind);
    }

    /// Nothing more is taken of a leg that leaves. A recording is owed until its relay says that all of it is kept; a copy,
    /// or a detector, leaves nothing behind.
    pub(crate) fn end_taps(&mut self, leg: LegKey, now: LogTime) {
        self.taps.retain(|tap| tap.leg != leg || tap.kind == TapKind::Record);
        let mut owed = Vec::new();
        for tap in self.taps.iter_mut().filter(|tap| tap.leg == leg && tap.state != TapState::Sealing) {
            (tap.state, tap.since) = (TapState::Sealing, now);
            owed.push(tap.no);
        }
        owed.into_iter().for_each(|tap| self.add_duty(DutyKind::Seal { tap }, now + limit::SEAL_MAX));
    }

    /// Whether a relay has yet to say that all of a recording is kept: until then the row is, though over.
    pub(crate) fn is_sealing(&self) -> bool {
        self.duties.iter().any(|duty| matches!(duty.kind, DutyKind::Seal { .. }))
    }

    /// The first moment at which this row must change if nobody changes it before.
    pub(crate) fn lease(&self) -> LogTime {
        let legs = self.legs.iter().map(Leg::until).min().unwrap_or(LogTime::MAX);
        let duties = self.duties.iter().map(|duty| duty.until).min().unwrap_or(LogTime::MAX);
        let until = if self.is_over() && self.is_sealing() { LogTime::MAX } else { self.until };
        until.min(duties).min(if self.is_over() { LogTime::MAX } else { legs })
    }
}
