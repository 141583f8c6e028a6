//! Who talks hears and is heard: while legs talk, each one's relay sends on the others' voices, on whatever relays they
//! are. Judged by what relays hold, some time after the call's owner had nothing to stop it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_media::Hears;
use strowger_model::{CallId, Incarnation, LegKey, Mono};
use strowger_table::{Call, Leg, Shard, WITH_CUSTOMER};

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
    legs: Vec<LegKey>,
    epoch: u64,
    /// Which starts of their relays.
    lives: Vec<Option<Incarnation>>,
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
            let legs: Vec<&Leg> =
                row.legs.iter().filter(|leg| leg.is_up() && leg.room == Some(WITH_CUSTOMER)).collect();
            let life = |leg: &&Leg| Some(relays.get(usize::from(leg.relay?.0))?.life);
            let moves = legs.iter().any(|leg| leg.next_relay.is_some());
            let lives = legs.iter().map(life).collect();
            let is_gone =
                |leg: &&Leg| leg.relay.is_some_and(|at| relays.get(usize::from(at.0)).is_none_or(|at| at.is_dead));
            let gone = legs.iter().any(is_gone);
            let keys = legs.iter().map(|leg| leg.key).collect();
            let chance = Chance { legs: keys, epoch: row.owner.epoch, lives, moves, gone };
            let since = self.since.get(&row.id).filter(|known| known.0 == chance).map_or(now, |known| known.1);
            talking.insert(row.id, (chance, since));
            let soon = match (moves, gone) {
                (true, _) => MOVED,
                (false, true) => NOTICED,
                (false, false) => SOON,
            };
            if now.since(since) > soon {
                legs.iter().for_each(|leg| self.hears(relays, leg, &legs));
            }
        }
        self.since = talking;
    }

    /// Everybody else's voice, and no other.
    fn hears(&mut self, relays: &[Relay], here: &Leg, all: &[&Leg]) {
        let of = |leg: &Leg| relays.get(usize::from(leg.relay.unwrap_or_default().0));
        let heard = of(here).and_then(|relay| relay.hears(here.key));
        let others: Vec<&&Leg> = all.iter().filter(|leg| leg.key != here.key).collect();
        let is_sent = |leg: &Leg| {
            let there = here.relay.unwrap_or_default();
            leg.relay == here.relay || of(leg).is_some_and(|relay| relay.sends_to(leg.key, there))
        };
        let sources: BTreeSet<LegKey> = heard.into_iter().flat_map(Hears::sources).collect();
        let wanted: BTreeSet<LegKey> = others.iter().map(|leg| leg.key).collect();
        let unsent = others.iter().find(|leg| !is_sent(leg)).map(|leg| leg.key);
        if sources != wanted || unsent.is_some() {
            self.found.breach("both ways", Some(here.key.call), || {
                format!("{} hears {heard:?} instead of {wanted:?}, not sent to it is {unsent:?}", here.key)
            });
        }
    }
}
