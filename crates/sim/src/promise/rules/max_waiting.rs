//! `max_waiting`: a queue takes no more calls than may wait in it, and turns nobody away before it is full.

use strowger_model::QueueId;
use strowger_table::{Command, Outcome, Shard};

use super::super::{Found, Step, queued};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "max waiting";

#[derive(Default)]
pub(crate) struct MaxWaiting {
    found: Found,
}

impl Rule for MaxWaiting {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let (Some(Command::Enqueue { call, queue, .. }), Outcome::Done) = (step.command(), &step.applied.outcome)
        else {
            return;
        };
        if !step.calls.contains(call) {
            return;
        }
        let Some(most) = config.open_queue(*queue).map(|queue| queue.max_waiting as usize) else { return };
        let taken = queued(step.after, *call).is_some();
        let (before, after) = (waiting(step.before, *queue), waiting(step.after, *queue));
        if taken && after > most {
            self.found.breach(PROMISE, Some(*call), || format!("{after} wait, {most} may"));
        }
        if !taken && before < most {
            self.found.breach(PROMISE, Some(*call), || format!("turned away while {before} wait and {most} may"));
        }
    }
}

fn waiting(shard: &Shard, queue: QueueId) -> usize {
    shard.places().filter(|place| place.is_waiting() && place.queue == queue).count()
}
