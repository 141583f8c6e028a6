//! Rows say of each other what those say of themselves, and the indexes what the rows say: the table's own check, of all
//! of it.

use super::{Found, Step};

/// One entry in so many is looked at in full: after each one the table looks at what that changed.
const EVERY: u64 = 16;

#[derive(Default)]
pub(crate) struct Sound {
    pub found: Found,
}

impl Sound {
    pub fn committed(&mut self, step: &Step<'_>) {
        if !step.index.is_multiple_of(EVERY) {
            return;
        }
        if let Err(fault) = step.after.check() {
            self.found.breach("sound rows", step.calls.first().copied(), || fault);
        }
    }
}
