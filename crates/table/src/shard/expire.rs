//! Leases: every busy state ends by itself. The leader says `Expire`; what is due by its stamp is found here.

use strowger_model::{AgentId, CallId, Cause, Ended, HangupBy, LegKey, LogTime, PlaceId};

use super::Shard;
use super::apply::Entry;
use super::life::failed;
use super::offer::RING_TIMEOUT;
use crate::{
    Call, DutyKind, LegRole, LegState, Offered, Outcome, PlaceState, Presence, Reach, Refusal, RowKey, SlotState,
    Stage, ToldBy, limit,
};

const GIVE_UP: Ended = Ended { by: HangupBy::System, cause: Cause::RECOVERY_ON_TIMER };

impl Shard {
    pub(super) fn expire(&mut self, entry: Entry) -> Outcome {
        let due: Vec<RowKey> = self
            .index
            .leases
            .iter()
            .take_while(|(deadline, _)| *deadline <= entry.now())
            .take(limit::LEASES_PER_EXPIRE)
            .map(|(_, row)| *row)
            .collect();
        let mut left = limit::LEASES_PER_EXPIRE;
        for row in due {
            let mut spent = 1;
            match row {
                RowKey::Call(id) => self.expire_call(entry, id),
                RowKey::Agent(id) => self.expire_agent(entry, id),
                RowKey::Place(id) => self.expire_place(entry, id),
                RowKey::Parts(tenant) => self.drop_parts(tenant),
                RowKey::Queue(id) => spent = self.expire_queue(entry, id, left).max(1),
                RowKey::Campaign(_) => debug_assert!(false, "campaigns have no deadline"),
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
        let Some(call) = self.calls.get(&id).cloned() else { return };
        let is_due = |leg: &&crate::Leg| leg.until() <= entry.now();
        let legs: Vec<LegKey> = call.legs.iter().filter(is_due).map(|leg| leg.key).collect();
        for key in legs {
            let done = self.expire_leg(entry, id, key);
            debug_assert!(done.is_ok(), "a due leg always ends: {done:?}");
        }
        let Some(call) = self.calls.get(&id).cloned() else { return };
        if call.until > entry.now() {
            return;
        }
        let done = match call.stage {
            Stage::Ended { .. } if call.is_sealing() => Ok(()),
            Stage::Ended { .. } => {
                self.remove_call(id);
                Ok(())
            }
            _ => self.finish(entry, id, GIVE_UP, entry.now(), None),
        };
        debug_assert!(done.is_ok(), "a due lease always ends: {done:?}");
    }

    fn expire_leg(&mut self, entry: Entry, id: CallId, key: LegKey) -> Result<(), Refusal> {
        let Some(call) = self.calls.get(&id).map(|call| (**call).clone()) else { return Ok(()) };
        // An earlier one may have taken this one along.
        let Some(leg) = call.leg(key).filter(|leg| leg.until() <= entry.now()).cloned() else { return Ok(()) };
        match (leg.state, leg.role) {
            (LegState::Screening { screen, until }, _) if until <= entry.now() => {
                self.screened(entry, call, key, screen)
            }
            (LegState::Ringing { .. }, LegRole::Agent(..)) => self.not_taken(entry, key, RING_TIMEOUT, entry.now()),
            (LegState::Ringing { .. }, LegRole::Customer) if leg.reach != Reach::Inbound => self.lose_track(entry, id),
            (LegState::Ringing { .. }, LegRole::Customer) => self.finish(entry, id, GIVE_UP, entry.now(), None),
            // Nothing came of the attempt to reach it, or nothing is heard of it any more.
            _ => self.lose_leg(entry, call, key, (Cause::RECOVERY_ON_TIMER, ToldBy::Silence), entry.now()),
        }
    }

    /// Drops duties that are past their time; never performed late. True if that ended the call.
    fn drop_late_duties(&mut self, entry: Entry, mut call: Call) -> bool {
        let late: Vec<_> = call.duties.iter().filter(|duty| duty.until <= entry.now()).copied().collect();
        if late.is_empty() {
            return false;
        }
        // An offer ends as a whole, with its ring duty, below.
        for duty in late.iter().filter(|duty| !matches!(duty.kind, DutyKind::Ring { .. })) {
            self.finish_duty(&mut call, duty.id);
        }
        let unsent = late.iter().find_map(|duty| match duty.kind {
            DutyKind::Originate { leg } => Some(leg),
            _ => None,
        });
        let unanswered = late.iter().any(|duty| matches!(duty.kind, DutyKind::Answer { .. }));
        let id = call.id;
        let unsent = unsent.filter(|leg| call.leg(*leg).is_some_and(|leg| leg.is_customer() && leg.is_ringing()));
        self.put_call(call);
        if unsent.is_some() {
            return self.lose_track(entry, id).is_ok();
        }
        // A 200 that was never acknowledged: nobody is there.
        let outcome = self.calls.get(&id).filter(|_| unanswered).map(|call| failed(call));
        outcome.is_some() && self.finish(entry, id, GIVE_UP, entry.now(), outcome).is_ok()
    }

    fn expire_place(&mut self, entry: Entry, id: PlaceId) {
        let Some(place) = self.places.get(&id).cloned() else { return };
        match place.state {
            PlaceState::Waiting if place.until <= entry.now() => {
                let done = self.wait_over(entry, id);
                debug_assert!(done.is_ok(), "a wait that is over ends: {done:?}");
            }
            PlaceState::Waiting => self.put_place(crate::Place { relax: None, ..(*place).clone() }),
            PlaceState::Resting { .. } | PlaceState::Taken { .. } => self.set_place(Some(id), PlaceState::Waiting),
            PlaceState::Offered | PlaceState::Dialling { .. } | PlaceState::Served => {
                debug_assert!(false, "ends with its call");
            }
        }
    }

    fn expire_agent(&mut self, entry: Entry, id: AgentId) {
        let Ok(mut agent) = self.agent_row(id) else { return };
        let now = entry.now();
        let over = |until: LogTime| until <= now;
        if agent.bindings.iter().any(|binding| over(binding.until())) {
            agent.bindings.retain(|binding| !over(binding.until()));
            if agent.bindings.is_empty() {
                agent.lose_phones(now);
            }
        }
        let due: Vec<_> = agent.slots.iter().filter(|slot| over(slot.state.until())).cloned().collect();
        let (mut wraps, mut items) = (Vec::new(), Vec::new());
        for slot in due {
            if let SlotState::Offered(Offered::Item { place, .. }) = slot.state {
                items.push(place);
            }
            match slot.state {
                SlotState::Wrap { call, segment, .. } => wraps.push((call, segment)),
                // Nothing came of what it was kept or asked for.
                SlotState::Reserved { .. } | SlotState::Offered(_) => agent.give_back(slot.no, now),
                _ => agent.come_free(slot.no, now),
            }
        }
        debug_assert!(!agent.bindings.is_empty() || agent.is_at_work() || agent.presence == Presence::Out);
        self.put_agent(agent);
        items.into_iter().for_each(|place| self.set_place(Some(place), PlaceState::Waiting));
        for wrap in wraps {
            let ended = self.end_wrap_up(entry, id, wrap, None);
            debug_assert!(ended.is_ok(), "a wrap-up that is due ends: {ended:?}");
        }
    }
}
