//! Far ends come to rest: none believes for long in a call that the table has ended, and when callers stop and faults
//! are mended, everything drains.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{CallId, LegKey, Mono};
use strowger_table::{Call, Shard};

use super::Found;
use crate::far::{AgentPhone, Called, Caller};

const PROMISE: &str = "rest";
/// The life of a SIP transaction, twice: a request that is lost with its owner is begun anew by the next.
const BELIEF: Duration = Duration::from_secs(66);

#[derive(Default)]
pub(crate) struct Rest {
    pub found: Found,
    callers: BTreeMap<usize, Mono>,
    phones: BTreeMap<LegKey, Mono>,
}

impl Rest {
    pub fn callers(&mut self, truth: &Shard, callers: &[Caller], now: Mono) {
        let believes = |caller: &&Caller| {
            caller.up_since.is_some() && !truth.calls().any(|row| is_of(row, caller) && !row.is_over())
        };
        let mut since = BTreeMap::new();
        for caller in callers.iter().filter(believes) {
            let first = *self.callers.get(&caller.id).unwrap_or(&now);
            since.insert(caller.id, first);
            if now.since(first) > BELIEF {
                let call = call_of(truth, caller);
                self.found.breach(PROMISE, call, || format!("caller-{} is in a call that is over", caller.id));
            }
        }
        self.callers = since;
    }

    pub fn phones(&mut self, truth: &Shard, agents: &[AgentPhone], called: &[Called], now: Mono) {
        let phones = agents.iter().map(|agent| &agent.phone).chain(called.iter().map(|called| &called.phone));
        let mut since = BTreeMap::new();
        for phone in phones {
            for key in phone.rings().iter().filter(|ring| ring.is_live()).filter_map(|ring| ring.key) {
                if truth.call_of_leg(key).is_some_and(|row| has_leg(row, key)) {
                    continue;
                }
                let first = *self.phones.get(&key).unwrap_or(&now);
                since.insert(key, first);
                if now.since(first) > BELIEF {
                    let addr = phone.addr;
                    self.found.breach(PROMISE, Some(key.call), || format!("{addr} still has {key}, taken back"));
                }
            }
        }
        self.phones = since;
    }

    pub fn not_drained(&mut self, left: Vec<(Option<CallId>, String)>) {
        let call = left.iter().find_map(|(call, _)| *call);
        let text: Vec<String> = left.into_iter().map(|(_, text)| text).collect();
        self.found.breach(PROMISE, call, || format!("not at rest: {}", text.join("; ")));
    }
}

fn call_of(truth: &Shard, caller: &Caller) -> Option<CallId> {
    truth.calls().find(|row| is_of(row, caller)).map(|row| row.id)
}

fn is_of(row: &Call, caller: &Caller) -> bool {
    row.key().is_some_and(|key| key.call_id == caller.call_id)
}

/// Whether a leg is part of a call that is not over.
fn has_leg(row: &Call, key: LegKey) -> bool {
    row.leg(key).is_some_and(|leg| leg.is_live())
}
