//! An agent's slots: taken for work, given back, and what comes after the work.

use std::time::Duration;

use strowger_model::{AgentId, CallId, LegKey, LogTime};

use super::Shard;
use super::apply::Entry;
use crate::row::story::Piece;
use crate::{Agent, Call, How, Leg, Medium, Offered, Presence, Refusal, SegmentKind, Slot, SlotState, limit};

impl Agent {
    /// One slot for calls, free since `now`.
    pub(super) fn voice_slot(now: LogTime) -> Slot {
        Slot {
            no: crate::VOICE_SLOT,
            medium: Medium::Voice,
            state: SlotState::Free,
            since: now,
            idle_since: now,
            last_offer: LogTime::ZERO,
        }
    }

    pub(super) fn enter(&mut self, slot: u8, state: SlotState, now: LogTime) {
        if let Some(slot) = self.slot_mut(slot) {
            slot.state = state;
            slot.since = now;
        }
    }

    pub(super) fn be(&mut self, presence: Presence, now: LogTime) {
        self.presence = presence;
        self.since = now;
    }

    /// The slot's work is over: free, and with the last one what was asked for meanwhile.
    pub(super) fn come_free(&mut self, slot: u8, now: LogTime) {
        self.enter(slot, SlotState::Free, now);
        if let Some(slot) = self.slot_mut(slot) {
            slot.idle_since = now;
        }
        self.settle_presence(now);
    }

    /// Kept or rung for nothing: free, at the place among those who are idle that the agent had before.
    pub(super) fn give_back(&mut self, slot: u8, now: LogTime) {
        self.enter(slot, SlotState::Free, now);
        self.settle_presence(now);
    }

    fn settle_presence(&mut self, now: LogTime) {
        if self.is_at_work() {
            return;
        }
        let next = self.next.take();
        if self.bindings.is_empty() {
            self.be(Presence::Out, now);
        } else if let Some(presence) = next {
            self.be(presence, now);
        }
    }

    /// No phone from now on: out, or as soon as the work is over.
    pub(super) fn lose_phones(&mut self, now: LogTime) {
        self.bindings.clear();
        self.owner = None;
        if !self.is_at_work() && self.presence != Presence::Out {
            self.end_pauses(now);
            self.next = None;
            self.be(Presence::Out, now);
        }
    }

    /// Who says something new of himself is left alone no longer.
    pub(super) fn end_pauses(&mut self, now: LogTime) {
        for slot in self.slots.iter_mut().filter(|slot| matches!(slot.state, SlotState::Paused { .. })) {
            (slot.state, slot.since, slot.idle_since) = (SlotState::Free, now, now);
        }
    }
}

impl Shard {
    /// Whose work is over is free once the phones of that work have hung up. The one place that knows it: asked whenever
    /// an agent's row is put, and when the hang-ups of a call change.
    pub(super) fn settle_slots(&self, agent: &mut Agent) {
        for slot in &mut agent.slots {
            let hangs_up = self.index.hang_ups.contains_key(&(agent.id, slot.no));
            slot.state = match slot.state {
                SlotState::Free if hangs_up => SlotState::Releasing,
                SlotState::Releasing if !hangs_up => SlotState::Free,
                state => state,
            };
        }
    }

    /// Takes the agent of a leg off the call. Returns when the work on it is over at the latest.
    pub(super) fn release_slot(&mut self, entry: Entry, call: &mut Call, key: LegKey) -> LogTime {
        let now = entry.now();
        let Some(leg) = call.leg(key).cloned() else { return now };
        let Some((id, no)) = leg.slot() else { return now };
        let Ok(mut agent) = self.agent_row(id) else { return now };
        let mut work_over = now;
        match agent.slot(no).map(|slot| slot.state) {
            // Rung for nothing: no miss.
            Some(SlotState::Offered(Offered::Leg { leg, .. })) if leg == key => agent.give_back(no, now),
            Some(SlotState::Busy { call: first, aside: Some(aside) }) if aside == call.id => {
                self.end_aside(entry, &mut agent, no, first);
            }
            // The customer is gone, and the agent still with who was asked: the work after it begins when that is over. Of
            // whom the story does not tell there would be no work.
            Some(SlotState::Busy { call: busy, aside: Some(aside) }) if busy == call.id => {
                if !call.has_talked(key) {
                    agent.enter(no, SlotState::Busy { call: aside, aside: None }, now);
                }
            }
            Some(SlotState::Busy { call: busy, aside: None }) if busy == call.id => {
                work_over = self.wrap_up(entry, &mut agent, call, &leg);
            }
            _ => return now,
        }
        self.put_agent(agent);
        work_over
    }

