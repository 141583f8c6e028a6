//! A call's end, and the record it leaves.

use std::time::Duration;

use strowger_model::{CallId, Ended, HangupBy, LogTime, Outcome as CallOutcome};

use super::Shard;
use super::apply::Entry;
use super::dial::result_of;
use crate::row::call::DutyKind;
use crate::{AgentState, Call, DialRecord, Origin, Outbound, Record, Refusal, Stage, limit};

impl Shard {
    pub(super) fn end_call(
        &mut self,
        entry: Entry,
        id: CallId,
        ended: Ended,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        if ended.by == HangupBy::System {
            // Not what a far end did but what its owner decided: an earlier one, cut off from its relay, decides nothing.
            self.owned_call(entry, id)?;
        }
        self.finish(entry, id, ended, entry.observed(observed), None)
    }

    /// Ends a call once. What is still to be done to its legs and media becomes duties of its owner.
    pub(super) fn finish(
        &mut self,
        entry: Entry,
        id: CallId,
        ended: Ended,
        observed: LogTime,
        outcome: Option<CallOutcome>,
    ) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        if call.is_over() {
            return Err(Refusal::WrongStage);
        }
        let outcome = outcome.unwrap_or_else(|| outcome_of(&call, ended.by));
        if let Origin::Outbound(outbound) = &call.origin {
            let result = result_of(&call, outbound, outcome);
            call.origin = Origin::Outbound(Outbound { result: Some(result), ..outbound.clone() });
        }
        // An observer's clock may lag behind what is already in the row.
        call.times.ended = Some(observed.max(call.times.connected.unwrap_or(call.times.admitted)));
        let until = entry.now() + limit::HANG_UP_MAX;
        call.duties.retain(|duty| matches!(duty.kind, DutyKind::HangUp { .. }));
        if ended.by != HangupBy::Caller {
            call.add_duty(DutyKind::HangUp { leg: Call::CALLER_LEG }, until);
        }
        if let Some(agent) = call.agent.as_ref().filter(|_| ended.by != HangupBy::Agent) {
            call.add_duty(DutyKind::HangUp { leg: agent.leg }, until);
        }
        if call.relay.is_some() {
            call.add_duty(DutyKind::CloseMedia, until);
        }
        let work_over = self.release_agent(entry, &call);
        call.times.kept_until = Some(work_over + limit::ENDED_LINGER);
        call.stage = Stage::Ended { outcome, ended };
        self.settle(entry, &call, ended);
        self.write(record_of(&call, outcome, ended));
        self.put_call(call);
        Ok(())
    }

    /// Takes the agent off the call; returns when the work on it is over at the latest.
    fn release_agent(&mut self, entry: Entry, call: &Call) -> LogTime {
        let mut work_over = entry.now();
        let reserved = call.outbound().and_then(|outbound| outbound.reserved).map(|reserved| reserved.agent);
        let agent = call.agent.as_ref().map(|leg| leg.agent).or(reserved);
        let Some(mut agent) = agent.and_then(|id| self.agent_row(id).ok()) else { return work_over };
        let wrap_up = self.queue(call).map_or(Duration::ZERO, |queue| Duration::from_millis(queue.wrap_up_ms.into()));
        match agent.state {
            // The caller gave up: no miss, and the place in the line of idle agents is kept.
            AgentState::Offered { call: id, .. } | AgentState::Reserved { call: id } if id == call.id => {
                self.give_back(entry, agent);
                return work_over;
            }
            AgentState::Talking { call: id } if id == call.id && wrap_up.is_zero() => agent.come_free(entry.now()),
            AgentState::Talking { call: id } if id == call.id => {
                work_over = entry.now() + wrap_up;
                agent.enter(AgentState::WrapUp { call: id, until: work_over }, entry.now());
            }
            _ => return work_over,
        }
        self.put_agent(agent);
        work_over
    }

    pub(super) fn write(&mut self, record: Record) {
        let number = self.outbox.last_key().map_or(1, |last| last + 1);
        self.outbox.put(number, record);
        while self.outbox.len() > limit::OUTBOX {
            let Some(first) = self.outbox.first_key().copied() else { break };
            self.outbox.remove(&first);
        }
    }
}

fn outcome_of(call: &Call, by: HangupBy) -> CallOutcome {
    match (&call.stage, by) {
        (Stage::Dialling { .. }, _) => CallOutcome::NotReached,
        (Stage::Offered { .. }, _) if call.caller.is_none() => CallOutcome::NotReached,
        (Stage::Talking, _) => CallOutcome::Answered,
        (Stage::Queued | Stage::Offered { .. }, HangupBy::Caller) => CallOutcome::Abandoned,
        // Once past a queue without an agent, the rest of the flow is overflow.
        (Stage::Flow { .. }, _) if call.queue.is_some() => CallOutcome::Overflowed,
        (Stage::Flow { .. }, _) => CallOutcome::ServedByFlow,
        (Stage::Admitted, HangupBy::Caller) => CallOutcome::Abandoned,
        (Stage::Admitted | Stage::Queued | Stage::Offered { .. } | Stage::Ended { .. }, _) => CallOutcome::Failed,
    }
}

pub(super) fn record_of(call: &Call, outcome: CallOutcome, ended: Ended) -> Record {
    let times = &call.times;
    let end = times.ended.unwrap_or_default();
    let span = |from: Option<LogTime>, to: LogTime| from.map(|from| to.since(from).as_millis() as u64);
    let talked = times.connected.is_some();
    let failure = call.outbound().and_then(|outbound| outbound.failure.as_ref());
    let agent = call.agent.as_ref().filter(|_| talked);
    Record {
        call: call.id,
        tenant: call.tenant,
        trunk: call.trunk,
        from: call.from.clone(),
        to: call.to.clone(),
        sip_call_id: call
            .caller
            .as_ref()
            .map(|dialog| &dialog.call_id)
            .or(failure.map(|failure| &failure.sip_call_id))
            .cloned()
            .unwrap_or_default(),
        agent_sip_call_id: agent.and_then(|agent| agent.dialog.as_ref()).map(|dialog| dialog.call_id.clone()),
        outcome,
        ended,
        queue: call.queue,
        agent: agent.map(|agent| agent.agent),
        offers: call.offers,
        admitted: times.admitted_wall,
        wait_ms: span(times.enqueued, times.connected.or(times.overflowed).unwrap_or(end)),
        ring_ms: times.connected.and_then(|connected| span(times.offered, connected)),
        talk_ms: span(times.connected, end),
        total_ms: end.since(times.admitted).as_millis() as u64,
        wrap_ms: None,
        disposition: None,
        dial: call.outbound().and_then(|outbound| {
            let status = failure.map_or(0, |failure| failure.status);
            Some(DialRecord { campaign: outbound.campaign, lead: outbound.lead, result: outbound.result?, status })
        }),
    }
}
