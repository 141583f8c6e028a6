//! Ordered rows with a running hash of all of them.

use std::hash::Hash;
use std::sync::Arc;

use imbl::OrdMap;

use crate::hash;

#[derive(Clone, Debug)]
pub(crate) struct RowMap<K: Ord + Clone, V> {
    rows: OrdMap<K, Slot<V>>,
    /// Wrapping sum of the rows' hashes: order of writing does not matter.
    sum: u64,
}

#[derive(Debug)]
struct Slot<V> {
    row: Arc<V>,
    hash: u64,
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Self { row: self.row.clone(), hash: self.hash }
    }
}

impl<K: Ord + Clone, V> Default for RowMap<K, V> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), sum: 0 }
    }
}

impl<K: Ord + Clone + Hash, V: Hash> RowMap<K, V> {
    pub fn get(&self, key: &K) -> Option<&Arc<V>> {
        self.rows.get(key).map(|slot| &slot.row)
    }

    pub fn put(&mut self, key: K, row: V) {
        let hash = hash::of(&(&key, &row));
        let old = self.rows.insert(key, Slot { row: Arc::new(row), hash });
        self.sum = self.sum.wrapping_sub(old.map_or(0, |slot| slot.hash)).wrapping_add(hash);
    }

    pub fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        let slot = self.rows.remove(key)?;
        self.sum = self.sum.wrapping_sub(slot.hash);
        Some(slot.row)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &Arc<V>)> {
        self.rows.iter().map(|(key, slot)| (key, &slot.row))
    }

    pub fn range<R: std::ops::RangeBounds<K>>(&self, range: R) -> impl Iterator<Item = (&K, &Arc<V>)> {
        self.rows.range(range).map(|(key, slot)| (key, &slot.row))
    }

    pub fn first_key(&self) -> Option<&K> {
        self.rows.get_min().map(|(key, _)| key)
    }

    pub fn last_key(&self) -> Option<&K> {
        self.rows.get_max().map(|(key, _)| key)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn hash(&self) -> u64 {
        self.sum
    }
}
