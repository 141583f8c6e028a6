//! Offers: granted one by one, missed, accepted.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{
    AgentId, Cause, Ended, HangupBy, LegKey, LogTime, Outcome as CallOutcome, PlaceId, QueueId, RelayId,
};

use super::Shard;
use super::after::{After, after};
use super::apply::Entry;
use super::legs::followers;
use crate::row::story::Piece;
use crate::{
    Agent, Call, DutyKind, How, LegRole, Medium, Miss, Offer, Offered, Outcome, PlaceState, Plan, Presence, Reach,
    Refusal, Released, SegmentKind, SlotState, Stage, limit,
};

impl Shard {
    /// Each offer is judged alone: the place still waits, the agent is still idle and serves that queue.
    pub(super) fn plan(&mut self, entry: Entry, plan: &Plan) -> Outcome {
        if plan.offers.len() > limit::OFFERS_PER_PLAN {
            return Refusal::TooLong.into();
        }
        let mut granted = 0;
        // How many phones ring at once for places of this plan.
        let mut groups: BTreeMap<PlaceId, usize> = BTreeMap::new();
        for (bit, offer) in plan.offers.iter().enumerate() {
            let ringing = groups.get(&offer.place).copied().unwrap_or_default();
            if self.grant(entry, offer, ringing).is_ok() {
                granted |= 1 << bit;
                if offer.ring_all {
                    groups.insert(offer.place, ringing + 1);
                }
            }
        }
        Outcome::Planned { granted }
    }

    fn grant(&mut self, entry: Entry, offer: &Offer, ringing: usize) -> Result<(), Refusal> {
        let place = self.places.get(&offer.place).cloned().ok_or(Refusal::NoSuchPlace)?;
        let joins = offer.ring_all && (1..limit::RING_ALL).contains(&ringing) && place.state == PlaceState::Offered;
        if !(place.is_waiting() || joins) || place.queue != offer.queue {
            return Err(Refusal::WrongStage);
        }
        let call = place.call.and_then(|call| self.calls.get(&call)).ok_or(Refusal::NoSuchCall)?;
        let call = (**call).clone();
        let agent = self.agent_row(offer.agent)?;
        let is_free = agent.free_slots(Medium::Voice).any(|slot| slot.no == offer.slot);
        if !is_free || !agent.queues.contains(&offer.queue) {
            return Err(Refusal::AgentBusy);
        }
        self.ring(entry, call, agent, (offer.slot, offer.queue, offer.relay))?;
        if place.is_waiting() {
            self.set_place(Some(offer.place), PlaceState::Offered);
        }
        Ok(())
    }

    /// The agent's phone is to be rung for the call.
    pub(super) fn ring(
        &mut self,
        entry: Entry,
        mut call: Call,
        mut agent: Agent,
        (slot, queue, relay): (u8, QueueId, RelayId),
    ) -> Result<(), Refusal> {
        let phone = agent.phone().ok_or(Refusal::AgentBusy)?;
        let (uri, far) = (phone.uri.clone(), phone.flow);
        let reach = Reach::Binding { agent: agent.id, instance: phone.instance, uri, far };
        let config = self.queue_of(call.tenant, Some(queue)).ok_or(Refusal::NoSuchQueue)?;
        let until = entry.now() + Duration::from_millis(config.ring_timeout_ms.into()) + limit::OFFER_GRACE;
        // Out of numbers or of room: the call waits until its wait is over.
        if !call.can_add_leg() {
            return Err(Refusal::Full);
        }
        let key = call.add_leg(LegRole::Agent(agent.id, slot), reach, until);
        let leg = call.leg_mut(key).ok_or(Refusal::NoSuchLeg)?;
        leg.relay = Some(relay);
        leg.queue = Some(queue);
        let piece = Piece::of_leg(SegmentKind::Ring, leg, entry.now());
        call.begin(piece)?;
        call.add_duty(DutyKind::Ring { leg: key }, until);
        agent.enter(slot, SlotState::Offered(Offered::Leg { call: call.id, leg: key }), entry.now());
        if let Some(slot) = agent.slot_mut(slot) {
            slot.last_offer = entry.now();
        }
        self.put_call(call);
        self.put_agent(agent);
        Ok(())
    }

    /// From the phone, whoever tells it; what the owner decided by itself counts only from the owner.
    pub(super) fn missed(&mut self, entry: Entry, key: LegKey, miss: Miss, observed: LogTime) -> Result<(), Refusal> {
        if miss.hang_up {
            self.owned_leg(entry, key)?;
        }
        self.not_taken(entry, key, miss, observed)
    }

    /// Back to waiting at the same place; the agent is passed over, and set not ready after too many misses.
    pub(super) fn not_taken(
        &mut self,
        entry: Entry,
        key: LegKey,
        miss: Miss,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.call_of_leg(key).map(|call| (**call).clone()).ok_or(Refusal::NoSuchLeg)?;
        let leg = call.leg(key).ok_or(Refusal::NoSuchLeg)?;
        if call.is_over() || leg.agent().is_none() || !(leg.is_ringing() || leg.is_screening()) {
            return Err(Refusal::WrongStage);
        }
        let what = after(&call, self.place_of(call.id).map(|place| &**place), key);
        let missed = self.queue_of(call.tenant, leg.queue);
        let rule = missed
            .map_or((Duration::ZERO, 0), |queue| (Duration::from_millis(queue.miss_pause_ms.into()), queue.max_misses));
        let (slot, id) = (leg.slot(), call.id);
        let how = How::Missed { status: miss.status, cause: miss.cause };
        call.finish_leg_pieces(key, entry.observed(observed), how);
        // A phone that gave a final answer needs no CANCEL; one that only rang does.
        call.depart(entry, key, Released::Unanswered, miss.hang_up);
        if !miss.hang_up {
            self.forget_leg(&mut call, key);
        }
        self.settle_place(&call);
        self.put_call(call);
        if let Some((agent, slot)) = slot {
            self.pass_over(entry, agent, (slot, id, key), rule, (observed, miss.was_rung()));
        }
        // The agent who asked for the call did not come to the phone: there is nothing to go back to.
        if what == After::End {
            let ended = Ended { by: HangupBy::System, cause: miss.cause };
            return self.finish(entry, id, ended, entry.observed(observed), Some(CallOutcome::NotReached));
        }
        Ok(())
    }

