//! Fields that rows got after the first release.

use std::hash::{Hash, Hasher};

/// A field that came with a later layout than its row. It has its default until that layout is in force, and enters the
/// row's hash, under a number of its own, only when it has another value: so a build that does not know the field has the
/// same state hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Later<const TAG: u16, T>(pub T);

/// Whether a field has the value that older layouts take it for.
pub(crate) fn is_unused<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<const TAG: u16, T: Hash + Default + PartialEq> Hash for Later<TAG, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !is_unused(&self.0) {
            TAG.hash(state);
            self.0.hash(state);
        }
    }
}

#[cfg(feature = "next-layout")]
impl<const TAG: u16, T: Clone> super::frozen::Frozen<Later<TAG, T>> for T {
    fn freeze(live: &Later<TAG, T>) -> Self {
        live.0.clone()
    }

    fn thaw(self) -> Later<TAG, T> {
        Later(self)
    }
}
