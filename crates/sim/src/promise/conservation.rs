//! An admitted call ends in exactly one outcome and one record, and is counted at every instant.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{CallId, Outcome};
use strowger_table::{Command, Outcome as Began, Record};

use super::{Found, Step};

const PROMISE: &str = "conservation";

#[derive(Default)]
pub(crate) struct Conservation {
    pub found: Found,
    calls: BTreeMap<CallId, Life>,
    ended: BTreeMap<Outcome, usize>,
    /// Calls that became one: several agents wrap up after them.
    merged: BTreeSet<CallId>,
}

#[derive(Default)]
struct Life {
    outcome: Option<Outcome>,
    records: u32,
    wrap_ups: u32,
}

impl Conservation {
    pub fn admitted(&self) -> usize {
        self.calls.len()
    }

    pub fn committed(&mut self, step: &Step<'_>, twice: bool) {
        self.merged.extend(step.merges().into_iter().flatten());
        if let Began::Admitted { call, .. } | Began::Dialled { call } = step.applied.outcome {
            self.calls.entry(call).or_default();
        }
        let disposed = match step.command() {
            Some(Command::Dispose { call, .. }) if step.is_granted() => Some(*call),
            _ => None,
        };
        for record in step.records {
            let is_said_late = disposed == Some(record.call);
            (0..1 + u32::from(twice)).for_each(|_| self.record(record, is_said_late));
        }
        for call in step.calls {
            self.follow(step, *call);
        }
        let live = step.after.calls().filter(|row| !row.is_over() && row.has_record()).count();
        let ended: usize = self.ended.values().sum();
        let admitted = self.calls.len();
        if admitted != ended + live {
            self.found.breach(PROMISE, None, || format!("{admitted} admitted, {ended} ended, {live} live"));
        }
    }

    fn follow(&mut self, step: &Step<'_>, call: CallId) {
        // A leg in a row of its own is told of by the call that it was in.
        if step.after.call(call).or(step.before.call(call)).is_some_and(|row| !row.has_record()) {
            return;
        }
        let Some(life) = self.calls.get_mut(&call) else {
            return self.found.breach(PROMISE, Some(call), || "a row that was never admitted".to_owned());
        };
        // Forgotten, it must have ended before.
        let outcome = step.after.call(call).map_or(life.outcome, |row| row.outcome());
        match (life.outcome, outcome) {
            (None, Some(outcome)) => {
                life.outcome = Some(outcome);
                *self.ended.entry(outcome).or_default() += 1;
            }
            (before, after) if before != after => {
                self.found.breach(PROMISE, Some(call), || format!("ended in {before:?}, now in {after:?}"));
            }
            _ => {}
        }
        let (records, ended) = (life.records, life.outcome.is_some());
        if records != u32::from(ended) {
            self.found.breach(PROMISE, Some(call), || format!("ended: {ended}, with {records} records"));
        }
        if !ended && step.after.call(call).is_none() {
            self.found.breach(PROMISE, Some(call), || "the row is gone before its end".to_owned());
        }
    }

    /// What an agent says when the wrap-up is over writes it once more.
    fn record(&mut self, record: &Record, is_said_late: bool) {
        let is_one = !self.merged.contains(&record.call);
        let life = self.calls.entry(record.call).or_default();
        // An agent who left a call that went on may have wrapped up before its end.
        let is_first = record.wrap_ms.is_none() || life.records == 0 && !is_one;
        let count = if is_first { &mut life.records } else { &mut life.wrap_ups };
        *count += u32::from(is_first || *count == 0 || !is_said_late);
        let (count, outcome) = (*count, life.outcome);
        if count > 1 && (is_first || is_one) {
            self.found.breach(PROMISE, Some(record.call), || "two records of one call".to_owned());
        }
        if outcome.is_some_and(|outcome| outcome != record.outcome) {
            self.found.breach(PROMISE, Some(record.call), || format!("{outcome:?}, recorded as {}", record.outcome));
        }
    }
}