    fn pass_over(
        &mut self,
        entry: Entry,
        id: AgentId,
        (no, call, leg): (u8, strowger_model::CallId, LegKey),
        (pause, max_misses): (Duration, u16),
        (observed, was_rung): (LogTime, bool),
    ) {
        let Ok(mut agent) = self.agent_row(id) else { return };
        let is_rung = agent.slot(no).is_some_and(|slot| match slot.state {
            SlotState::Offered(Offered::Leg { leg: rung, .. }) => rung == leg,
            SlotState::Busy { call: busy, .. } => busy == call,
            _ => false,
        });
        if !is_rung {
            return;
        }
        agent.misses = agent.misses.saturating_add(was_rung.into());
        if was_rung && max_misses != 0 && agent.misses >= max_misses {
            agent.misses = 0;
            agent.next.get_or_insert_with(|| Presence::NotReady { reason: "missed calls".to_owned() });
        }
        if agent.next.is_some() || !agent.is_ready() || agent.bindings.is_empty() || pause.is_zero() {
            agent.come_free(no, entry.now());
        } else {
            agent.enter(no, SlotState::Paused { until: entry.observed(observed) + pause }, entry.now());
        }
        self.put_agent(agent);
    }

    /// An agent's phone answered: the agent has the call from here on, whether or not something is asked first.
    pub(super) fn agent_answered(
        &mut self,
        entry: Entry,
        call: &mut Call,
        (id, no): (AgentId, u8),
        key: LegKey,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        let offered = SlotState::Offered(Offered::Leg { call: call.id, leg: key });
        if agent.slot(no).is_none_or(|slot| slot.state != offered) {
            return Err(Refusal::AgentBusy);
        }
        call.drop_duty(DutyKind::Ring { leg: key });
        call.finish_leg_pieces(key, entry.observed(observed), How::Served);
        agent.misses = 0;
        agent.answered += 1;
        agent.enter(no, SlotState::Busy { call: call.id, aside: None }, entry.now());
        self.put_agent(agent);
        Ok(())
    }

    /// The agent is in the call: with the customer who waits, or before the customer is called.
    pub(super) fn agent_joins(&mut self, entry: Entry, mut call: Call, key: LegKey, observed: LogTime) {
        match call.stage {
            Stage::Waiting => {
                self.withdraw_others(entry, &mut call, key);
                call.serve(key, entry.observed(observed));
                self.set_place(call.place, PlaceState::Served);
                self.put_call(call);
            }
            // The customer waited beside whoever served until now.
            Stage::Talking if self.place_of(call.id).is_some_and(|place| place.state == PlaceState::Offered) => {
                self.take_over(entry, call, key, observed);
            }
            // The agent asked for this call and is there: now the number.
            Stage::Reaching if call.customer().is_none() => self.dial_asked(entry, call),
            _ => self.put_call(call),
        }
    }

    /// Who served until the next one came goes, and who follows that one.
    fn take_over(&mut self, entry: Entry, mut call: Call, key: LegKey, observed: LogTime) {
        let at = call.told_at(entry.observed(observed));
        self.withdraw_others(entry, &mut call, key);
        if let Some(before) = call.serving {
            self.release_slot(entry, &mut call, before);
            call.finish_leg_pieces(before, at, How::Transferred);
            let follow = followers(&call, before);
            for leg in std::iter::once(before).chain(follow) {
                call.depart(entry, leg, Released::Over(Cause::NORMAL), true);
            }
        }
        call.serve(key, at);
        self.set_place(call.place, PlaceState::Served);
        self.put_call(call);
    }

    /// Phones that rang for the same place and were not the first to be answered.
    fn withdraw_others(&mut self, entry: Entry, call: &mut Call, taken: LegKey) {
        let others: Vec<LegKey> = call
            .live_legs()
            .filter(|leg| leg.key != taken && leg.agent().is_some() && !leg.is_up())
            .map(|leg| leg.key)
            .collect();
        self.call_off(entry, call, others);
    }

    /// Nobody waits for the answer of these any more.
    pub(super) fn call_off(&mut self, entry: Entry, call: &mut Call, legs: Vec<LegKey>) {
        for key in legs {
            self.release_slot(entry, call, key);
            call.finish_leg_pieces(key, entry.now(), How::Withdrawn);
            call.depart(entry, key, Released::Elsewhere, true);
        }
    }
}

impl Call {
    /// The customer and the agent of this leg talk from then on.
    pub(super) fn serve(&mut self, key: LegKey, at: LogTime) {
        self.finish_pieces(at, How::Served, |piece| piece.kind == SegmentKind::Wait);
        if let Some(piece) = self.leg(key).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, at)) {
            let begun = self.begin(piece);
            debug_assert!(begun.is_ok(), "room for a conversation is spared");
        }
        self.stage = Stage::Talking;
        self.serving = Some(key);
        self.until = at + limit::TALK_MAX;
    }
}

/// What a phone that never answered is recorded with.
pub(super) const RING_TIMEOUT: Miss = Miss { status: 408, cause: Cause::NO_ANSWER, hang_up: true };
