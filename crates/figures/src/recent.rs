//! What left the queues lately, and how today's calls ended: read from the shards' outboxes.

use std::collections::BTreeMap;

use strowger_model::{Outcome, QueueId, ShardId, Wall};
use strowger_table::{Record, Shard};

use crate::tally::Tally;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// What the outboxes said so far. Each record is read once; a new process reads again what the outboxes still hold.
#[derive(Default)]
pub struct Recent {
    cursors: BTreeMap<ShardId, u64>,
    minutes: BTreeMap<u64, BTreeMap<QueueId, Tally>>,
    /// In days since the Unix epoch.
    day: u64,
    today: BTreeMap<Outcome, u64>,
}

impl Recent {
    /// How many minutes it reaches back: long enough to be calm, short enough to answer "how are we doing?".
    pub const WINDOW_MIN: u64 = 30;

    /// Reads what a shard's outbox has new.
    pub fn read(&mut self, table: &Shard, now: Wall) {
        if self.day != now.0 / DAY_MS {
            self.day = now.0 / DAY_MS;
            self.today = Outcome::ALL.into_iter().map(|outcome| (outcome, 0)).collect();
        }
        let mut cursor = self.cursors.get(&table.id()).copied().unwrap_or_default();
        for (number, record) in table.records(cursor) {
            debug_assert!(number > cursor, "records are numbered upwards");
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
        let ended_ms = record.admitted.0 + record.total_ms;
        if ended_ms / DAY_MS == self.day {
            *self.today.entry(record.outcome).or_default() += 1;
        }
        // Who was called has not waited in a queue.
        if record.dial.is_some() {
            return;
        }
        let minute = ended_ms / MINUTE_MS;
        let Some(queue) = record.queue.filter(|_| minute + Self::WINDOW_MIN > now.0 / MINUTE_MS) else { return };
        let allowed = table.tenant(record.tenant).and_then(|tenant| tenant.queue(queue));
        let allowed_ms = allowed.map_or(0, |queue| u64::from(queue.service_level_ms));
        let is_in_time = record.wait_ms.is_some_and(|wait_ms| wait_ms <= allowed_ms);
        self.minutes.entry(minute).or_default().entry(queue).or_default().count(record.outcome, is_in_time);
    }

    /// Drops what lies before the window.
    pub fn forget(&mut self, now: Wall) {
        self.minutes = self.minutes.split_off(&(now.0 / MINUTE_MS + 1).saturating_sub(Self::WINDOW_MIN));
    }

    /// How calls left each queue in the window.
    pub fn queues(&self) -> BTreeMap<QueueId, Tally> {
        let mut sum: BTreeMap<QueueId, Tally> = BTreeMap::new();
        for (queue, tally) in self.minutes.values().flatten() {
            sum.entry(*queue).or_default().add(*tally);
        }
        sum
    }

    /// How calls ended since midnight, UTC.
    pub fn today(&self) -> BTreeMap<&'static str, u64> {
        self.today.iter().map(|(outcome, calls)| (outcome.as_str(), *calls)).collect()
    }
}
