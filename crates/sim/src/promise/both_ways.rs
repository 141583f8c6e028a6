//! Who talks hears and is heard: while two legs talk, each one's relay sends on the other's voice, on whatever relays
//! they are. Judged by what relays hold, some time after the call's owner had nothing to stop it.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_media::Hears;
use strowger_model::{CallId, Incarnation, LegKey, Mono, RelayId};
use strowger_table::{Call, Leg, Shard};

use super::Found;
use crate::relay::Relay;

/// Orders to relays are said again after half a second; so many losses in a row do not happen.
const SOON: Duration = Duration::from_secs(6);
/// A relay that is gone is taken for gone after some seconds of silence, and a change of owners in that time begins anew.
const NOTICED: Duration = Duration::from_secs(15);
/// A far end that is asked to send elsewhere answers within the life of a transaction, or is gone.
const MOVED: Duration = Duration::from_secs(40);

#[derive(Default)]
pub(crate) struct BothWays {
    pub found: Found,
    /// Since when an owner, by its epoch, could have joined the legs of a call.
    since: BTreeMap<CallId, (Chance, Mono)>,
}

/// What an owner has had to do since: with another of these it begins anew.
#[derive(PartialEq, Eq)]
struct Chance {
    agent: LegKey,
    epoch: u64,
    /// Which starts of their relays.
    lives: [Option<Incarnation>; 2],
    /// A leg is on its way to a relay.
    moves: bool,
    /// A leg's relay is gone.
    gone: bool,
}

impl BothWays {
    /// `able`: whether the owner of a row lives, is heard and knows the row.
    pub fn look(&mut self, truth: &Shard, relays: &[Relay], now: Mono, able: impl Fn(&Call) -> bool) {
        let mut talking = BTreeMap::new();
        for row in truth.calls().filter(|row| row.is_served() && able(row)) {
            let Some(agent) = row.serving_leg() else { continue };
            let Some(customer) = row.customer() else { continue };
            let life = |leg: &Leg| Some(relays.get(usize::from(leg.relay?.0))?.life);
            let moves = customer.next_relay.or(agent.next_relay).is_some();
            let lives = [life(customer), life(agent)];
            let is_gone =
                |leg: &Leg| leg.relay.is_some_and(|at| relays.get(usize::from(at.0)).is_none_or(|at| at.is_dead));
            let gone = is_gone(customer) || is_gone(agent);
            let chance = Chance { agent: agent.key, epoch: row.owner.epoch, lives, moves, gone };
            let since = self.since.get(&row.id).filter(|known| known.0 == chance).map_or(now, |known| known.1);
            talking.insert(row.id, (chance, since));
            let soon = match (moves, gone) {
                (true, _) => MOVED,
                (false, true) => NOTICED,
                (false, false) => SOON,
            };
            if now.since(since) > soon {
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
