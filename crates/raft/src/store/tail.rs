//! The recent entries of one group's log, in memory: what is applied and replicated reads them from here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use strowger_model::GroupId;

use crate::types::{Entry, LogId, Payload, Vote};

/// Entries kept per group once they are durable: half a second of the largest load planned for one group
/// (10 000/s), so that only a follower further behind is served from disk.
const TAIL_ENTRIES: usize = 5_000;
/// Bytes of proposals kept per group, whatever their number.
const TAIL_BYTES: usize = 16 << 20;

/// What one group's log, its readers and the writer thread share.
#[derive(Debug)]
pub(super) struct GroupLog {
    pub group: GroupId,
    tail: RwLock<Tail>,
    vote: Mutex<Option<Vote>>,
    committed: Mutex<Committed>,
}

#[derive(Debug, Default)]
pub(super) struct Tail {
    pub purged: Option<LogId>,
    pub last: Option<LogId>,
    /// Contiguous up to `last`; all entries that are not durable yet are here.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Index after the last durable entry.
    durable_next: u64,
}

/// Committed travels with the next durable batch of its group: it costs no write of its own, and after a crash the
/// leader tells what is missing.
#[derive(Debug, Default)]
struct Committed {
    id: Option<LogId>,
    written: bool,
}

impl GroupLog {
    pub fn new(
        group: GroupId,
        vote: Option<Vote>,
        committed: Option<LogId>,
        purged: Option<LogId>,
        last: Option<LogId>,
    ) -> Self {
        let last = last.or(purged);
        let durable_next = last.map_or(0, |id| id.index + 1);
        Self {
            group,
            tail: RwLock::new(Tail { purged, last, durable_next, ..Tail::default() }),
            vote: Mutex::new(vote),
            committed: Mutex::new(Committed { id: committed, written: true }),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Tail> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn vote(&self) -> Option<Vote> {
        *self.vote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_vote(&self, vote: Vote) {
        *self.vote.lock().unwrap_or_else(PoisonError::into_inner) = Some(vote);
    }

    pub fn committed(&self) -> Option<LogId> {
        self.lock_committed().id
    }

    pub fn set_committed(&self, id: Option<LogId>) {
        *self.lock_committed() = Committed { id, written: false };
    }

    /// The committed id, if it is new and names an entry before `durable_next`: one that a crash could leave
    /// without its entry must not reach the disk.
    pub fn take_committed(&self, durable_next: u64) -> Option<LogId> {
        let mut committed = self.lock_committed();
        let id = committed.id.filter(|id| !committed.written && id.index < durable_next)?;
        committed.written = true;
        Some(id)
    }

    fn lock_committed(&self) -> MutexGuard<'_, Committed> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(self.last.is_none_or(|last| last.index + 1 == entry.log_id.index) || self.entries.is_empty());
        self.last = Some(entry.log_id);
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
    }

    /// Index of the first entry in memory; the one after the last if there is none.
    pub fn first(&self) -> u64 {
        self.entries.front().map_or(self.next(), |entry| entry.log_id.index)
    }

    /// Index after the last entry.
    pub fn next(&self) -> u64 {
        self.last.map_or(0, |id| id.index + 1)
    }

    pub fn durable_next(&self) -> u64 {
        self.durable_next
    }

    /// Copies of the entries in memory from `start` up to before `end`.
    pub fn slice(&self, start: u64, end: u64) -> impl Iterator<Item = &Entry> {
        let first = self.first();
        let from = start.saturating_sub(first) as usize;
        let count = end.saturating_sub(start.max(first)) as usize;
        self.entries.iter().skip(from).take(count)
    }

    /// Drops everything behind `last`.
    pub fn truncate(&mut self, last: Option<LogId>) {
        let next = last.map_or(0, |id| id.index + 1);
        if next >= self.next() {
            return;
        }
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= next) {
            self.bytes -= self.entries.pop_back().map_or(0, |entry| weight(&entry));
        }
        self.last = last;
        self.durable_next = self.durable_next.min(next);
    }

    pub fn purge(&mut self, upto: LogId) {
        while self.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            self.pop_front();
        }
        self.purged = Some(upto);
        if self.last.is_none_or(|last| last.index <= upto.index) {
            self.last = Some(upto);
        }
        self.durable_next = self.durable_next.max(upto.index + 1);
    }

    /// Entries before `next` are on disk: those beyond the limits need not stay in memory.
    pub fn made_durable(&mut self, next: u64) {
        // What was truncated while it was being written does not count.
        self.durable_next = self.durable_next.max(next.min(self.next()));
        while (self.entries.len() > TAIL_ENTRIES || self.bytes > TAIL_BYTES)
            && self.entries.front().is_some_and(|entry| entry.log_id.index < self.durable_next)
        {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        self.bytes -= self.entries.pop_front().map_or(0, |entry| weight(&entry));
    }
}

/// Bytes that one entry moves or holds, roughly.
pub(super) fn weight(entry: &Entry) -> usize {
    /// Ids, stamps and the envelope.
    const FIXED: usize = 96;
    match &entry.payload {
        Payload::Normal(stamped) => FIXED + stamped.body.len(),
        Payload::Blank | Payload::Membership(_) => FIXED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::LeaderId;
    use openraft::vote::RaftLeaderId as _;

    fn id(index: u64) -> LogId {
        LogId { leader_id: LeaderId::new(1, 1), index }
    }

    fn filled(count: u64) -> Tail {
        let mut tail = Tail::default();
        (0..count).for_each(|index| tail.push(Entry { log_id: id(index), payload: Payload::Blank }));
        tail
    }

    fn indexes(tail: &Tail, start: u64, end: u64) -> Vec<u64> {
        tail.slice(start, end).map(|entry| entry.log_id.index).collect()
    }

    #[test]
    fn only_durable_entries_leave_memory() {
        let count = TAIL_ENTRIES as u64 + 10;
        let mut tail = filled(count);
        tail.made_durable(4);
        assert_eq!(tail.first(), 4, "what is not on disk stays");
        tail.made_durable(count);
        assert_eq!(tail.first(), 10);
        assert_eq!(indexes(&tail, 0, 12), [10, 11]);
        assert_eq!(indexes(&tail, 5, 9), [0; 0]);
    }

    #[test]
    fn truncation_and_purge_move_the_ends() {
        let mut tail = filled(10);
        tail.made_durable(10);
        tail.truncate(Some(id(6)));
        assert_eq!((tail.next(), tail.durable_next()), (7, 7));
        tail.purge(id(2));
        assert_eq!(indexes(&tail, 0, 100), [3, 4, 5, 6]);
        tail.purge(id(20));
        assert_eq!((tail.first(), tail.next(), tail.durable_next()), (21, 21, 21));
        tail.truncate(None);
        assert_eq!(tail.next(), 0);
    }

    #[test]
    fn committed_waits_for_its_entry() {
        let log = GroupLog::new(GroupId(1), None, None, None, None);
        log.set_committed(Some(id(5)));
        assert_eq!(log.take_committed(5), None);
        assert_eq!(log.take_committed(6), Some(id(5)));
        assert_eq!(log.take_committed(6), None, "once is enough");
    }
}
