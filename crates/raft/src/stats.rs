//! Counters and histograms, written without locks from wherever the thing happens.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds in microseconds, a factor of about two apart from one memory-speed commit (50 µs) to a stuck disk
/// (13 s); what lies above goes into one more bucket.
pub const BOUNDS_US: [u64; 18] = [
    50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 204_800, 409_600, 819_200, 1_638_400,
    3_276_800, 13_107_200,
];
const BUCKETS: usize = BOUNDS_US.len() + 1;

/// How long something took, over the life of the process.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A histogram as it was at one moment; the last bucket is unbounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    pub buckets: [u64; BUCKETS],
    pub sum_us: u64,
}

/// What the groups of this node did since it started.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// From a proposal's stamp to its outcome, on the leader.
    pub commit: Histogram,
    /// One durable batch of the log writer.
    pub fsync: Histogram,
    pub entries_written: AtomicU64,
    pub batches_written: AtomicU64,
    pub entries_applied: AtomicU64,
    pub apply_batches: AtomicU64,
    pub forwarded: AtomicU64,
    pub repeated: AtomicU64,
    pub leader_changes: AtomicU64,
    pub snapshots_built: AtomicU64,
    pub snapshots_installed: AtomicU64,
    pub hashes_compared: AtomicU64,
    pub groups_diverged: AtomicU64,
}

/// [`Groups::stats`](crate::Groups::stats), at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsNow {
    pub commit: Samples,
    pub fsync: Samples,
    pub entries_written: u64,
    pub batches_written: u64,
    pub entries_applied: u64,
    pub apply_batches: u64,
    /// Proposals sent to another node's leader.
    pub forwarded: u64,
    /// Attempts beyond the first, under the same number.
    pub repeated: u64,
    pub leader_changes: u64,
    pub snapshots_built: u64,
    pub snapshots_installed: u64,
    pub hashes_compared: u64,
    /// Groups this node stopped applying because its state differed from the leader's. Not 0 is an incident.
    pub groups_diverged: u64,
}

impl Histogram {
    pub fn record(&self, took: Duration) {
        let us = took.as_micros() as u64;
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    pub fn samples(&self) -> Samples {
        Samples { buckets: std::array::from_fn(|n| self.buckets[n].load(Relaxed)), sum_us: self.sum_us.load(Relaxed) }
    }
}

impl Samples {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// What came in since `earlier`, for rates and recent percentiles.
    pub fn since(&self, earlier: &Samples) -> Samples {
        Samples {
            buckets: std::array::from_fn(|n| self.buckets[n].saturating_sub(earlier.buckets[n])),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }

    /// The bound below which `percent` of the samples lie; none without samples.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent).div_ceil(100);
        if wanted == 0 {
            return None;
        }
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_micros(BOUNDS_US.get(bucket).copied().unwrap_or(u64::MAX)))
    }
}

impl Stats {
    pub fn now(&self) -> StatsNow {
        StatsNow {
            commit: self.commit.samples(),
            fsync: self.fsync.samples(),
            entries_written: self.entries_written.load(Relaxed),
            batches_written: self.batches_written.load(Relaxed),
            entries_applied: self.entries_applied.load(Relaxed),
            apply_batches: self.apply_batches.load(Relaxed),
            forwarded: self.forwarded.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            leader_changes: self.leader_changes.load(Relaxed),
            snapshots_built: self.snapshots_built.load(Relaxed),
            snapshots_installed: self.snapshots_installed.load(Relaxed),
            hashes_compared: self.hashes_compared.load(Relaxed),
            groups_diverged: self.groups_diverged.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_name_the_bucket_that_holds_them() {
        let histogram = Histogram::default();
        assert_eq!(histogram.samples().percentile(50), None);
        for _ in 0..99 {
            histogram.record(Duration::from_micros(60));
        }
        histogram.record(Duration::from_secs(60));
        let samples = histogram.samples();
        assert_eq!(samples.percentile(50), Some(Duration::from_micros(100)));
        assert_eq!(samples.percentile(99), Some(Duration::from_micros(100)));
        assert_eq!(samples.percentile(100), Some(Duration::from_micros(u64::MAX)));
        assert_eq!(samples.since(&samples).count(), 0);
    }
}
