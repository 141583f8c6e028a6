//! Leases: every busy state ends by itself. The leader says `Expire`; what is due by its stamp is found here.

use strowger_model::{AgentId, CallId, Cause, Ended, HangupBy, LogTime};

use super::apply::Entry;
use super::offer::finish_duty;
use super::{LeaseKey, Shard};
use crate::row::call::DutyKind;
use crate::{AgentState, Call, Miss, Outcome, Stage, limit};

/// What a phone that never answered is recorded with.
pub(super) const RING_TIMEOUT: Miss = Miss { status: 408, cause: Cause::NO_ANSWER };

impl Shard {
    pub(super) fn expire(&mut self, entry: Entry) -> Outcome {
        let due: Vec<LeaseKey> = self
            .leases
            .iter()
            .take_while(|(deadline, _)| *deadline <= entry.now())
            .take(limit::LEASES_PER_EXPIRE)
            .map(|(_, key)| *key)
            .collect();
        let mut left = limit::LEASES_PER_EXPIRE;
        for key in due {
            let mut spent = 1;
            match key {
                LeaseKey::Call(id) => self.expire_call(entry, id),
                LeaseKey::Agent(id) => self.expire_agent(entry, id),
                LeaseKey::Parts(tenant) => self.drop_parts(tenant),
                LeaseKey::Queue(id) => spent = self.expire_queue(entry, id, left).max(1),
            }
            left = left.saturating_sub(spent);
            if left == 0 {
                break;
            }
        }
        Outcome::Done
    }

    fn expire_call(&mut self, entry: Entry, id: CallId) {
        let Some(call) = self.calls.get(&id).map(|call| (**call).clone()) else { return };
        if self.drop_late_duties(entry, call) {
            return;
        }
        let Some(call) = self.calls.get(&id).map(|call| (**call).clone()) else { return };
        if call.lease(self.max_wait(&call)) > entry.now() {
            return;
        }
        let give_up = Ended { by: HangupBy::System, cause: Cause::RECOVERY_ON_TIMER };
        let done = match call.stage {
            Stage::Admitted | Stage::Flow { .. } | Stage::Talking => self.finish(entry, id, give_up, entry.now(), None),
            Stage::Dialling { .. } => self.lose_track(entry, id),
            Stage::Queued => self.overflow(entry, call),
            Stage::Offered { .. } => match &call.agent {
                Some(agent) => self.missed(entry, id, agent.leg, RING_TIMEOUT, entry.now()),
                None => self.finish(entry, id, give_up, entry.now(), None),
            },
            Stage::Ended { .. } => {
                self.remove_call(id);
                Ok(())
            }
        };
        debug_assert!(done.is_ok(), "a due lease always ends: {done:?}");
    }

    /// Drops duties that are past their time; never performed late. True if that ended the call.
    fn drop_late_duties(&mut self, entry: Entry, mut call: Call) -> bool {
        let late: Vec<_> = call.duties.iter().filter(|duty| duty.until <= entry.now()).copied().collect();
        if late.is_empty() {
            return false;
        }
        // An offer ends as a whole, with its ring duty, below.
        for duty in late.iter().filter(|duty| !matches!(duty.kind, DutyKind::Ring { .. })) {
            finish_duty(&mut call, duty.id);
        }
        let unsent = late.iter().any(|duty| duty.kind == DutyKind::Originate);
        let unanswered = late.iter().any(|duty| duty.kind == DutyKind::Answer);
        let id = call.id;
        self.put_call(call);
        if unsent {
            return self.lose_track(entry, id).is_ok();
        }
        // A 200 that was never acknowledged: nobody is there.
        unanswered
            && self
                .finish(
                    entry,
                    id,
                    Ended { by: HangupBy::System, cause: Cause::RECOVERY_ON_TIMER },
                    entry.now(),
                    Some(strowger_model::Outcome::Failed),
                )
                .is_ok()
    }

    fn expire_agent(&mut self, entry: Entry, id: AgentId) {
        let Ok(mut agent) = self.agent_row(id) else { return };
        if agent.contact.as_ref().is_some_and(|contact| contact.expires <= entry.now()) {
            agent.lose_phone(entry.now());
        }
        let over = |until: LogTime| until <= entry.now();
        match agent.state {
            AgentState::WrapUp { until, .. } if over(until) => {
                self.put_agent(agent);
                let ended = self.end_wrap_up(entry, id, None);
                debug_assert!(ended.is_ok());
                return;
            }
            AgentState::Paused { until } if over(until) => agent.come_free(entry.now()),
            _ => {}
        }
        self.put_agent(agent);
    }
}
