//! A relay keeps nothing of a call that is over, unless an order to it was lost for good.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{CallId, Mono};
use strowger_table::Shard;

use super::{Found, Step};
use crate::relay::Relay;

/// An owner may die as it closes, and so may the next.
const SOON: Duration = Duration::from_secs(40);

#[derive(Default)]
pub(crate) struct Closed {
    pub found: Found,
    since: BTreeMap<(usize, CallId), Mono>,
    /// A courier gave up saying it, or the call was opened when it was over: the relay looks after itself.
    given_up: BTreeSet<(usize, CallId)>,
    /// Its owner was gone before the row could say which relay it had: likewise.
    unknown: BTreeSet<CallId>,
}

impl Closed {
    pub fn committed(&mut self, step: &Step<'_>) {
        let rows = step.calls.iter().filter_map(|call| step.after.call(*call));
        let unknown = rows.filter(|row| row.was_adopted() && row.customer().is_some_and(|leg| leg.relay.is_none()));
        self.unknown.extend(unknown.map(|row| row.id));
    }

    pub fn given_up(&mut self, relay: usize, call: CallId) {
        self.given_up.insert((relay, call));
    }

    pub fn look(&mut self, truth: &Shard, relays: &[Relay], now: Mono) {
        let mut since = BTreeMap::new();
        for (at, relay) in relays.iter().enumerate() {
            for call in relay.open_calls() {
                let over = truth.call(call).is_none_or(|row| row.is_over());
                if !over || self.given_up.contains(&(at, call)) || self.unknown.contains(&call) {
                    continue;
                }
                let first = *self.since.get(&(at, call)).unwrap_or(&now);
                since.insert((at, call), first);
                if now.since(first) > SOON {
                    self.found.breach("closed", Some(call), || format!("relay {at} still holds a call that is over"));
                }
            }
        }
        self.since = since;
    }
}
