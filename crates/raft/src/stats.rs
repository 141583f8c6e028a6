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
    /// Samples up to each of [`BOUNDS_US`] and beyond the one before; then those beyond all.
    pub buckets: [u64; BUCKETS],
    /// All samples together, in microseconds.
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
    pub snapshots_built: AtomicU64,
    pub snapshots_installed: AtomicU64,
    pub hashes_compared: AtomicU64,
    pub groups_diverged: AtomicU64,
}

/// [`Groups::stats`](crate::Groups::stats), at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsNow {
    /// From a proposal's stamp to its outcome, on the leader.
    pub commit: Samples,
    /// One durable batch of the log writer.
    pub fsync: Samples,
    /// Entries made durable, in all groups' logs.
    pub entries_written: u64,
    /// Writes that made them so, each with one sync of the disk.
    pub batches_written: u64,
    /// Snapshots made here.
    pub snapshots_built: u64,
    /// Snapshots taken from a leader.
    pub snapshots_installed: u64,
    /// State hashes held against the leader's.
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
    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl Stats {
    pub fn now(&self) -> StatsNow {
        StatsNow {
            commit: self.commit.samples(),
            fsync: self.fsync.samples(),
            entries_written: self.entries_written.load(Relaxed),
            batches_written: self.batches_written.load(Relaxed),
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
    fn a_sample_is_counted_up_to_its_bound_or_beyond_all() {
        let histogram = Histogram::default();
        assert_eq!(histogram.samples().count(), 0);
        for us in [0, 50, 51, 60_000_000] {
            histogram.record(Duration::from_micros(us));
        }
        let samples = histogram.samples();
        assert_eq!((samples.count(), samples.sum_us), (4, 60_000_101));
        assert_eq!((samples.buckets[0], samples.buckets[1], samples.buckets[BUCKETS - 1]), (2, 1, 1));
    }
}
