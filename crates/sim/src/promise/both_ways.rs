//! Who talks hears and is heard: while two legs talk, each one's relay sends on the other's voice, on whatever relays
//! they are. Judged by what relays hold, some time after the call's owner had nothing to stop it.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{CallId, LegNo, Mono, RelayId};
use strowger_table::{Call, Shard};

use super::Found;
use crate::relay::{Heard, Relay};

/// Orders to relays are said again after half a second; so many losses in a row do not happen.
const SOON: Duration = Duration::from_secs(6);

#[derive(Default)]
pub(crate) struct BothWays {
    pub found: Found,
    /// Since when an owner, by its epoch, could have joined the legs of a call.
    since: BTreeMap<CallId, (LegNo, u64, Mono)>,
}

impl BothWays {
    /// `able`: whether the owner of a row lives, is heard and knows the row.
    pub fn look(&mut self, truth: &Shard, relays: &[Relay], now: Mono, able: impl Fn(&Call) -> bool) {
        let mut talking = BTreeMap::new();
        for row in truth.calls().filter(|row| row.is_served() && able(row)) {
            let Some(agent) = row.serving_leg() else { continue };
            let Some(customer) = row.legs().into_iter().find(|leg| leg.agent.is_none()) else { continue };
            let known = self.since.get(&row.id).filter(|known| (known.0, known.1) == (agent.key.leg, row.owner.epoch));
            let since = known.map_or(now, |known| known.2);
            talking.insert(row.id, (agent.key.leg, row.owner.epoch, since));
            if now.since(since) > SOON {
                let caller = Heard { leg: customer.key.leg, relay: customer.relay.unwrap_or_default() };
                let agent = Heard { leg: agent.key.leg, relay: agent.relay.unwrap_or_default() };
                self.hears(relays, row.id, caller, agent);
                self.hears(relays, row.id, agent, caller);
            }
        }
        self.since = talking;
    }

    fn hears(&mut self, relays: &[Relay], call: CallId, here: Heard, there: Heard) {
        let RelayId(at) = here.relay;
        let heard = relays.get(usize::from(at)).and_then(|relay| relay.hears(call, here.leg));
        if heard != Some(there) {
            self.found.breach("both ways", Some(call), || format!("{here:?} hears {heard:?} instead of {there:?}"));
        }
    }
}
