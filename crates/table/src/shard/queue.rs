//! Into a queue, and out of it by the queue's own limits.

use std::time::Duration;

use strowger_model::config::StepNo;
use strowger_model::{CallId, Cause, Ended, HangupBy, LogTime, Outcome as CallOutcome, PlaceId, QueueId, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::row::story::Piece;
use crate::{Call, FlowPosition, How, Place, PlaceOf, PlaceState, Rank, Refusal, SegmentKind, Stage, Then, limit};

impl Shard {
    /// The place's id is the index of this entry: one order across all nodes.
    pub(super) fn enqueue(
        &mut self,
        entry: Entry,
        id: CallId,
        step: StepNo,
        queue: QueueId,
        then: Then,
    ) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        let (Stage::Flow, Some(position)) = (call.stage, call.flow) else { return Err(Refusal::WrongStage) };
        if !call.can_wait() {
            return Err(Refusal::Full);
        }
        call.flow = Some(FlowPosition { step, attempt: 0, entered: entry.at.index, ..position });
        match self.longest_wait(call.tenant, queue) {
            Ok(longest) => {
                call.finish_pieces(entry.now(), How::WentOn, |piece| piece.kind == SegmentKind::Flow);
                self.wait(entry, &mut call, queue, (entry.now(), longest), then)?;
                self.put_call(call);
                Ok(())
            }
            // Who is turned away did not wait: the flow gets no more time, else one that leads back to the same queue
            // would never end.
            Err(why) => {
                call.begin(Piece::of_call(SegmentKind::Wait, Some(queue), entry.now()))?;
                call.finish_pieces(entry.now(), why, |piece| piece.kind == SegmentKind::Wait);
                self.leave_queue(entry, call, then)
            }
        }
    }

    /// How long whoever comes to a queue now may wait in it, or why it is turned away: it is full, or it has left the
    /// configuration, alone or with its tenant.
    fn longest_wait(&self, tenant: TenantId, id: QueueId) -> Result<Duration, How> {
        let queue = self.tenant(tenant).and_then(|tenant| tenant.queue(id)).ok_or(How::Closed)?;
        let has_room = self.waiting_length(id) < queue.max_waiting as usize;
        has_room.then(|| wait_of(queue.max_wait_ms)).ok_or(How::Full)
    }

    /// Gives the call a place in a queue, where it waits.
    pub(super) fn wait(
        &mut self,
        entry: Entry,
        call: &mut Call,
        queue: QueueId,
        (since, max_wait): (LogTime, Duration),
        then: Then,
    ) -> Result<(), Refusal> {
        call.begin(Piece::of_call(SegmentKind::Wait, Some(queue), since))?;
        let id = PlaceId::new(self.id, entry.at.index);
        debug_assert!(self.places.get(&id).is_none() && call.place.is_none(), "one place an entry, one a call");
        call.place = Some(id);
        call.stage = Stage::Waiting;
        call.until = LogTime::MAX;
        self.put_place(Place {
            id,
            tenant: call.tenant,
            queue,
            from: call.id,
            of: PlaceOf::Call,
            state: PlaceState::Waiting,
            rank: Rank::since(since, id),
            since,
            until: since + max_wait,
            then,
            priority: 0,
            wants: None,
            relax: None,
            tries: 0,
            number: None,
            call: Some(call.id),
            data: None,
        });
        Ok(())
    }

    /// A place that has waited as long as it may, or whose queue has left the configuration: its call goes on as was said
    /// when it came.
    pub(super) fn wait_over(&mut self, entry: Entry, id: PlaceId) -> Result<(), Refusal> {
        let place = self.places.get(&id).cloned().ok_or(Refusal::NoSuchPlace)?;
        let call = place.call.and_then(|call| self.calls.get(&call)).map(|call| (**call).clone());
        let Some(mut call) = call else {
            // Nobody can leave a place behind yet: with `Rest` and `Leave` come the step it goes to and a record of its own.
            self.remove_place(id);
            return Ok(());
        };
        self.remove_place(id);
        call.place = None;
        let how = if self.is_closing(place.queue) { How::Closed } else { How::Timeout };
        call.finish_pieces(entry.now(), how, |piece| piece.kind == SegmentKind::Wait);
        call.until = entry.now() + limit::FLOW_MAX;
        self.leave_queue(entry, call, place.then)
    }

    /// On with the flow if it says how, else over.
    fn leave_queue(&mut self, entry: Entry, mut call: Call, then: Then) -> Result<(), Refusal> {
        call.stage = Stage::Flow;
        match (then, call.flow) {
            (Then::Step(step), Some(position)) => {
                call.flow = Some(FlowPosition { step, attempt: 0, entered: entry.at.index, ..position });
                if !call.segments.iter().any(|piece| piece.is_open() && piece.kind == SegmentKind::Flow) {
                    call.begin(Piece::of_call(SegmentKind::Flow, None, entry.now()))?;
                }
                self.put_call(call);
                Ok(())
            }
            _ => {
                let id = call.id;
                self.put_call(call);
                let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
                self.finish(entry, id, ended, entry.now(), Some(CallOutcome::Overflowed))
            }
        }
    }

    /// A place in its queue is offered while phones ring for it, and waits when none does.
    pub(super) fn settle_place(&mut self, call: &Call) {
        let state = if call.is_rung() { PlaceState::Offered } else { PlaceState::Waiting };
        let is_other = |place: &Place| place.is_in_queue() && place.state != state;
        if call.place.and_then(|place| self.places.get(&place)).is_some_and(|place| is_other(place)) {
            self.set_place(call.place, state);
        }
    }

    /// Changes the state of a place, if it is there.
    pub(super) fn set_place(&mut self, id: Option<PlaceId>, state: PlaceState) {
        if let Some(place) = id.and_then(|id| self.places.get(&id)) {
            let place = Place { state, ..(**place).clone() };
            self.put_place(place);
        }
    }
}

pub(super) fn wait_of(max_wait_ms: u32) -> Duration {
    Duration::from_millis(max_wait_ms.into())
}
