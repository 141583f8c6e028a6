//! What left the queues lately, and how the day's calls ended: read from the shards' outboxes.

use std::collections::BTreeMap;

use strowger_model::{QueueId, ShardId, Wall};
use strowger_table::{Record, Shard};

use crate::day::Span;
use crate::tally::Tally;

const MINUTE_MS: u64 = 60_000;
/// Days begin at a quarter of an hour in every zone of today.
const QUARTER_MS: u64 = 15 * MINUTE_MS;
/// Of the longest day, on which clocks go back: 25 hours, and the quarter that goes on.
const QUARTERS: u64 = 25 * 4 + 1;

/// What the outboxes said so far. Each record is read once; a new process reads again what the outboxes still hold.
#[derive(Default)]
pub struct Recent {
    cursors: BTreeMap<ShardId, u64>,
    /// By the minute in which calls ended.
    minutes: BTreeMap<u64, BTreeMap<QueueId, Tally>>,
    /// By the quarter of an hour in which calls began.
    quarters: BTreeMap<u64, Span>,
    /// Calls that began before have perhaps left the outboxes before they were read.
    known_from: Wall,
}

/// The calls that began since a moment, midnight of somebody's clock, and are over.
pub struct Today {
    pub(crate) calls: Span,
    pub(crate) is_whole: bool,
}

impl Recent {
    /// How many minutes it reaches back: long enough to be calm, short enough to answer "how are we doing?".
    pub const WINDOW_MIN: u64 = 30;

    /// Reads what a shard's outbox has new.
    pub fn read(&mut self, table: &Shard, now: Wall) {
        let mut cursor = self.cursors.get(&table.id()).copied().unwrap_or_default();
        for (number, record) in table.records(cursor) {
            debug_assert!(number > cursor, "records are numbered upwards");
            if number > cursor + 1 {
                self.known_from = self.known_from.max(record.admitted);
            }
            cursor = number;
            self.take(table, record, now);
        }
        self.cursors.insert(table.id(), cursor);
    }

    fn take(&mut self, table: &Shard, record: &Record, now: Wall) {
        // Its second writing, after the wrap-up: this call was counted when it ended.
        if record.wrap_ms.is_some() {
            return;
        }
        let left = left(table, record);
        let quarter = record.admitted.0 / QUARTER_MS;
        if quarter + QUARTERS > now.0 / QUARTER_MS {
            self.quarters.entry(quarter).or_default().count(record, left);
        }
        let minute = (record.admitted.0 + record.total_ms) / MINUTE_MS;
        let Some((queue, tally)) = left.filter(|_| minute + Self::WINDOW_MIN > now.0 / MINUTE_MS) else { return };
        self.minutes.entry(minute).or_default().entry(queue).or_default().add(tally);
    }

    /// Drops what lies before the window, and before the longest day.
    pub fn forget(&mut self, now: Wall) {
        self.minutes = self.minutes.split_off(&(now.0 / MINUTE_MS + 1).saturating_sub(Self::WINDOW_MIN));
        self.quarters = self.quarters.split_off(&(now.0 / QUARTER_MS + 1).saturating_sub(QUARTERS));
    }

    /// How calls left each queue in the window.
    pub fn queues(&self) -> BTreeMap<QueueId, Tally> {
        let mut sum: BTreeMap<QueueId, Tally> = BTreeMap::new();
        for (queue, tally) in self.minutes.values().flatten() {
            sum.entry(*queue).or_default().add(*tally);
        }
        sum
    }

    /// The calls that began since `midnight`, which is at most a day ago.
    pub fn today(&self, midnight: Wall) -> Today {
        let mut calls = Span::default();
        self.quarters.range(midnight.0 / QUARTER_MS..).for_each(|(_, span)| calls.add(span));
        Today { calls, is_whole: self.known_from <= midnight }
    }
}

/// How a caller left the queue. Who was called has not waited in one.
fn left(table: &Shard, record: &Record) -> Option<(QueueId, Tally)> {
    let queue = record.queue.filter(|_| record.dial.is_none())?;
    let allowed = table.tenant(record.tenant).and_then(|tenant| tenant.queue(queue));
    let allowed_ms = allowed.map_or(0, |queue| u64::from(queue.service_level_ms));
    Some((queue, Tally::of(record.outcome, record.wait_ms, allowed_ms)))
}
