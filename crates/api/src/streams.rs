//! Places for event streams. When all are taken, who holds the most of them makes room for who holds fewer: so nobody who
//! opens streams and never reads them keeps the others' wallboards dark.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limit;

/// Who holds places: one token at one address. Behind a proxy all of one token are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Holder {
    pub address: Option<IpAddr>,
    pub token_sha256: [u8; 32],
}

/// All places.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    next: u64,
    /// Oldest first.
    by: BTreeMap<u64, (Holder, Arc<Notify>)>,
}

/// One stream's; free when it is dropped.
pub struct Place {
    no: u64,
    over: Arc<Notify>,
    streams: Streams,
}

impl Streams {
    /// None if all are taken, and nobody holds at least two more than who asks.
    pub fn take(&self, who: Holder) -> Option<Place> {
        let mut taken = self.lock();
        if taken.by.len() >= limit::STREAMS {
            let no = taken.to_make_room_for(&who)?;
            let (_, over) = taken.by.remove(&no)?;
            over.notify_one();
        }
        taken.next += 1;
        let (no, over) = (taken.next, Arc::new(Notify::new()));
        taken.by.insert(no, (who, over.clone()));
        Some(Place { no, over, streams: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The oldest of who holds the most.
    fn to_make_room_for(&self, who: &Holder) -> Option<u64> {
        let mut counts: BTreeMap<&Holder, usize> = BTreeMap::new();
        self.by.values().for_each(|(holder, _)| *counts.entry(holder).or_default() += 1);
        let own = counts.get(who).copied().unwrap_or_default();
        let (most, _) = counts.into_iter().filter(|(_, count)| *count >= own + 2).max_by_key(|(_, count)| *count)?;
        self.by.iter().find(|(_, (holder, _))| holder == most).map(|(no, _)| *no)
    }
}

impl Place {
    /// Resolves when somebody else needs the place more.
    pub async fn is_over(&self) {
        self.over.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.lock().by.remove(&self.no);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn holder(last: u8) -> Holder {
        Holder { address: Some(IpAddr::from([192, 0, 2, last])), token_sha256: [1; 32] }
    }

    async fn is_over(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(20), place.is_over()).await.is_ok()
    }

    #[tokio::test]
    async fn who_holds_the_most_makes_room_for_who_holds_fewer() {
        let streams = Streams::default();
        let hoard: Vec<Place> = (0..limit::STREAMS).map(|_| streams.take(holder(1)).expect("free")).collect();
        assert!(streams.take(holder(1)).is_none(), "not for more of its own");
        let other = streams.take(holder(2)).expect("room is made");
        assert!(is_over(&hoard[0]).await && !is_over(&hoard[1]).await && !is_over(&other).await);
        // Until they are even.
        let others: Vec<Place> = (1..limit::STREAMS / 2).map(|_| streams.take(holder(2)).expect("room")).collect();
        assert!(streams.take(holder(2)).is_none());
        drop(hoard);
        assert!(streams.take(holder(1)).is_some());
        drop((other, others));
        assert!(streams.lock().by.is_empty());
    }

    #[tokio::test]
    async fn boards_that_each_stand_elsewhere_stay() {
        let streams = Streams::default();
        let walls: Vec<Place> = (0..limit::STREAMS).map(|no| streams.take(holder(no as u8)).expect("free")).collect();
        assert!(streams.take(holder(200)).is_none());
        assert!(!is_over(&walls[0]).await);
    }
}
