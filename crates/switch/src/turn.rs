//! Whose turn it is: one errand of a rule at a time, and what failed is not tried again at once.

use std::time::Duration;

use strowger_model::Mono;
use strowger_table::Command;

use crate::What;

/// What was not committed is tried again after this: longer than a round of consensus, far shorter than anybody waits.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// Something has happened that the rule has not looked at.
    news: bool,
    under_way: bool,
    not_before: Option<Mono>,
}

impl Turn {
    pub fn wake(&mut self) {
        self.news = true;
    }

    /// Whether the rule looks now.
    pub fn is_on(&self, now: Mono) -> bool {
        self.news && self.is_free(now)
    }

    pub fn is_free(&self, now: Mono) -> bool {
        !self.under_way && self.not_before.is_none_or(|not_before| not_before <= now)
    }

    /// It has looked: from here on only news wake it.
    pub fn rest(&mut self) {
        self.news = false;
        self.not_before = None;
    }

    pub fn begin(&mut self) {
        debug_assert!(!self.under_way, "one at a time");
        self.under_way = true;
    }

    pub fn propose(&mut self, command: Command) -> What {
        self.begin();
        What::propose(command)
    }

    pub fn end(&mut self, done: bool, now: Mono) {
        self.under_way = false;
        if !done {
            self.wait(now + AGAIN);
        }
    }

    /// Looks again then, news or not.
    pub fn wait(&mut self, until: Mono) {
        self.news = true;
        self.not_before = Some(until);
    }

    /// Not before then, whatever the news; without any it rests.
    pub fn hold(&mut self, until: Mono) {
        self.not_before = Some(until);
    }

    /// When it looks again by itself.
    pub fn again(&self) -> Option<Mono> {
        self.not_before.filter(|_| self.news && !self.under_way)
    }

    /// For a rule that knows when it is due: then, or later after a failure.
    pub fn from(&self, at: Mono) -> Option<Mono> {
        (!self.under_way).then(|| at.max(self.not_before.unwrap_or(Mono::ZERO)))
    }
}
