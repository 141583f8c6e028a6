//! A call's end, and the record it leaves.

use strowger_model::{CallId, Ended, HangupBy, LegKey, LogTime, Outcome as CallOutcome};

use super::Shard;
use super::apply::Entry;
use super::leads::result_of;
use crate::{Call, DialRecord, How, Record, Refusal, Released, Segment, SegmentKind, SlotState, Stage, limit};

impl Shard {
    /// Ends a whole call: what its owner was asked to do, or does by a rule of ours. An earlier owner, cut off from
    /// its relay, decides nothing.
    pub(super) fn end_call(
        &mut self,
        entry: Entry,
        id: CallId,
        ended: Ended,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        self.owned_call(entry, id)?;
        self.finish(entry, id, ended, entry.observed(observed), None)
    }

    pub(super) fn finish(
        &mut self,
        entry: Entry,
        id: CallId,
        ended: Ended,
        observed: LogTime,
        outcome: Option<CallOutcome>,
    ) -> Result<(), Refusal> {
        self.finish_without(entry, id, ended, observed, (outcome, None))
    }

    /// Ends a call once, one leg of which may be gone already. What is still to be done to its legs and media becomes
    /// duties of its owner.
    pub(super) fn finish_without(
        &mut self,
        entry: Entry,
        id: CallId,
        ended: Ended,
        observed: LogTime,
        (outcome, gone): (Option<CallOutcome>, Option<LegKey>),
    ) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        if call.is_over() {
            return Err(Refusal::WrongStage);
        }
        let outcome = outcome.unwrap_or_else(|| outcome_of(&call, ended.by));
        call.result = result_of(&call, outcome);
        let at = call.told_at(observed);
        call.times.ended = Some(at);
        self.release_reserved(entry, &call);
        let live: Vec<LegKey> = call.live_legs().map(|leg| leg.key).collect();
        for key in live {
            self.release_slot(entry, &mut call, key);
            let is_gone = gone == Some(key);
            let why = if is_gone { Released::ByFarEnd } else { Released::Over(ended.cause) };
            call.depart(entry, key, why, !is_gone);
        }
        call.finish_pieces(at, how_of(outcome), |piece| piece.kind == SegmentKind::Wait);
        call.finish_pieces(at, How::Withdrawn, |piece| piece.kind == SegmentKind::Ring);
        call.finish_pieces(at, How::Over, |piece| piece.kind != SegmentKind::Wrap);
        for place in call.place.take().into_iter().chain(call.aside.take()) {
            self.remove_place(place);
        }
        call.serving = None;
        call.until = self.kept_until(entry, &call);
        call.stage = Stage::Ended { outcome, ended, into: None };
        let over: Vec<LegKey> = call.legs.iter().map(|leg| leg.key).filter(|key| gone == Some(*key)).collect();
        over.into_iter().for_each(|key| self.forget_leg(&mut call, key));
        self.settle(entry, &call, ended);
        if call.has_record() {
            self.write(self.record_of(&call));
        }
        self.put_call(call);
        Ok(())
    }

    /// How long the row of a call that is over is kept: for late repeats, after the last wrap-up. While an agent is in a
    /// question beside it that is not known yet: the end of the question says it.
    pub(super) fn kept_until(&self, entry: Entry, call: &Call) -> LogTime {
        if self.is_awaited(call) { LogTime::MAX } else { self.work_over(entry, call) + limit::ENDED_LINGER }
    }

    /// When the last wrap-up after a call is over.
    fn work_over(&self, entry: Entry, call: &Call) -> LogTime {
        let wraps = call.segments.iter().filter(|piece| piece.is_open() && piece.kind == SegmentKind::Wrap);
        let slots = wraps.filter_map(|piece| self.agents.get(&piece.agent?)).flat_map(|agent| &agent.slots);
        let until = slots.filter_map(|slot| match slot.state {
            SlotState::Wrap { call: wrapped, until, .. } if wrapped == call.id => Some(until),
            _ => None,
        });
        until.fold(entry.now(), LogTime::max)
    }

    pub(super) fn write(&mut self, record: Record) {
        let number = self.outbox.last_key().map_or(1, |last| last + 1);
        self.outbox.put(number, record);
        while self.outbox.len() > limit::OUTBOX {
            let Some(first) = self.outbox.first_key().copied() else { break };
            self.outbox.remove(&first);
        }
    }

    /// What is told of an ended call: computed from its row and its segments.
    pub(super) fn record_of(&self, call: &Call) -> Record {
        let Stage::Ended { outcome, ended, into } = call.stage else {
            unreachable!("records are written of calls that have ended")
        };
        let end = call.times.ended.unwrap_or_default();
        let all = |kind: SegmentKind| call.segments.iter().filter(move |piece| piece.kind == kind);
        let millis = |micros: u64| micros / 1000;
        // Who came from outside talks as well; the call is the agent's who served last.
        let talk = all(SegmentKind::Talk).rfind(|piece| piece.agent.is_some()).or(all(SegmentKind::Talk).next_back());
        let call_id =
            |leg: Option<LegKey>| leg.and_then(|leg| self.dialogs.get(&leg)).map(|dialog| dialog.call_id.clone());
        let failed_id = || call.failure.as_ref().map(|failure| failure.sip_call_id.clone());
        let done: Vec<&Segment> = all(SegmentKind::Wrap).filter(|piece| !piece.is_open()).collect();
        Record {
            call: call.id,
            tenant: call.tenant,
            trunk: call.trunk(),
            from: call.from().to_owned(),
            to: call.to().to_owned(),
            sip_call_id: call_id(call.customer().map(|leg| leg.key)).or_else(failed_id).unwrap_or_default(),
            agent_sip_call_id: talk.and_then(|talk| call_id(talk.leg)),
            outcome,
            ended,
            queue: call.queue(),
            agent: talk.map_or_else(|| call.asked_by(), |talk| talk.agent),
            offers: call.offers(),
            admitted: call.times.admitted_wall,
            wait_ms: call.wait().map(|wait| millis(wait.micros(end))),
            ring_ms: call.connected().zip(call.offered()).map(|(talk, ring)| talk.since(ring).as_millis() as u64),
            talk_ms: talk.map(|_| millis(all(SegmentKind::Talk).map(|piece| piece.micros(end)).sum())),
            total_ms: end.since(call.times.admitted).as_millis() as u64,
            wrap_ms: (!done.is_empty()).then(|| millis(done.iter().map(|piece| piece.micros(end)).sum())),
            disposition: call.segments.iter().rev().find_map(|piece| piece.code.clone()),
            dial: call.outbound().and_then(|outbound| {
                let (result, status) = (call.result?, call.final_status());
                Some(DialRecord { campaign: outbound.campaign, lead: outbound.lead, result, status })
            }),
            began: call.times.admitted,
            segments: call.segments.clone(),
            into,
        }
    }
}

