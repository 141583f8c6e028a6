//! Who talks hears and is heard: while two legs talk, each one's relay sends on the other's voice, on whatever relays
//! they are. Judged by what relays hold, some time after the call's owner had nothing to stop it.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_media::Hears;
use strowger_model::{CallId, LegKey, Mono, RelayId};
use strowger_table::{Call, Shard};

use super::Found;
use crate::relay::Relay;

/// Orders to relays are said again after half a second; so many losses in a row do not happen.
const SOON: Duration = Duration::from_secs(6);

#[derive(Default)]
pub(crate) struct BothWays {
    pub found: Found,
    /// Since when an owner, by its epoch, could have joined the legs of a call.
    since: BTreeMap<CallId, (LegKey, u64, Mono)>,
}

impl BothWays {
    /// `able`: whether the owner of a row lives, is heard and knows the row.
    pub fn look(&mut self, truth: &Shard, relays: &[Relay], now: Mono, able: impl Fn(&Call) -> bool) {
        let mut talking = BTreeMap::new();
        for row in truth.calls().filter(|row| row.is_served() && able(row)) {
            let Some(agent) = row.serving_leg() else { continue };
            let Some(customer) = row.customer() else { continue };
            let known = self.since.get(&row.id).filter(|known| (known.0, known.1) == (agent.key, row.owner.epoch));
            let since = known.map_or(now, |known| known.2);
            talking.insert(row.id, (agent.key, row.owner.epoch, since));
            if now.since(since) > SOON {
                let caller = (customer.key, customer.relay.unwrap_or_default());
                let agent = (agent.key, agent.relay.unwrap_or_default());
                self.hears(relays, caller, agent);
                self.hears(relays, agent, caller);
            }
        }
        self.since = talking;
    }

    fn hears(&mut self, relays: &[Relay], here: (LegKey, RelayId), there: (LegKey, RelayId)) {
        let of = |relay: RelayId| relays.get(usize::from(relay.0));
        let heard = of(here.1).and_then(|relay| relay.hears(here.0));
        let sent = here.1 == there.1 || of(there.1).is_some_and(|relay| relay.sends_to(there.0, here.1));
        if heard != Some(&Hears::leg(there.0)) || !sent {
            self.found.breach("both ways", Some(here.0.call), || {
                format!("{here:?} hears {heard:?} instead of {there:?}, whose voice is sent to it: {sent}")
            });
        }
    }
}
