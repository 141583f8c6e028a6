//! A call's beginning: admitted, answered, through its flow, into a queue.

use std::sync::Arc;

use strowger_model::config::StepNo;
use strowger_model::{
    CallId, Cause, Dialog, Ended, HangupBy, LegNo, LogTime, Outcome as CallOutcome, Owner, QueueId, RelayId,
};

use super::Shard;
use super::apply::Entry;
use crate::row::call::{CallTimes, DutyKind};
use crate::{AdmitKey, Call, Command, Origin, Outcome, Refusal, Stage, limit};

impl Shard {
    pub(super) fn admit(&mut self, entry: Entry, command: &Command) -> Outcome {
        let Command::Admit { key, tenant, flow, trunk, from, to, dialog, observed } = command else {
            unreachable!("called for Admit only")
        };
        if let Some(call) = self.call_by_key(key) {
            return Outcome::Already { call: call.id, owner: call.owner };
        }
        if self.withdrawn.contains_key(key) {
            return Refusal::WrongStage.into();
        }
        if self.tenant(*tenant).is_none_or(|tenant| tenant.flow(*flow).is_none()) {
            return Refusal::NoSuchTenant.into();
        }
        let id = CallId::new(self.id, entry.at.index);
        let owner = Owner { node: entry.from.node, incarnation: entry.from.incarnation, epoch: entry.at.index };
        self.put_call(Call {
            id,
            tenant: *tenant,
            origin: Origin::Inbound { flow: *flow, key: key.clone() },
            trunk: *trunk,
            from: from.clone(),
            to: to.clone(),
            owner,
            adoptions: 0,
            stage: Stage::Admitted,
            caller: Some((**dialog).clone()),
            relay: None,
            relays: Vec::new(),
            agent: None,
            leaving: Vec::new(),
            next_leg: LegNo(Call::CALLER_LEG.0 + 1),
            queue: None,
            order: 0,
            overflow: None,
            times: CallTimes {
                admitted: entry.observed(*observed),
                admitted_wall: entry.at.wall,
                ..CallTimes::default()
            },
            offers: 0,
            duties: Vec::new(),
            next_duty: 0,
        });
        Outcome::Admitted { call: id, owner }
    }

    pub(super) fn withdraw(&mut self, entry: Entry, key: &AdmitKey) -> Outcome {
        match self.call_by_key(key).map(|call| (call.id, call.stage == Stage::Admitted)) {
            // It was admitted through another node, or only the answer was lost: the caller may have its 200.
            Some((_, false)) => Refusal::WrongStage.into(),
            Some((call, true)) => self
                .finish(
                    entry,
                    call,
                    Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE },
                    entry.now(),
                    Some(CallOutcome::Rejected),
                )
                .into(),
            None => {
                self.withdrawn.insert(key.clone(), entry.now());
                Outcome::Done
            }
        }
    }

    pub(super) fn forget_withdrawn(&mut self, now: LogTime) {
        let old = |since: &LogTime| now.since(*since) >= limit::SESSION_LINGER;
        let over: Vec<_> = self.withdrawn.iter().filter(|(_, since)| old(since)).map(|(key, _)| key.clone()).collect();
        for key in &over {
            self.withdrawn.remove(key);
        }
    }

    pub(super) fn answer(&mut self, entry: Entry, id: CallId, dialog: &Dialog, relay: RelayId) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if call.stage != Stage::Admitted {
            return Err(Refusal::WrongStage);
        }
        call.stage = Stage::Flow { step: 0, entered: entry.at.index };
        call.caller = Some(dialog.clone());
        call.relay = Some(relay);
        call.uses(relay);
        call.add_duty(DutyKind::Answer, entry.now() + limit::HANG_UP_MAX);
        self.put_call(call);
        Ok(())
    }

    pub(super) fn step(&mut self, entry: Entry, id: CallId, step: StepNo) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if !matches!(call.stage, Stage::Flow { .. }) {
            return Err(Refusal::WrongStage);
        }
        call.stage = Stage::Flow { step, entered: entry.at.index };
        self.put_call(call);
        Ok(())
    }

    /// The place in the queue is the index of this entry: one order across all nodes.
    pub(super) fn enqueue(
        &mut self,
        entry: Entry,
        id: CallId,
        step: StepNo,
        queue: QueueId,
        overflow: Option<StepNo>,
    ) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if !matches!(call.stage, Stage::Flow { .. }) {
            return Err(Refusal::WrongStage);
        }
        // A queue that left the configuration, and one of a tenant that did, turn calls away as a full one does.
        let in_force = self.tenant(call.tenant).and_then(|tenant| tenant.queue(queue));
        let max_waiting = in_force.map_or(0, |queue| queue.max_waiting as usize);
        call.queue = Some(queue);
        call.order = entry.at.index;
        call.overflow = overflow;
        if self.waiting_length(queue) >= max_waiting {
            call.stage = Stage::Flow { step, entered: entry.at.index };
            return self.overflow(entry, call);
        }
        call.stage = Stage::Queued;
        call.times.enqueued = Some(entry.now());
        call.times.overflowed = None;
        self.put_call(call);
        Ok(())
    }

    /// Out of the queue by its own limits: on with the flow if it says how, else over.
    pub(super) fn overflow(&mut self, entry: Entry, mut call: Call) -> Result<(), Refusal> {
        match call.overflow.take() {
            Some(step) => {
                // A call that a full queue turned away did not wait: its flow gets no more time, else a flow that
                // leads back to the same queue would never end.
                if call.is_waiting() {
                    call.times.overflowed = Some(entry.now());
                }
                call.stage = Stage::Flow { step, entered: entry.at.index };
                self.put_call(call);
                Ok(())
            }
            None => {
                let id = call.id;
                self.put_call(call);
                let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
                self.finish(entry, id, ended, entry.now(), Some(CallOutcome::Overflowed))
            }
        }
    }

    pub(super) fn redialog(&mut self, entry: Entry, id: CallId, leg: LegNo, dialog: &Dialog) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if call.is_over() {
            return Err(Refusal::WrongStage);
        }
        if leg == Call::CALLER_LEG {
            call.caller = Some(dialog.clone());
        } else {
            let agent = call.agent.as_mut().filter(|agent| agent.leg == leg).ok_or(Refusal::WrongStage)?;
            agent.dialog = Some(dialog.clone());
        }
        self.put_call(call);
        Ok(())
    }

    /// The call, if the proposer owns it.
    pub(super) fn owned_call(&self, entry: Entry, id: CallId) -> Result<Call, Refusal> {
        let call: &Arc<Call> = self.calls.get(&id).ok_or(Refusal::NoSuchCall)?;
        let owner = (call.owner.node, call.owner.incarnation);
        if owner == (entry.from.node, entry.from.incarnation) { Ok((**call).clone()) } else { Err(Refusal::NotOwner) }
    }
}
