//! `ring_timeout_ms`: an agent's phone may ring for as long as the queue says before the offer counts as missed, by true
//! time. What an heir gives up is not counted: it may have found no port to go on with.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{LegKey, Wall};
use strowger_table::{Command, Leg};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "ring time";
/// What is reported as not answered in time.
const UNANSWERED: u16 = 408;

#[derive(Default)]
pub(crate) struct RingTime {
    found: Found,
    /// Since when each offer rings, and for how long it may.
    rings: BTreeMap<LegKey, (Wall, Duration)>,
}

impl Rule for RingTime {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        // The calendar is right in every world, and all nodes have the same.
        let now = step.after.last().wall;
        for call in step.calls {
            let legs = |shard: &strowger_table::Shard| shard.call(*call).cloned();
            let (before, after) = (legs(step.before), legs(step.after));
            let is_ringing = |key| after.as_ref().and_then(|row| row.leg(key)).is_some_and(Leg::is_ringing);
            for leg in before.iter().flat_map(|row| row.live_legs()).filter(|leg| !is_ringing(leg.key)) {
                let Some((since, ring)) = self.rings.remove(&leg.key) else { continue };
                let missed = match step.command() {
                    Some(Command::Missed { leg: missed, miss, .. }) => {
                        *missed == leg.key && miss.hang_up && miss.status == UNANSWERED && leg.takeovers == 0
                    }
                    Some(Command::Expire) => after.as_ref().is_some_and(|row| row.is_waiting()),
                    _ => false,
                };
                let rung = Duration::from_millis(now.0.saturating_sub(since.0));
                if missed && rung < ring {
                    let key = leg.key;
                    self.found.breach(PROMISE, Some(*call), || format!("{key} rang for {rung:?} instead of {ring:?}"));
                }
            }
            for leg in after.iter().flat_map(|row| row.live_legs()).filter(|leg| leg.is_ringing()) {
                if let (Some(_), Some(queue)) = (leg.agent(), leg.queue.and_then(|queue| config.queue(queue))) {
                    let ring = Duration::from_millis(queue.ring_timeout_ms.into());
                    self.rings.entry(leg.key).or_insert((now, ring));
                }
            }
        }
    }
}
