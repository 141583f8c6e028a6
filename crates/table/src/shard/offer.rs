//! Offers: granted one by one, missed, connected.

use std::time::Duration;

use strowger_model::{
    AgentId, CallId, Cause, Dialog, Ended, HangupBy, LegNo, LogTime, Outcome as CallOutcome, RelayId,
};

use super::Shard;
use super::apply::Entry;
use crate::row::call::{AgentLeg, DutyKind};
use crate::{Agent, AgentState, Call, Miss, Offer, Outcome, Plan, Refusal, Stage, limit};

impl Shard {
    /// Each offer is judged alone: the call still waits, the agent is still idle and serves that queue.
    pub(super) fn plan(&mut self, entry: Entry, plan: &Plan) -> Outcome {
        if plan.offers.len() > limit::OFFERS_PER_PLAN {
            return Refusal::TooLong.into();
        }
        let mut granted = 0;
        for (bit, offer) in plan.offers.iter().enumerate() {
            if self.grant(entry, offer).is_ok() {
                granted |= 1 << bit;
            }
        }
        Outcome::Planned { granted }
    }

    fn grant(&mut self, entry: Entry, offer: &Offer) -> Result<(), Refusal> {
        let call = self.calls.get(&offer.call).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        let agent = self.agents.get(&offer.agent).map(|agent| (**agent).clone()).ok_or(Refusal::NoSuchAgent)?;
        if !call.is_waiting() || call.queue != Some(offer.queue) {
            return Err(Refusal::WrongStage);
        }
        if agent.state != AgentState::Idle || !agent.queues.contains(&offer.queue) {
            return Err(Refusal::AgentBusy);
        }
        self.ring(entry, call, agent, offer.relay)
    }

    /// The agent's phone is to be rung for the call.
    pub(super) fn ring(
        &mut self,
        entry: Entry,
        mut call: Call,
        mut agent: Agent,
        relay: RelayId,
    ) -> Result<(), Refusal> {
        let contact = agent.contact.clone().ok_or(Refusal::AgentBusy)?;
        let queue = self.queue(&call).ok_or(Refusal::NoSuchQueue)?;
        let ring = Duration::from_millis(queue.ring_timeout_ms.into());
        let deadline = entry.now() + ring + limit::OFFER_GRACE;
        let leg = call.next_leg;
        // Out of leg numbers: the call waits until it overflows.
        call.next_leg = LegNo(leg.0.checked_add(1).ok_or(Refusal::WrongStage)?);
        call.offers += 1;
        call.times.offered = Some(entry.now());
        call.stage = Stage::Offered { deadline };
        call.uses(relay);
        call.agent = Some(AgentLeg { leg, agent: agent.id, relay, contact, dialog: None });
        call.add_duty(DutyKind::Ring { leg }, deadline);
        agent.enter(AgentState::Offered { call: call.id, leg }, entry.now());
        self.put_call(call);
        self.put_agent(agent);
        Ok(())
    }

    /// Back to waiting at the same place; the agent is passed over, and set not ready after too many misses.
    pub(super) fn missed(
        &mut self,
        entry: Entry,
        id: CallId,
        leg: LegNo,
        miss: Miss,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        let is_current = call.ringing_agent().is_some_and(|agent| agent.leg == leg);
        let Some(agent_leg) = call.agent.take_if(|_| is_current) else { return Err(Refusal::WrongStage) };
        let (pause, max_misses) = self
            .queue(&call)
            .map_or((Duration::ZERO, 0), |queue| (Duration::from_millis(queue.miss_pause_ms.into()), queue.max_misses));
        let agent_id = agent_leg.agent;
        call.duties.retain(|duty| duty.kind != DutyKind::Ring { leg });
        call.stage = Stage::Queued;
        // A phone that gave a final answer needs no CANCEL; one that only rang does.
        if miss.cause == Cause::NO_ANSWER {
            call.add_duty(DutyKind::HangUp { leg }, entry.now() + limit::HANG_UP_MAX);
            call.leaving.push(agent_leg);
        }
        let nobody_called = call.outbound().is_some() && call.caller.is_none();
        self.put_call(call);
        self.pass_over(entry, agent_id, (id, leg), (pause, max_misses), observed);
        if nobody_called {
            // The agent who asked for the call did not come to the phone: there is nothing to go back to.
            let ended = Ended { by: HangupBy::System, cause: miss.cause };
            return self.finish(entry, id, ended, entry.observed(observed), Some(CallOutcome::NotReached));
        }
        Ok(())
    }

    fn pass_over(
        &mut self,
        entry: Entry,
        id: AgentId,
        (call, leg): (CallId, LegNo),
        (pause, max_misses): (Duration, u16),
        observed: LogTime,
    ) {
        let Ok(mut agent) = self.agent_row(id) else { return };
        if agent.state != (AgentState::Offered { call, leg }) {
            return;
        }
        agent.misses = agent.misses.saturating_add(1);
        if max_misses != 0 && agent.misses >= max_misses {
            agent.misses = 0;
            agent.not_ready_next.get_or_insert_with(|| "missed calls".to_owned());
        }
        if agent.not_ready_next.is_some() || agent.contact.is_none() || pause.is_zero() {
            agent.come_free(entry.now());
        } else {
            agent.enter(AgentState::Paused { until: entry.observed(observed) + pause }, entry.now());
        }
        self.put_agent(agent);
    }

    pub(super) fn connect(
        &mut self,
        entry: Entry,
        id: CallId,
        leg: LegNo,
        dialog: &Dialog,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if call.ringing_agent().is_none_or(|agent| agent.leg != leg) {
            return Err(Refusal::WrongStage);
        }
        let Some(agent_leg) = call.agent.as_mut() else { return Err(Refusal::WrongStage) };
        let mut agent = self.agents.get(&agent_leg.agent).map(|agent| (**agent).clone()).ok_or(Refusal::NoSuchAgent)?;
        if agent.state != (AgentState::Offered { call: id, leg }) {
            return Err(Refusal::AgentBusy);
        }
        agent_leg.dialog = Some(dialog.clone());
        call.duties.retain(|duty| duty.kind != DutyKind::Ring { leg });
        agent.misses = 0;
        agent.answered += 1;
        agent.enter(AgentState::Talking { call: id }, entry.now());
        self.put_agent(agent);
        if call.caller.is_none() {
            // The agent asked for this call and is there: now the number.
            self.originate(entry, call);
        } else {
            call.stage = Stage::Talking;
            call.times.connected = Some(entry.observed(observed));
            self.put_call(call);
        }
        Ok(())
    }

    pub(super) fn done(&mut self, entry: Entry, duties: &[(CallId, u32)]) -> Outcome {
        for (id, duty) in duties {
            let Ok(mut call) = self.owned_call(entry, *id) else { continue };
            finish_duty(&mut call, *duty);
            self.put_call(call);
        }
        Outcome::Done
    }
}

/// Takes a duty off a row, and with a hang-up the leg it was for.
pub(super) fn finish_duty(call: &mut Call, id: u32) {
    if let Some(DutyKind::HangUp { leg }) = call.duty(id).map(|duty| duty.kind) {
        call.leaving.retain(|agent| agent.leg != leg);
    }
    call.duties.retain(|duty| duty.id != id);
}
