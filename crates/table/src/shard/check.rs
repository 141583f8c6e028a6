//! What must hold between rows after every entry. Builds with assertions look at the rows that changed; tests and the
//! simulator may ask for all of it.

use std::collections::BTreeSet;

use strowger_model::{LegKey, LogTime};

use super::Shard;
use super::index::Index;
use crate::{
    Agent, Began, Call, DutyKind, Leg, LegRole, LegState, Offered, Place, PlaceState, Presence, Reserver, RowKey,
    SegmentKind, SlotState, Stage, TapState, Touched, limit,
};

/// Says what does not hold, and of which row.
macro_rules! holds {
    ($what:expr, $row:expr, $($rule:tt)+) => {
        if !$what {
            return Err(format!("{}: {:?}", format_args!($($rule)+), $row));
        }
    };
}

impl Shard {
    /// The first thing that does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.calls().try_for_each(|call| self.check_call(call))?;
        self.places().try_for_each(|place| self.check_place(place))?;
        self.agents().try_for_each(|agent| self.check_agent(agent))?;
        self.check_what_is_beside()?;
        let rebuilt = self.rebuilt_index();
        let mut index = self.index.clone();
        index.staff = index.staff.into_iter().filter(|(_, staff)| staff.iter().any(|count| *count > 0)).collect();
        holds!(index == rebuilt, (&self.index, &rebuilt), "indexes say what the rows say");
        Ok(())
    }

    /// The same of the rows that an entry changed, which is cheap enough to be asserted after each entry.
    pub(super) fn check_touched(&self, touched: &Touched) -> Result<(), String> {
        let Touched::Few(rows) = touched else { return Ok(()) };
        rows.iter().try_for_each(|row| match row {
            RowKey::Call(id) => self.call(*id).map_or(Ok(()), |call| self.check_call(call)),
            RowKey::Place(id) => self.place(*id).map_or(Ok(()), |place| self.check_place(place)),
            RowKey::Agent(id) => self.agent(*id).map_or(Ok(()), |agent| self.check_agent(agent)),
            RowKey::Campaign(id) => {
                let ledger = self.campaign(*id);
                holds!(
                    ledger.is_none_or(|ledger| self.leads_done(*id) <= ledger.leads as usize),
                    ledger,
                    "no more leads are over than came"
                );
                Ok(())
            }
            RowKey::Parts(_) | RowKey::Queue(_) => Ok(()),
        })
    }

    fn check_call(&self, call: &Call) -> Result<(), String> {
        holds!(call.live_legs().count() <= limit::LEGS, call, "not too many legs");
        holds!(call.taps.len() <= limit::TAPS, call, "not too many taps");
        holds!(call.segments.len() <= limit::SEGMENTS, call, "not too many segments");
        self.check_lease(call.lease(), RowKey::Call(call.id))?;
        holds!(
            call.legs.iter().all(|leg| self.call_of_leg(leg.key).is_some_and(|of| of.id == call.id)),
            call,
            "each leg is found by its birth key"
        );
        holds!(
            call.segments.iter().all(|piece| piece.is_open() == (piece.how == crate::How::Open)),
            call,
            "a piece lasts, or it is told how it ended"
        );
        holds!(
            call.taps.iter().all(|tap| match tap.state {
                TapState::Running | TapState::Paused => call.leg(tap.leg).is_some_and(Leg::is_live),
                TapState::Sealing => call.duty_to(DutyKind::Seal { tap: tap.no }).is_some(),
            }),
            call,
            "what is taken is of a leg that is there, or owed"
        );
        let keys: BTreeSet<LegKey> = call.legs.iter().map(|leg| leg.key).collect();
        holds!(keys.len() == call.legs.len(), call, "each leg once");
        holds!(
            keys.iter().all(|key| key.call != call.id || key.leg < call.next.leg),
            call,
            "no leg has a number that is still to be given"
        );
        holds!(
            call.serving_leg().is_some_and(|leg| leg.is_up() && leg.agent().is_some()) == call.serving.is_some(),
            call,
            "who serves is an agent who is up"
        );
        call.legs.iter().try_for_each(|leg| self.check_leg(call, leg))?;
        self.check_stage(call)?;
        for duty in &call.duties {
            let right = match duty.kind {
                DutyKind::Answer { leg } => call.leg(leg).is_some_and(Leg::is_up),
                DutyKind::Ring { leg } | DutyKind::Originate { leg } => call.leg(leg).is_some_and(Leg::is_ringing),
                DutyKind::HangUp { leg } => call.leg(leg).is_some_and(Leg::is_releasing),
                DutyKind::Notify { leg } => call.leg(leg).is_some(),
                DutyKind::Seal { tap } => call.taps.iter().any(|known| known.no == tap),
                DutyKind::Close { relay, leg } => {
                    call.leg(leg).is_none_or(|leg| leg.is_releasing() || leg.relay != Some(relay))
                }
            };
            holds!(right, call, "duty {duty:?} fits its leg");
        }
        Ok(())
    }

    /// A row's deadline is in the index, so that the leader ends it.
    fn check_lease(&self, deadline: LogTime, row: RowKey) -> Result<(), String> {
        let is_known = deadline == LogTime::MAX || self.index.leases.contains(&(deadline, row));
        holds!(is_known, (deadline, row), "a deadline is waited for");
        Ok(())
    }

    fn check_leg(&self, call: &Call, leg: &Leg) -> Result<(), String> {
        holds!(!leg.is_answered() || self.dialog(leg.key).is_some(), call, "{} has answered with a dialog", leg.key);
        holds!(leg.is_live() || leg.room.is_none(), call, "{} is gone and in no room", leg.key);
        holds!(leg.is_releasing() || leg.until() < LogTime::MAX || leg.is_up(), call, "it ends");
        let Some((agent, slot)) = leg.slot().filter(|_| leg.is_live()) else { return Ok(()) };
        let state = self.agent(agent).and_then(|agent| agent.slot(slot)).map(|slot| slot.state);
        let right = match (leg.state, state) {
            (LegState::Ringing { .. }, Some(SlotState::Offered(Offered::Leg { call: by, leg: rung }))) => {
                (by, rung) == (call.id, leg.key)
            }
            (LegState::Screening { .. } | LegState::Up, Some(SlotState::Busy { call: busy, aside })) => {
                busy == call.id || aside == Some(call.id)
            }
            _ => false,
        };
        holds!(right, (call, state), "the slot of {} is taken by it", leg.key);
        Ok(())
    }

    fn check_stage(&self, call: &Call) -> Result<(), String> {
        let customer = call.customer();
        let is_up = customer.is_some_and(Leg::is_up);
        let lasts = |kind| call.segments.iter().any(|piece| piece.is_open() && piece.kind == kind);
        let place = call.place.and_then(|place| self.place(place));
        let right = match call.stage {
            Stage::Admitted => customer.is_some_and(Leg::is_ringing) && call.outbound().is_none(),
            Stage::Reaching => !is_up && call.outbound().is_some() && call.place.is_none(),
            Stage::Flow => is_up && call.serving.is_none() && call.place.is_none() && lasts(SegmentKind::Flow),
            Stage::Waiting => {
                is_up
                    && call.serving.is_none()
                    && place.is_some_and(|place| place.is_in_queue())
                    && lasts(SegmentKind::Wait)
            }
            Stage::Talking => {
                let party = call.live_legs().any(|leg| leg.role == LegRole::Party);
                let is_own = matches!(call.origin.began, Began::Split { .. });
                party || is_own || call.serving.is_some() && lasts(SegmentKind::Talk)
            }
            Stage::Ended { .. } => {
                let over = call.segments.iter().all(|piece| !piece.is_open() || piece.kind == SegmentKind::Wrap);
                let is_kept = (call.until == LogTime::MAX) == self.is_awaited(call);
                call.live_legs().next().is_none() && call.place.is_none() && call.serving.is_none() && over && is_kept
            }
        };
        holds!(
            lasts(SegmentKind::Wait) == (call.stage == Stage::Waiting),
            call,
            "who was offered to a queue waits, or its wait has ended: served, abandoned, left, turned away"
        );
        holds!(right, (call, place), "the stage fits legs, place and segments");
        Ok(())
    }

    fn check_place(&self, place: &Place) -> Result<(), String> {
        self.check_lease(place.lease(), RowKey::Place(place.id))?;
        let in_line = self.index.waiting.get(&(place.queue, place.rank));
        holds!(in_line.is_some() == place.is_waiting(), place, "it stands in line while it waits");
        holds!(place.rank.id == place.id, place, "a rank names its place");
        let Some(call) = place.call.and_then(|call| self.call(call)) else {
            holds!(place.call.is_none(), place, "its call is there");
            return Ok(());
        };
        holds!(
            call.place == Some(place.id) || call.aside == Some(place.id),
            (place, call),
            "call and place name each other"
        );
        holds!(
            (place.state == PlaceState::Offered) == call.is_rung(),
            (place, call),
            "it is offered while phones ring"
        );
        holds!(
            (place.state == PlaceState::Served) == (call.stage == Stage::Talking) || place.is_in_queue(),
            (place, call),
            "it is served while somebody talks"
        );
        Ok(())
    }

    fn check_agent(&self, agent: &Agent) -> Result<(), String> {
        holds!(agent.bindings.len() <= limit::BINDINGS && agent.slots.len() <= limit::SLOTS, agent, "few enough");
        holds!(agent.owner.is_none() || !agent.bindings.is_empty(), agent, "who has an owner has a phone");
        self.check_lease(agent.lease(), RowKey::Agent(agent.id))?;
        holds!(agent.slots.iter().enumerate().all(|(at, slot)| slot.no as usize == at), agent, "slots are numbered");
        let is_out = agent.presence == Presence::Out;
        holds!(agent.is_at_work() || is_out == agent.bindings.is_empty(), agent, "out without a phone, and only then");
        holds!(agent.is_at_work() || agent.next.is_none(), agent, "nothing is left for later");
        for slot in &agent.slots {
            let right = match slot.state {
                SlotState::Free => !self.index.hang_ups.contains_key(&(agent.id, slot.no)),
                SlotState::Releasing => self.index.hang_ups.contains_key(&(agent.id, slot.no)),
                SlotState::Paused { .. } | SlotState::Reserved { by: Reserver::Campaign(_), .. } => true,
                SlotState::Reserved { by: Reserver::Call(call), .. } => {
                    self.call(call).is_some_and(|call| call.stage == Stage::Reaching && call.customer().is_some())
                }
                SlotState::Offered(Offered::Leg { call, leg }) => self
                    .call(call)
                    .and_then(|call| call.leg(leg))
                    .is_some_and(|leg| leg.slot() == Some((agent.id, slot.no))),
                SlotState::Offered(Offered::Item { place, .. }) => self.place(place).is_some(),
                SlotState::Busy { call, aside } => {
                    let has_leg =
                        |call| self.call(call).is_some_and(|call| call.leg_of(agent.id).is_some_and(Leg::is_answered));
                    // Who is in a question beside a call may have left the call.
                    let had_leg = |call| self.call(call).is_some_and(|call| self.is_awaited(call));
                    aside.map_or_else(|| has_leg(call), |aside| has_leg(aside) && had_leg(call))
                }
                SlotState::Wrap { call, segment, .. } => {
                    let wraps = |call: &std::sync::Arc<Call>| {
                        call.segments.iter().any(|piece| piece.no == segment && piece.is_open())
                    };
                    self.call(call).is_some_and(wraps)
                }
            };
            holds!(right, agent, "slot {} refers to what refers to it", slot.no);
        }
        Ok(())
    }

    fn check_what_is_beside(&self) -> Result<(), String> {
        for (leg, _) in self.dialogs.iter() {
            holds!(self.call_of_leg(*leg).is_some(), leg, "a dialog has its leg");
        }
        for (call, _) in self.data.iter() {
            holds!(self.call(*call).is_some(), call, "data have their call");
        }
        Ok(())
    }

    /// The indexes as they would be after a restart.
    fn rebuilt_index(&self) -> Index {
        let mut fresh = Shard::new(self.id);
        fresh.tenants = self.tenants.clone();
        fresh.bars = self.bars.clone();
        self.campaigns.iter().for_each(|(_, row)| fresh.put_campaign((**row).clone()));
        self.staged.iter().for_each(|(tenant, row)| fresh.put_staged(*tenant, (**row).clone()));
        self.closing.iter().for_each(|(_, row)| fresh.put_closing((**row).clone()));
        self.places.iter().for_each(|(_, row)| fresh.put_place((**row).clone()));
        self.calls.iter().for_each(|(_, row)| fresh.put_call((**row).clone()));
        self.agents.iter().for_each(|(_, row)| fresh.put_agent((**row).clone()));
        self.leads.iter().for_each(|(_, row)| fresh.put_lead((**row).clone()));
        fresh.index
    }
}
