//! Asks that wait for their answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::lane::SendFault;

/// Why an ask has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskFault {
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] SendFault),
    /// The peer took it and let go of it without an answer.
    #[error("the peer gave no answer")]
    NoAnswer,
    /// It may have been carried out.
    #[error("the connection was lost before the answer")]
    ConnectionLost,
    /// It may have been carried out.
    #[error("no answer in time")]
    TimedOut,
}

type Answer = oneshot::Sender<Option<Bytes>>;

/// The open asks of one class on one connection.
pub struct Asks {
    open: Mutex<Open>,
    limit: usize,
}

#[derive(Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Answer>,
    closed: bool,
}

/// One open ask; dropping it (a time-out, a caller that went away) forgets it.
pub struct OpenAsk<'a> {
    asks: &'a Asks,
    pub number: u64,
    answer: oneshot::Receiver<Option<Bytes>>,
}

impl Asks {
    pub fn new(limit: usize) -> Self {
        Self { open: Mutex::default(), limit }
    }

    pub fn open(&self) -> Result<OpenAsk<'_>, SendFault> {
        let (settle, answer) = oneshot::channel();
        let mut open = self.lock();
        if open.closed {
            return Err(SendFault::NotConnected);
        }
        if open.by_number.len() >= self.limit {
            return Err(SendFault::BacklogFull);
        }
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, settle);
        Ok(OpenAsk { asks: self, number, answer })
    }

    /// Hands an answer (or the lack of one) to whoever asked; a late one finds nobody and is dropped.
    pub fn settle(&self, number: u64, answer: Option<Bytes>) {
        let asker = self.lock().by_number.remove(&number);
        if let Some(asker) = asker {
            let _gone_meanwhile = asker.send(answer);
        }
    }

    /// Fails all open asks at once and refuses new ones.
    pub fn close(&self) {
        let open = {
            let mut open = self.lock();
            open.closed = true;
            std::mem::take(&mut open.by_number)
        };
        drop(open);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenAsk<'_> {
    pub async fn answer(&mut self) -> Result<Bytes, AskFault> {
        match (&mut self.answer).await {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(AskFault::NoAnswer),
            Err(_) => Err(AskFault::ConnectionLost),
        }
    }
}

impl Drop for OpenAsk<'_> {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            self.asks.lock().by_number.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_of_an_ask() {
        let asks = Asks::new(2);
        let mut first = asks.open().unwrap();
        let mut second = asks.open().unwrap();
        assert_eq!(asks.open().err(), Some(SendFault::BacklogFull));
        asks.settle(second.number, None);
        asks.settle(first.number, Some(Bytes::from_static(b"yes")));
        asks.settle(99, None);
        assert_eq!(first.answer().await, Ok(Bytes::from_static(b"yes")));
        assert_eq!(second.answer().await, Err(AskFault::NoAnswer));
        drop((first, second));

        let forgotten = asks.open().unwrap();
        drop(forgotten);
        assert!(asks.lock().by_number.is_empty());

        let mut last = asks.open().unwrap();
        asks.close();
        assert_eq!(last.answer().await, Err(AskFault::ConnectionLost));
        assert_eq!(asks.open().err(), Some(SendFault::NotConnected));
    }
}
