//! The sequence numbers of this node's proposals to one group.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use strowger_table::limit::REPEAT_WINDOW;
use tokio::sync::Notify;

/// The newest number is at most this far ahead of the oldest that is still being repeated: well inside what the
/// table remembers, so that a repeat always finds its first answer there.
const SPAN: u64 = REPEAT_WINDOW / 2;

#[derive(Debug, Default)]
pub(crate) struct Numbers {
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: BTreeSet<u64>,
}

/// A number in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Number<'a> {
    numbers: &'a Numbers,
    pub seq: u64,
}

impl Numbers {
    /// The next number; waits while an old one is still open.
    pub async fn take(&self) -> Number<'_> {
        loop {
            let returned = self.returned.notified();
            if let Some(seq) = self.lock().next() {
                return Number { numbers: self, seq };
            }
            returned.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<u64> {
        let seq = self.last + 1;
        if self.open.first().is_some_and(|oldest| seq - oldest >= SPAN) {
            return None;
        }
        self.last = seq;
        self.open.insert(seq);
        Some(seq)
    }
}

impl Drop for Number<'_> {
    fn drop(&mut self) {
        self.numbers.lock().open.remove(&self.seq);
        self.numbers.returned.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_old_number_holds_back_new_ones() {
        let numbers = Numbers::default();
        let oldest = numbers.take().await;
        assert_eq!(oldest.seq, 1);
        for _ in 1..SPAN {
            drop(numbers.take().await);
        }
        assert_eq!(numbers.lock().next(), None);
        drop(oldest);
        assert_eq!(numbers.take().await.seq, SPAN + 1);
    }
}
