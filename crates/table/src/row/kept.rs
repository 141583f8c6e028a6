//! What is large and seldom changes, beside what is small and often does: shared, with its hash computed once.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::hash;

/// A value that rows share. Copying the row copies a pointer, hashing the row takes the kept hash.
#[derive(Debug)]
pub struct Kept<T> {
    value: Arc<T>,
    hash: u64,
}

impl<T: Hash> Kept<T> {
    /// Computes the hash.
    pub fn new(value: T) -> Self {
        let hash = hash::of(&value);
        Self { value: Arc::new(value), hash }
    }

    /// Changes the value; rows that share it keep the old one.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        let result = change(Arc::make_mut(&mut self.value));
        self.hash = hash::of(&*self.value);
        result
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), hash: self.hash }
    }
}

impl<T: Hash + Default> Default for Kept<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.value == other.value
    }
}

impl<T: Eq> Eq for Kept<T> {}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}
