//! Who is gone without a word is let go: a call of which a far end is not heard any more, though something is due from it,
//! goes on without it or ends, as soon as its relay has noticed. Judged from when the leg's owner and relay had nothing to
//! stop them.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{LegKey, Mono};
use strowger_table::{Call, Leg, Shard};

use super::Found;
use super::both_ways::Chance;
use crate::far::Voice;
use crate::relay::{DEAD_MEDIA, Relay};

#[derive(Default)]
pub(crate) struct Gone {
    pub found: Found,
    /// Since when an owner, and a relay, could have noticed.
    since: BTreeMap<LegKey, (Chance, Mono)>,
}

impl Gone {
    /// `able`: whether the owner of a row lives, is heard, knows the row, and what it proposes is not lost. `is_mute`:
    /// whether nothing comes of a leg's far end any more.
    pub fn look(
        &mut self,
        truth: &Shard,
        relays: &[Relay],
        now: Mono,
        able: impl Fn(&Call) -> bool,
        is_mute: impl Fn(LegKey) -> bool,
    ) {
        let mut silent = BTreeMap::new();
        for row in truth.calls().filter(|row| !row.is_over()) {
            for leg in row.legs.iter().filter(|leg| leg.is_up() && is_mute(leg.key)) {
                if !able(row) || is_agreed(relays, leg) {
                    continue;
                }
                let chance = Chance::of(row, &[(leg, Voice::Speaks)], relays);
                let since = self.since.get(&leg.key).filter(|known| known.0 == chance).map_or(now, |known| known.1);
                let waited = now.since(since);
                if waited > DEAD_MEDIA + chance.soon() {
                    self.late(row, leg, waited);
                }
                silent.insert(leg.key, (chance, since));
            }
        }
        self.since = silent;
    }

    fn late(&mut self, row: &Call, leg: &Leg, waited: Duration) {
        self.found.breach("gone", Some(row.id), || {
            format!("{} is gone for {waited:?}, and the call is {} with it", leg.key, row.stage_name())
        });
    }
}

/// Its far end holds: it need not be heard.
fn is_agreed(relays: &[Relay], leg: &Leg) -> bool {
    let relay = leg.relay.and_then(|relay| relays.get(usize::from(relay.0)));
    leg.holds || relay.and_then(|relay| relay.receives(leg.key)) == Some(false)
}
