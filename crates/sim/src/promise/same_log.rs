//! The same log gives the same state: hashes after every entry, bytes of snapshots.

use strowger_table::Shard;

use super::Found;

const PROMISE: &str = "same log, same state";

pub(crate) struct SameLog {
    pub found: Found,
    /// By index; 0 is the empty state.
    hashes: Vec<u64>,
}

impl SameLog {
    pub fn new() -> Self {
        Self { found: Found::default(), hashes: vec![0] }
    }

    pub fn committed(&mut self, index: u64, hash: u64) {
        debug_assert_eq!(index as usize, self.hashes.len());
        self.hashes.push(hash);
    }

    pub fn applied(&mut self, node: usize, index: u64, shard: &Shard) {
        // What is committed is known here before any replica has it.
        if self.hashes.get(index as usize) != Some(&shard.hash()) {
            self.found.breach(PROMISE, None, || format!("n{} differs at index {index}", node + 1));
        }
    }

    pub fn same_bytes(&mut self, node: usize, bytes: &[u8], shard: &Shard) {
        if shard.snapshot() != bytes {
            self.found.breach(PROMISE, None, || format!("n{}: the snapshot has other bytes", node + 1));
        }
    }

    pub fn undecodable(&mut self, node: usize, index: u64) {
        self.found.breach(PROMISE, None, || format!("n{}: the snapshot at {index} does not decode", node + 1));
    }
}
