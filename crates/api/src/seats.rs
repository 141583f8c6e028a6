//! Places for connections. When all are taken, who has not been answered anything for the longest time makes room: a client
//! that says nothing, or half a head, holds up no probe and no command, however many such there are.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

/// All places.
pub struct Seats {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    count: usize,
    next: u64,
    /// Those that are asked nothing, by since when.
    idle: BTreeMap<u64, Arc<Notify>>,
}

/// One connection's; free when it is dropped.
pub struct Seat {
    seats: Arc<Seats>,
    idle_since: Mutex<Option<u64>>,
    over: Arc<Notify>,
}

impl Seats {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), freed: Notify::new() })
    }

    /// Waits for one, if need be: then the longest idle is told to go, one at a time.
    pub async fn take(self: &Arc<Self>) -> Seat {
        loop {
            let mut freed = pin!(self.freed.notified());
            // Before the look, so that none that is freed falls between.
            freed.as_mut().enable();
            if let Some(seat) = self.try_take() {
                return seat;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.lock();
        if taken.count >= self.most {
            if let Some((_, over)) = taken.idle.pop_first() {
                over.notify_one();
            }
            return None;
        }
        taken.count += 1;
        let over = Arc::new(Notify::new());
        let idle_since = Mutex::new(Some(taken.is_idle(&over)));
        Some(Seat { seats: self.clone(), idle_since, over })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn is_idle(&mut self, over: &Arc<Notify>) -> u64 {
        self.next += 1;
        self.idle.insert(self.next, over.clone());
        self.next
    }
}

impl Seat {
    /// Resolves when somebody else needs the place more.
    pub async fn is_over(&self) {
        self.over.notified().await;
    }

    /// Makes room, whatever is under way.
    pub fn leave(&self) {
        self.over.notify_one();
    }

    /// Until the answer is out, or what is returned is dropped, the place is kept.
    pub fn is_asked(self: &Arc<Self>) -> Answering {
        if let Some(since) = self.lock().take() {
            self.seats.lock().idle.remove(&since);
        }
        Answering(self.clone())
    }

    /// Is idle from now on, whether or not an answer is out.
    pub fn rests(&self) {
        let now = self.seats.lock().is_idle(&self.over);
        let before = self.lock().replace(now);
        before.into_iter().for_each(|since| drop(self.seats.lock().idle.remove(&since)));
    }

    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let since = self.lock().take();
        let mut taken = self.seats.lock();
        since.into_iter().for_each(|since| drop(taken.idle.remove(&since)));
        taken.count -= 1;
        drop(taken);
        self.seats.freed.notify_waiters();
    }
}

/// A request is being answered.
pub struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.rests();
    }
}

/// The body of an answer, which keeps its connection's place until it is out.
pub struct Kept<B> {
    body: B,
    /// Held until then, and not looked at.
    _answering: Answering,
}

impl<B> Kept<B> {
    pub fn new(body: B, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl<B: Body + Unpin> Body for Kept<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    async fn told_to_go(seat: &Seat) -> bool {
        tokio::time::timeout(Duration::from_millis(50), seat.is_over()).await.is_ok()
    }

    #[tokio::test]
    async fn who_is_idle_for_the_longest_makes_room_and_who_is_answered_stays() {
        let seats = Seats::new(3);
        let first = Arc::new(seats.take().await);
        let second = Arc::new(seats.take().await);
        let third = Arc::new(seats.take().await);
        let answering = first.is_asked();
        let wanting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        assert!(told_to_go(&second).await, "the oldest that is asked nothing");
        assert!(!told_to_go(&third).await && !wanting.is_finished(), "one is enough");
        drop(second);
        let fourth = Arc::new(tokio::time::timeout(SOON, wanting).await.expect("in time").expect("it was there"));
        drop(answering);
        let wanting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        assert!(told_to_go(&third).await, "the first was answered since");
        drop(third);
        let fifth = tokio::time::timeout(SOON, wanting).await.expect("in time").expect("it was there");
        let all = [first.is_asked(), fourth.is_asked(), Arc::new(fifth).is_asked()];
        assert!(tokio::time::timeout(Duration::from_millis(50), seats.take()).await.is_err(), "all are being answered");
        drop((all, first, fourth));
        for _ in 0..3 {
            tokio::time::timeout(SOON, seats.take()).await.expect("a place that is free");
        }
    }
}
