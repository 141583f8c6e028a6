//! `max_wait_ms`: a queue lets nobody wait longer, whatever was offered meanwhile, and sends nobody away before.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{CallId, LogTime};
use strowger_table::Command;

use super::super::{Found, Step, queued};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "max wait";

#[derive(Default)]
pub(crate) struct MaxWait {
    found: Found,
    since: BTreeMap<CallId, LogTime>,
}

impl Rule for MaxWait {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let now = step.log_now();
        // Out of a queue that closed, who waits is taken at once.
        let longest = |queue| config.open_queue(queue).map(|queue| Duration::from_millis(queue.max_wait_ms.into()));
        for call in step.calls {
            if queued(step.after, *call).is_some() {
                self.since.entry(*call).or_insert(now);
                continue;
            }
            let Some(since) = self.since.remove(call) else { continue };
            let (before, after) = (step.before.call(*call), step.after.call(*call));
            let sent_away =
                matches!(step.command(), Some(Command::Expire)) && before.is_some_and(|row| row.is_waiting());
            let queue = queued(step.before, *call).map(|place| place.queue);
            let inbound = after.is_some_and(|row| row.outbound().is_none());
            if let Some(longest) = queue.and_then(longest)
                && sent_away
                && inbound
                && now < since + longest
            {
                self.found.breach(PROMISE, Some(*call), || format!("sent away after {:?}", now.since(since)));
            }
        }
        if !matches!(step.command(), Some(Command::Expire)) {
            return;
        }
        // Who was being offered as the time ended goes with the next one.
        let waited = |call: CallId| step.before.call(call).is_some_and(|row| row.is_waiting());
        for row in step.after.calls().filter(|row| row.is_waiting() && waited(row.id)) {
            let Some(longest) = queued(step.after, row.id).and_then(|place| longest(place.queue)) else { continue };
            if self.since.get(&row.id).is_some_and(|since| *since + longest < now) {
                self.found.breach(PROMISE, Some(row.id), || format!("waits for more than {longest:?}"));
            }
        }
    }
}
