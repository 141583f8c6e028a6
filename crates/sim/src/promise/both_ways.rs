//! Who talks hears and is heard: while legs talk, each one's relay sends on the others' voices, on whatever relays they
//! are. Who holds, as its far end means it, neither hears nor is heard, who is left alone by it hears music, and who has
//! taken the call up again hears as before. Judged by what relays hold, some time after the call's owner had nothing to
//! stop it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_media::Hears;
use strowger_model::{CallId, Incarnation, LegKey, Mono};
use strowger_table::{Call, Leg, Shard, WITH_CUSTOMER};

use super::Found;
use crate::far::Voice;
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
pub(super) struct Chance {
    /// Each with what its far end is to the others.
    legs: Vec<(LegKey, Voice)>,
    epoch: u64,
    /// Which starts of their relays.
    lives: Vec<Option<Incarnation>>,
    /// A leg is on its way to a relay.
    moves: bool,
    /// A leg's relay is gone.
    gone: bool,
}

impl BothWays {
    /// `able`: whether the owner of a row lives, is heard and knows the row. `voice`: what a leg's far end is to others.
    pub fn look(
        &mut self,
        truth: &Shard,
        relays: &[Relay],
        now: Mono,
        able: impl Fn(&Call) -> bool,
        voice: impl Fn(&Leg) -> Voice,
    ) {
        let mut talking = BTreeMap::new();
        for row in truth.calls().filter(|row| row.is_served() && able(row)) {
            let legs: Vec<(&Leg, Voice)> = row
                .legs
                .iter()
                .filter(|leg| leg.is_up() && leg.room == Some(WITH_CUSTOMER))
                .map(|leg| (leg, voice(leg)))
                .collect();
            let chance = Chance::of(row, &legs, relays);
            let since = self.since.get(&row.id).filter(|known| known.0 == chance).map_or(now, |known| known.1);
            let (soon, is_agreed) = (chance.soon(), chance.is_agreed());
            talking.insert(row.id, (chance, since));
            if is_agreed && now.since(since) > soon {
                legs.iter().for_each(|leg| self.hears(relays, *leg, &legs));
            }
        }
        self.since = talking;
    }

    /// Everybody else's voice who speaks, and no other; music for who is left alone.
    fn hears(&mut self, relays: &[Relay], (here, voice): (&Leg, Voice), all: &[(&Leg, Voice)]) {
        let of = |leg: &Leg| relays.get(usize::from(leg.relay.unwrap_or_default().0));
        let heard = of(here).and_then(|relay| relay.hears(here.key));
        let others = || all.iter().filter(|(leg, _)| leg.key != here.key);
        let speaks = |(_, other): &&(&Leg, Voice)| voice != Voice::Holds && *other == Voice::Speaks;
        let heard_here: Vec<&Leg> = others().filter(speaks).map(|(leg, _)| *leg).collect();
        let is_sent = |leg: &Leg| {
            let there = here.relay.unwrap_or_default();
            leg.relay == here.relay || of(leg).is_some_and(|relay| relay.sends_to(leg.key, there))
        };
        let sources: BTreeSet<LegKey> = heard.into_iter().flat_map(Hears::sources).collect();
        let wanted: BTreeSet<LegKey> = heard_here.iter().map(|leg| leg.key).collect();
        let unsent = heard_here.iter().find(|leg| !is_sent(leg)).map(|leg| leg.key);
        let is_left_alone = voice == Voice::Speaks && wanted.is_empty() && others().next().is_some();
        let is_deaf = is_left_alone && !matches!(heard, Some(Hears::Content { .. }));
        if sources != wanted || unsent.is_some() || is_deaf {
            self.found.breach("both ways", Some(here.key.call), || {
                let how = if is_left_alone { "music" } else { "these" };
                format!("{} hears {heard:?} instead of {how}: {wanted:?}, not sent to it is {unsent:?}", here.key)
            });
        }
    }
}

impl Chance {
    pub fn of(row: &Call, legs: &[(&Leg, Voice)], relays: &[Relay]) -> Self {
        let at = |leg: &Leg| relays.get(usize::from(leg.relay?.0));
        let is_gone = |leg: &Leg| leg.relay.is_some() && at(leg).is_none_or(|relay| relay.is_dead);
        Self {
            legs: legs.iter().map(|(leg, voice)| (leg.key, *voice)).collect(),
            epoch: row.owner.epoch,
            lives: legs.iter().map(|(leg, _)| Some(at(leg)?.life)).collect(),
            moves: legs.iter().any(|(leg, _)| leg.next_relay.is_some()),
            gone: legs.iter().any(|(leg, _)| is_gone(leg)),
        }
    }

    /// Within what time it must have been enough.
    pub fn soon(&self) -> Duration {
        match (self.moves, self.gone) {
            (true, _) => MOVED,
            (false, true) => NOTICED,
            (false, false) => SOON,
        }
    }

    /// Both sides of each leg know whether its far end holds.
    fn is_agreed(&self) -> bool {
        self.legs.iter().all(|(_, voice)| *voice != Voice::Asks)
    }
}
