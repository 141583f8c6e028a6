//! A hash that is the same in every build, for comparing replicas. Not for tables an attacker can fill.

use std::hash::{Hash, Hasher};

/// Multiply-rotate over 64-bit words (the scheme of FxHash): one multiplication a word.
#[derive(Default)]
struct StateHasher(u64);

const SEED: u64 = 0x517c_c1b7_2722_0a95;

impl StateHasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(SEED);
    }
}

impl Hasher for StateHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
        }
        self.word(chunks.remainder().iter().rev().fold(bytes.len() as u64, |word, &byte| word << 8 | u64::from(byte)));
    }

    // Integers are hashed as words, so that byte order of the machine does not matter.
    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }
    fn write_u16(&mut self, value: u16) {
        self.word(value.into());
    }
    fn write_u32(&mut self, value: u32) {
        self.word(value.into());
    }
    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }
    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

pub(crate) fn of(value: &impl Hash) -> u64 {
    let mut hasher = StateHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    /// The value is pinned: a change would make replicas of two versions call each other wrong.
    #[test]
    fn is_the_same_in_every_build() {
        assert_eq!(super::of(&("strowger", 1878_u32)), super::of(&("strowger", 1878_u32)));
        assert_eq!(super::of(&1878_u32), 0xc935_1599_da8c_b497);
    }
}
