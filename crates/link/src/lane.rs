//! A bounded backlog with one writer: what callers push is coalesced and leaves in as few writes as possible.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::class::Limits;
use crate::frame::{self, Kind};

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendFault {
    /// A peer that is away, or not yet proven. Nothing was sent.
    #[error("there is no connection to this peer now")]
    NotConnected,
    /// One of the class's [`Limits`] is reached: the peer reads too slowly.
    #[error("too much waits for this peer in this class already")]
    BacklogFull,
    /// More than the class, or a media datagram, may have.
    #[error("{found} bytes, and this class carries at most {limit} in one message")]
    TooLarge {
        /// Bytes of the body.
        found: usize,
        /// Bytes that are taken.
        limit: usize,
    },
    /// By [`Link::close`](crate::Link::close), for good.
    #[error("the link is closed")]
    Closed,
}

/// Bodies from here on travel as they are; smaller ones are copied together, which costs less than a chunk each.
const COPY_BELOW_BYTES: usize = 8 * 1024;
/// A buffer for small frames is taken in steps of this size.
const COALESCE_BYTES: usize = 16 * 1024;

/// What waits for one stream.
pub struct Lane {
    waiting: Mutex<Waiting>,
    wake: Notify,
    limits: Limits,
    /// Counts refusals over all connections of the peer.
    refused: Arc<AtomicU64>,
}

#[derive(Default)]
struct Waiting {
    chunks: Vec<Bytes>,
    /// Frames copied together after the last chunk.
    tail: BytesMut,
    messages: usize,
    bytes: usize,
    closed: bool,
}

impl Lane {
    pub fn new(limits: Limits, refused: Arc<AtomicU64>) -> Self {
        Self { waiting: Mutex::default(), wake: Notify::new(), limits, refused }
    }

    /// Adds a frame behind those that wait.
    pub fn push(&self, kind: Kind, number: u64, body: Bytes) -> Result<(), SendFault> {
        let (found, limit) = (body.len(), self.limits.body_bytes);
        let length =
            u32::try_from(found).ok().filter(|_| found <= limit).ok_or(SendFault::TooLarge { found, limit })?;
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(SendFault::NotConnected);
        }
        let first = waiting.messages == 0;
        let full = waiting.messages >= self.limits.backlog_messages
            || !first && found > 0 && waiting.bytes + found > self.limits.backlog_bytes;
        if full {
            drop(waiting);
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(SendFault::BacklogFull);
        }
        waiting.push(kind, number, length, body);
        drop(waiting);
        // The writer takes everything at once, so only the first of a batch needs to wake it.
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// All that waits, as soon as something does; none when the lane is closed.
    pub async fn take(&self) -> Option<Vec<Bytes>> {
        loop {
            {
                let mut waiting = self.lock();
                if waiting.closed {
                    return None;
                }
                if waiting.messages > 0 {
                    return Some(waiting.take());
                }
            }
            self.wake.notified().await;
        }
    }

    /// Lets go of what waits and refuses what comes.
    pub fn close(&self) {
        *self.lock() = Waiting { closed: true, ..Waiting::default() };
        self.wake.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, kind: Kind, number: u64, length: u32, body: Bytes) {
        self.messages += 1;
        self.bytes += body.len();
        let copied = body.len() < COPY_BELOW_BYTES;
        let needed = frame::HEADER_BYTES + if copied { body.len() } else { 0 };
        if self.tail.capacity() - self.tail.len() < needed {
            self.tail.reserve(COALESCE_BYTES);
        }
        frame::put_header(&mut self.tail, kind, number, length);
        if copied {
            self.tail.extend_from_slice(&body);
        } else {
            let before = self.tail.split().freeze();
            self.chunks.extend([before, body]);
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        if !self.tail.is_empty() {
            self.chunks.push(self.tail.split().freeze());
        }
        (self.messages, self.bytes) = (0, 0);
        std::mem::take(&mut self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameReader;

    const LIMITS: Limits = Limits { body_bytes: 60_000, backlog_messages: 4, backlog_bytes: 50_000, open_asks: 1 };

    fn lane() -> Lane {
        Lane::new(LIMITS, Arc::default())
    }

    #[tokio::test]
    async fn small_and_large_leave_in_order() {
        let lane = lane();
        let sizes = [3, 20_000, 0, COPY_BELOW_BYTES];
        for (number, size) in sizes.into_iter().enumerate() {
            lane.push(Kind::Cast, number as u64, vec![number as u8; size].into()).unwrap();
        }
        let bytes = lane.take().await.unwrap().concat();
        let mut reader = FrameReader::new(&bytes[..], LIMITS.body_bytes);
        for (number, size) in sizes.into_iter().enumerate() {
            let frame = reader.next().await.unwrap().unwrap();
            assert_eq!((frame.number, frame.body), (number as u64, vec![number as u8; size].into()));
        }
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn bounds_hold_and_are_counted() {
        let lane = lane();
        let send = |size: usize| lane.push(Kind::Cast, 0, vec![0; size].into());
        assert_eq!(send(60_001), Err(SendFault::TooLarge { found: 60_001, limit: 60_000 }));
        assert_eq!(send(60_000), Ok(()), "a lone message may exceed the bytes");
        assert_eq!(send(1), Err(SendFault::BacklogFull));
        lane.take().await;
        for _ in 0..LIMITS.backlog_messages {
            assert_eq!(send(1), Ok(()));
        }
        assert_eq!(send(1), Err(SendFault::BacklogFull));
        assert_eq!(lane.refused.load(Ordering::Relaxed), 2);
        lane.close();
        assert_eq!(send(1), Err(SendFault::NotConnected));
        assert_eq!(lane.take().await, None);
    }
}
