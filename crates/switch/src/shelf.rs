//! Messages that wait, found by what they wait for and by when their time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use strowger_model::{Far, LegKey, Mono, Owner};
use strowger_sip::Message;

use crate::limit;

/// How a message came here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    Edge,
    Node,
}

/// A message on its way to its call.
#[derive(Debug)]
pub(crate) struct Mail {
    pub message: Message,
    pub source: Far,
    pub via: Via,
    /// None: found by the key of its INVITE.
    pub leg: Option<LegKey>,
    /// To whom it was passed on already.
    pub passed_to: Option<Owner>,
    /// Until when it waits; none while it has not waited.
    pub until: Option<Mono>,
}

#[derive(Debug)]
pub(crate) struct Shelf<K> {
    last: u64,
    bytes: usize,
    by_key: BTreeMap<(K, u64), Mail>,
    by_time: BTreeSet<(Mono, K, u64)>,
}

impl<K: Ord + Clone> Shelf<K> {
    pub fn new() -> Self {
        Self { last: 0, bytes: 0, by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// A shelf that is full takes nothing: the far end says it again.
    pub fn put(&mut self, key: K, until: Mono, mail: Mail) {
        let bytes = self.bytes + weight(&mail);
        if self.by_key.len() >= limit::MOST_KEPT || bytes > limit::MOST_KEPT_BYTES {
            return;
        }
        self.bytes = bytes;
        self.last += 1;
        self.by_time.insert((until, key.clone(), self.last));
        self.by_key.insert((key, self.last), Mail { until: Some(until), ..mail });
        debug_assert_eq!(self.by_key.len(), self.by_time.len(), "each is found both ways");
        debug_assert!(self.by_key.len() <= limit::MOST_KEPT, "far ends do not fill our memory");
    }

    /// What waits for these, in the order in which it came.
    pub fn take(&mut self, keys: RangeInclusive<K>) -> Vec<Mail> {
        if self.by_key.is_empty() {
            return Vec::new();
        }
        let (first, last) = keys.into_inner();
        let found: Vec<(K, u64)> =
            self.by_key.range((first, 0)..=(last, u64::MAX)).map(|(key, _)| key.clone()).collect();
        found.into_iter().filter_map(|at| self.remove(at)).collect()
    }

    pub fn take_all(&mut self) -> Vec<Mail> {
        self.by_time.clear();
        self.bytes = 0;
        std::mem::take(&mut self.by_key).into_values().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// What has waited long enough.
    pub fn due(&mut self, now: Mono) -> Vec<Mail> {
        let over: Vec<(K, u64)> = self
            .by_time
            .iter()
            .take_while(|(until, ..)| *until <= now)
            .map(|(_, key, number)| (key.clone(), *number))
            .collect();
        over.into_iter().filter_map(|at| self.remove(at)).collect()
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.by_time.first().map(|(until, ..)| *until)
    }

    fn remove(&mut self, at: (K, u64)) -> Option<Mail> {
        let mail = self.by_key.remove(&at)?;
        self.bytes -= weight(&mail);
        if let Some(until) = mail.until {
            self.by_time.remove(&(until, at.0, at.1));
        }
        debug_assert_eq!(self.by_key.len(), self.by_time.len(), "each is found both ways");
        Some(mail)
    }
}

/// Bytes that it came in.
fn weight(mail: &Mail) -> usize {
    mail.message.bytes().len()
}