/// Of a call in which nobody was there, as our own clock says: a 200 that was never acknowledged. Who was served was.
pub(super) fn failed(call: &Call) -> CallOutcome {
    match outcome_of(call, HangupBy::System) {
        served @ (CallOutcome::Answered | CallOutcome::TransferredOut) => served,
        _ => CallOutcome::Failed,
    }
}

/// By the precedence of outcomes: who was served stays served, whatever comes after.
pub(super) fn outcome_of(call: &Call, by: HangupBy) -> CallOutcome {
    let talks = |agent: bool| {
        call.segments.iter().any(|piece| piece.kind == SegmentKind::Talk && piece.agent.is_some() == agent)
    };
    if talks(true) {
        return CallOutcome::Answered;
    }
    if talks(false) {
        return CallOutcome::TransferredOut;
    }
    match (call.stage, by) {
        (Stage::Reaching, _) => CallOutcome::NotReached,
        (Stage::Waiting | Stage::Admitted, HangupBy::Caller) => CallOutcome::Abandoned,
        // Once past a queue without an agent, the rest of the flow is overflow.
        (Stage::Flow, _) if call.segments.iter().any(|piece| piece.kind == SegmentKind::Wait) => {
            CallOutcome::Overflowed
        }
        (Stage::Flow, _) => CallOutcome::ServedByFlow,
        (Stage::Talking | Stage::Waiting | Stage::Admitted | Stage::Ended { .. }, _) => CallOutcome::Failed,
    }
}

/// How a wait ended with its call.
fn how_of(outcome: CallOutcome) -> How {
    match outcome {
        CallOutcome::Answered | CallOutcome::TransferredOut => How::Served,
        CallOutcome::Abandoned => How::Abandoned,
        CallOutcome::Overflowed => How::Timeout,
        CallOutcome::Failed | CallOutcome::Rejected => How::Failed,
        CallOutcome::Merged => How::Merged,
        CallOutcome::ServedByFlow | CallOutcome::NotReached | CallOutcome::CalledBack | CallOutcome::Voicemail => {
            How::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;
    use crate::limit;
    use crate::sample::CALLER_LEFT;

    /// A voter that projects records goes by their numbers: one that is given twice is a record that nobody sees.
    #[test]
    fn records_are_numbered_on_when_the_oldest_go() {
        let mut bench = Bench::new();
        let call = bench.admitted();
        bench.end(call, CALLER_LEFT);
        let record = bench.records(call).remove(0);
        let many = limit::OUTBOX as u64 + 3;
        (1..many).for_each(|_| bench.shard.write(record.clone()));
        let kept: Vec<u64> = bench.shard.records(0).map(|(number, _)| number).collect();
        assert!(kept.iter().copied().eq(4..=many), "{:?} to {:?}", kept.first(), kept.last());
    }
}
