//! Strategy longest idle: for a place that waits one phone rings at a time. Where several may, the first that answers is
//! the only one, and to the others it is no miss.

use strowger_model::config::Strategy;
use strowger_table::{Command, SlotState, limit};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "one phone";

pub(crate) struct OnePhone {
    found: Found,
    /// Phones that may ring at once for a place.
    most: usize,
}

impl OnePhone {
    pub fn new(rings_all: bool) -> Self {
        Self { found: Found::default(), most: if rings_all { limit::RING_ALL } else { 1 } }
    }

    /// Phones that rang as another answered.
    fn withdrawn(&mut self, step: &Step<'_>) {
        let Some(Command::Answered { leg, .. }) = step.command().filter(|_| step.is_granted()) else { return };
        let Some(before) = step.before.call_of_leg(*leg) else { return };
        let is_served = step.after.call(before.id).is_some_and(|row| row.is_served());
        for other in before.ringing().filter(|other| other.key != *leg && is_served) {
            let Some(agent) = other.agent() else { continue };
            let after = step.after.call_of_leg(other.key).and_then(|row| row.leg(other.key));
            let rings_on = after.is_some_and(|leg| leg.is_ringing());
            let misses = |shard: &strowger_table::Shard| shard.agent(agent).map(|row| row.misses);
            // Who left the configuration goes with the last work.
            let is_counted = misses(step.after).is_some_and(|after| Some(after) != misses(step.before));
            let rests = step
                .after
                .agent(agent)
                .and_then(|row| row.voice())
                .is_some_and(|slot| matches!(slot.state, SlotState::Paused { .. }));
            if rings_on || is_counted || rests {
                self.found.breach(PROMISE, Some(before.id), || {
                    format!("{leg} answers, and {agent} rings on, or it is a miss")
                });
            }
        }
    }
}

impl Rule for OnePhone {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        self.withdrawn(step);
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            let Some(queue) = row.queue().and_then(|queue| config.queue(queue)) else { continue };
            let rung: Vec<_> = row.ringing().filter_map(|leg| leg.agent()).collect();
            match queue.strategy {
                Strategy::LongestIdle if rung.len() > self.most => {
                    self.found.breach(PROMISE, Some(row.id), || format!("{rung:?} are rung for it at once"));
                }
                Strategy::LongestIdle => {}
            }
        }
    }
}
