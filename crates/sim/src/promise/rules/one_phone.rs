//! Strategy longest idle: for a place that waits one phone rings at a time.

use strowger_model::config::Strategy;

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct OnePhone {
    found: Found,
}

impl Rule for OnePhone {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            let Some(queue) = row.queue().and_then(|queue| config.queue(queue)) else { continue };
            let rung: Vec<_> = row.ringing().filter_map(|leg| leg.agent()).collect();
            match queue.strategy {
                Strategy::LongestIdle if rung.len() > 1 => {
                    self.found.breach("one phone", Some(row.id), || format!("{rung:?} are rung for it at once"));
                }
                Strategy::LongestIdle => {}
            }
        }
    }
}