    /// The question beside the customer is over. If the customer's call is by now, or goes on without the agent, the work
    /// after it begins; its row was kept for that.
    fn end_aside(&mut self, entry: Entry, agent: &mut Agent, no: u8, first: CallId) {
        let row = self.calls.get(&first).map(|call| (**call).clone());
        // Of a leg that it had in a call that was merged into this one the row may tell, too.
        let its = |call: &Call| {
            call.legs.iter().filter(|leg| leg.slot() == Some((agent.id, no))).max_by_key(|leg| leg.is_live()).cloned()
        };
        let leg = row.as_ref().and_then(its);
        match row.zip(leg) {
            Some((_, leg)) if leg.is_live() => {
                if let Some(slot) = agent.slot_mut(no) {
                    slot.state = SlotState::Busy { call: first, aside: None };
                }
            }
            Some((mut call, leg)) => {
                let work_over = self.wrap_up(entry, agent, &mut call, &leg);
                if call.is_over() {
                    call.until = work_over + limit::ENDED_LINGER;
                }
                self.put_call(call);
            }
            // Another call has its story by now, and no work after it is told of.
            None => agent.come_free(no, entry.now()),
        }
    }

    /// The work after a conversation begins, or the agent is free if the queue leaves no time for any. Returns when it is
    /// over at the latest.
    fn wrap_up(&self, entry: Entry, agent: &mut Agent, call: &mut Call, leg: &Leg) -> LogTime {
        let now = entry.now();
        let Some((_, no)) = leg.slot() else { return now };
        let queue = self.queue_of(call.tenant, leg.queue);
        let wrap = queue.map_or(Duration::ZERO, |queue| Duration::from_millis(queue.wrap_up_ms.into()));
        let piece = Piece::of_leg(SegmentKind::Wrap, leg, now);
        match Some(wrap).filter(|wrap| !wrap.is_zero()).and_then(|_| call.begin(piece).ok()) {
            Some(segment) => {
                agent.enter(no, SlotState::Wrap { call: call.id, segment, until: now + wrap }, now);
                now + wrap
            }
            None => {
                agent.come_free(no, now);
                now
            }
        }
    }

    /// Whether an agent is in a question beside this call: the work after the call is still to come, and is told in its row.
    pub(super) fn is_awaited(&self, call: &Call) -> bool {
        let in_aside = |(agent, no)| {
            let slot = self.agents.get(&agent).and_then(|agent| agent.slot(no));
            slot.is_some_and(
                |slot| matches!(slot.state, SlotState::Busy { call: busy, aside: Some(_) } if busy == call.id),
            )
        };
        call.legs.iter().filter_map(Leg::slot).any(in_aside)
    }

    /// The agent kept for the answer of a call's customer is kept no longer.
    pub(super) fn release_reserved(&mut self, entry: Entry, call: &Call) {
        let Some(mut agent) = self.reserved(call).and_then(|id| self.agent_row(id).ok()) else { return };
        let Some(no) = agent.slot_of(call.id).map(|slot| slot.no) else { return };
        agent.give_back(no, entry.now());
        self.put_agent(agent);
    }

    /// Wrap-up is over: the agent comes free, and the call's record gets its second writing.
    pub(super) fn end_wrap_up(
        &mut self,
        entry: Entry,
        id: AgentId,
        (call, segment): (CallId, u16),
        code: Option<String>,
    ) -> Result<(), Refusal> {
        let mut agent = self.agent_row(id)?;
        let wraps = |slot: &&Slot| matches!(slot.state, SlotState::Wrap { call: wrapped, segment: no, .. } if (wrapped, no) == (call, segment));
        let no = agent.slots.iter().find(wraps).ok_or(Refusal::WrongStage)?.no;
        agent.come_free(no, entry.now());
        self.put_agent(agent);
        let Some(mut call) = self.calls.get(&call).map(|call| (**call).clone()) else { return Ok(()) };
        call.finish_pieces(entry.now(), How::Over, |piece| piece.no == segment);
        if let Some(code) = code {
            call.say_code(segment, code);
        }
        if call.is_over() && call.has_record() {
            self.write(self.record_of(&call));
        }
        self.put_call(call);
        Ok(())
    }
}
