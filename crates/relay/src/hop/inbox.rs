//! The way from the link, and from other threads, to one media thread.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use strowger_model::RelayId;

use super::meter::Meter;

/// Datagrams that legs of one thread hear, bounded; the oldest make room.
pub(crate) struct Inbox {
    waiting: Mutex<VecDeque<Arrival>>,
    /// Rouses the thread.
    wake: Arc<OwnedFd>,
}

/// A datagram that is whole and in time.
pub(crate) struct Arrival {
    pub(crate) from: RelayId,
    pub(crate) meter: Arc<Meter>,
    pub(crate) datagram: Bytes,
    /// How many of its packets the thread hears.
    pub(crate) wanted: u8,
}

/// About 60 ms of 4000 streams at six packets each: what waited longer is not played any more. 2.4 MB.
const MAX_WAITING: usize = 2048;

impl Inbox {
    pub(crate) fn new(wake: Arc<OwnedFd>) -> Self {
        Self { waiting: Mutex::default(), wake }
    }

    /// Puts a datagram in; gives back the one that had to go.
    pub(crate) fn put(&self, arrival: Arrival) -> Option<Arrival> {
        let (first, dropped) = {
            let mut waiting = self.lock();
            let dropped = if waiting.len() >= MAX_WAITING { waiting.pop_front() } else { None };
            waiting.push_back(arrival);
            (waiting.len() == 1, dropped)
        };
        if first {
            // Fails only when the counter is at its limit, and then the thread is awake.
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
        dropped
    }

    /// Takes all there is for an empty queue: the memory of both goes to and fro.
    pub(crate) fn swap(&self, emptied: &mut VecDeque<Arrival>) {
        std::mem::swap(&mut *self.lock(), emptied);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn the_oldest_make_room_and_the_thread_is_woken_once() {
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK).unwrap());
        let inbox = Inbox::new(wake.clone());
        let arrival = |number: usize| Arrival {
            from: RelayId(1),
            meter: Arc::default(),
            datagram: Bytes::copy_from_slice(&number.to_le_bytes()),
            wanted: 1,
        };
        let dropped: Vec<Bytes> =
            (0..MAX_WAITING + 2).filter_map(|number| inbox.put(arrival(number))).map(|gone| gone.datagram).collect();
        assert_eq!(dropped, [0usize.to_le_bytes().to_vec(), 1usize.to_le_bytes().to_vec()]);
        let mut count = [0; 8];
        rustix::io::read(&*wake, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1);
        let mut taken = VecDeque::new();
        inbox.swap(&mut taken);
        assert_eq!(taken.len(), MAX_WAITING);
        assert!(inbox.put(arrival(0)).is_none());
    }
}
