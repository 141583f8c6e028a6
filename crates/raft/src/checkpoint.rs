//! State hashes at fixed indexes: replicas of one log must agree, and one that does not must stop at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A hash is kept at every index that this divides: half a second of one group's largest planned load.
pub(crate) const CHECKPOINT_ENTRIES: u64 = 10_000;
/// Checkpoints remembered: a follower this far behind its leader gets a snapshot, and with it the leader's state.
const REMEMBERED: usize = 64;

#[derive(Debug)]
pub(crate) struct Checkpoints {
    every: u64,
    /// Ascending.
    hashes: Mutex<VecDeque<(u64, u64)>>,
    pub passed: Notify,
    diverged: AtomicBool,
}

impl Checkpoints {
    pub fn new(every: u64) -> Self {
        Self { every, hashes: Mutex::default(), passed: Notify::new(), diverged: AtomicBool::new(false) }
    }

    /// Entry `index` was applied.
    pub fn passed(&self, index: u64, hash: impl FnOnce() -> u64) {
        if index == 0 || !index.is_multiple_of(self.every) {
            return;
        }
        let mut hashes = self.lock();
        if hashes.len() == REMEMBERED {
            hashes.pop_front();
        }
        hashes.push_back((index, hash()));
        drop(hashes);
        self.passed.notify_one();
    }

    /// The hash right after entry `index`, if that was a checkpoint and is remembered.
    pub fn at(&self, index: u64) -> Option<u64> {
        self.lock().iter().find(|(at, _)| *at == index).map(|(_, hash)| *hash)
    }

    pub fn newest(&self) -> Option<(u64, u64)> {
        self.lock().back().copied()
    }

    pub fn diverge(&self) {
        self.diverged.store(true, Ordering::Relaxed);
    }

    pub fn diverged(&self) -> bool {
        self.diverged.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_checkpoints_are_kept_and_only_the_newest() {
        let checkpoints = Checkpoints::new(10);
        (0..=1000).for_each(|index| checkpoints.passed(index, || index * 7));
        assert_eq!(checkpoints.newest(), Some((1000, 7000)));
        assert_eq!(checkpoints.at(990), Some(6930));
        assert_eq!(checkpoints.at(995), None);
        assert_eq!(checkpoints.at(10), None, "forgotten");
    }
}
