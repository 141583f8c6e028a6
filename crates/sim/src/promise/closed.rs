//! A leg's port is closed once: whoever leaves a call leaves the duty to close what each relay has of it, no more than
//! one; and no relay keeps a port of a leg that is gone, unless an order to it was lost for good.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{CallId, LegKey, Mono, RelayId};
use strowger_table::{Call, Command, DutyKind, Leg, Shard};

use super::{Found, Step, went_into};
use crate::relay::Relay;

const PROMISE: &str = "closed";
/// An owner may die as it closes, and so may the next.
const SOON: Duration = Duration::from_secs(40);

#[derive(Default)]
pub(crate) struct Closed {
    pub found: Found,
    since: BTreeMap<(usize, LegKey), Mono>,
    /// A courier gave up saying it, or the leg was opened when it was gone: the relay looks after itself.
    given_up: BTreeSet<(usize, LegKey)>,
    /// Their owner was gone before the row could say which relay the customer's leg had: likewise.
    unknown: BTreeSet<CallId>,
    /// Duties to close, and by which leg of which call at which relay.
    duties: BTreeMap<(RelayId, LegKey), BTreeSet<(CallId, u32)>>,
}

impl Closed {
    pub fn committed(&mut self, step: &Step<'_>) {
        let merged = |call: &&CallId| step.after.call(**call).is_some_and(|row| went_into(row).is_some());
        for call in step.calls.iter().filter(merged) {
            // What it owed is owed by the call that it went into.
            self.duties.values_mut().for_each(|known| known.retain(|(own, _)| own != call));
        }
        if let (Some(Command::Split { leg }), true) = (step.command(), step.is_granted()) {
            // What is owed to it goes with it.
            self.duties.iter_mut().filter(|((_, key), _)| key == leg).for_each(|(_, known)| known.clear());
        }
        if let Some(Command::Rehome { legs }) = step.command() {
            // A leg may come back to where it was, and is closed there once more.
            legs.iter().for_each(|(leg, relay)| drop(self.duties.remove(&(*relay, *leg))));
        }
        for call in step.calls {
            if let Some(row) = step.after.call(*call) {
                self.follow_duties(row);
            }
        }
        // Of two calls that become one either may owe it.
        for call in step.calls {
            if let Some(row) = step.before.call(*call) {
                self.leaves_duties(step.after, row);
            }
        }
    }

    fn follow_duties(&mut self, row: &Call) {
        if row.was_adopted() && row.customer().is_some_and(|leg| leg.relay.is_none()) {
            self.unknown.insert(row.id);
        }
        for duty in &row.duties {
            let DutyKind::Close { relay, leg } = duty.kind else { continue };
            let known = self.duties.entry((relay, leg)).or_default();
            known.insert((row.id, duty.id));
            if known.len() > 1 {
                self.found.breach(PROMISE, Some(row.id), || format!("{leg} is closed at {relay} more than once"));
            }
        }
    }

    /// Whoever was there before and is not any more.
    fn leaves_duties(&mut self, after: &Shard, before: &Call) {
        let stays = |leg: &&Leg| after.call_of_leg(leg.key).and_then(|row| row.leg(leg.key)).is_some_and(Leg::is_live);
        for leg in before.live_legs().filter(|leg| !stays(leg)) {
            for relay in leg.relay.into_iter().chain(leg.next_relay) {
                if !self.duties.contains_key(&(relay, leg.key)) {
                    let key = leg.key;
                    self.found.breach(PROMISE, Some(before.id), || format!("{key} is gone and open at {relay}"));
                }
            }
        }
    }

    pub fn given_up(&mut self, relay: usize, leg: LegKey) {
        self.given_up.insert((relay, leg));
    }

    pub fn look(&mut self, truth: &Shard, relays: &[Relay], now: Mono) {
        let mut since = BTreeMap::new();
        for (at, relay) in relays.iter().enumerate() {
            for leg in relay.open_legs() {
                let row = truth.call_of_leg(leg);
                let is_there = row.and_then(|row| row.leg(leg)).is_some_and(Leg::is_live);
                if is_there || self.given_up.contains(&(at, leg)) || self.unknown.contains(&leg.call) {
                    continue;
                }
                let first = *self.since.get(&(at, leg)).unwrap_or(&now);
                since.insert((at, leg), first);
                if now.since(first) > SOON {
                    self.found.breach(PROMISE, Some(leg.call), || format!("relay {at} still has {leg}, which is gone"));
                }
            }
        }
        self.since = since;
    }
}
