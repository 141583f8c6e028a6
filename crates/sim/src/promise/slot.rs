//! A slot has at most one offer or call, and the calls say of it what it says of itself. In the table after every entry,
//! and at the phones: none is ever rung for what the table did not grant.
//!
//! A phone that is told to hang up is rung for nothing else before it has, for as long as its owner may tell it. Whom
//! nobody could tell in that time may still ring for the earlier offer; how long that may last is in `rest`.

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId, LegKey, LogTime};
use strowger_table::{Call, DutyKind, Leg, Offered, Reserver, Shard, Slot as Work, SlotState, limit};

use super::{Found, Step};
use crate::far::Phone;

const PROMISE: &str = "slot";

#[derive(Default)]
pub(crate) struct Slot {
    pub found: Found,
    /// Whom the table ever granted each leg to.
    granted: BTreeMap<LegKey, AgentId>,
    /// Since when an agent's phone is to be told to hang up a leg.
    told: BTreeMap<LegKey, LogTime>,
}

/// What a slot is taken by: a call whose customer is awaited, or a leg of a call that rings or is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    Kept(CallId),
    Rung(CallId, LegKey),
    Busy(CallId),
}

impl Slot {
    pub fn committed(&mut self, step: &Step<'_>) {
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            self.granted.extend(row.legs.iter().filter_map(|leg| Some((leg.key, leg.agent()?))));
            let told = row.duties.iter().filter_map(|duty| match duty.kind {
                DutyKind::HangUp { leg } => Some(leg),
                _ => None,
            });
            for leg in told {
                self.told.entry(leg).or_insert(step.log_now());
            }
        }
        let mut taken = BTreeMap::new();
        for row in step.after.calls() {
            for (slot, by) in taken_by(row) {
                if let Some(other) = taken.insert(slot, by) {
                    let agent = slot.0;
                    self.found.breach(PROMISE, Some(row.id), || format!("{agent} has {other:?} and {by:?}"));
                }
            }
        }
        for agent in step.after.agents() {
            for slot in &agent.slots {
                let held = taken.remove(&(agent.id, slot.no));
                if held != says(slot) {
                    self.found.breach(PROMISE, slot.state.call(), || {
                        format!("{} is {:?}, the calls say {held:?}", agent.id, slot.state)
                    });
                }
            }
        }
        if let Some((slot, by)) = taken.into_iter().next() {
            self.found.breach(PROMISE, None, || format!("{by:?} takes {slot:?}, which is not there"));
        }
    }

    /// A phone is about to ring for a leg it has not rung for.
    pub fn invited(&mut self, truth: &Shard, at: usize, key: Option<LegKey>, phone: &Phone) {
        let agent = AgentId(at as u32 + 1);
        let Some(key) = key else { return };
        if self.granted.get(&key) != Some(&agent) {
            return self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung for {key}, never granted"));
        }
        let current = |key: LegKey| {
            let leg = truth.call_of_leg(key).and_then(|row| row.leg(key));
            leg.is_some_and(|leg| leg.is_live() && leg.agent() == Some(agent))
        };
        if phone.rings().iter().any(|ring| ring.is_live() && ring.key == Some(key)) {
            return self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung twice for {key}"));
        }
        let now = truth.last().time;
        let is_told = |key: LegKey| self.told.get(&key).is_some_and(|since| now < *since + limit::HANG_UP_MAX);
        let other = phone.rings().iter().filter(|ring| ring.is_live()).filter_map(|ring| ring.key);
        for other in other.filter(|other| *other != key && (current(*other) || is_told(*other)) && current(key)) {
            self.found.breach(PROMISE, Some(key.call), || format!("{agent} is rung for {key} while it has {other}"));
        }
    }
}

/// The slots that a call takes, by its own words.
fn taken_by(row: &Call) -> Vec<((AgentId, u8), Taken)> {
    let of_leg = |leg: &Leg| {
        let taken = if leg.is_ringing() { Taken::Rung(row.id, leg.key) } else { Taken::Busy(row.id) };
        Some((leg.slot()?, taken))
    };
    let kept = row.reserved_agent().map(|agent| ((agent, strowger_table::VOICE_SLOT), Taken::Kept(row.id)));
    row.live_legs().filter_map(of_leg).chain(kept).collect()
}

/// What takes a slot, by the agent's words.
fn says(slot: &Work) -> Option<Taken> {
    match slot.state {
        SlotState::Reserved { by: Reserver::Call(call), .. } => Some(Taken::Kept(call)),
        SlotState::Offered(Offered::Leg { call, leg }) => Some(Taken::Rung(call, leg)),
        SlotState::Busy { call, .. } => Some(Taken::Busy(call)),
        _ => None,
    }
}
