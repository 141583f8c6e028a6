//! One group's log as the consensus library sees it: memory answers, the writer thread follows.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, mpsc};

use fjall::Keyspace;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use strowger_link::{open, seal};
use strowger_model::GroupId;
use tokio::sync::oneshot;

use super::archive::Purge;
use super::key;
use super::tail::{GroupLog, weight};
use super::writer::Op;
use crate::types::{Entry, LogId, Types, Vote};
use crate::v1::{EntryV1, MarkV1, VoteV1};

/// Bytes of entries read for one message to a follower: it fits the link's limit many times over, and a heartbeat
/// behind it on the same stream leaves in time.
const READ_BYTES: usize = 1 << 20;

/// A handle: clones read and write the same log.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<GroupLog>,
    rows: Keyspace,
    writer: mpsc::Sender<Op>,
    archivist: mpsc::Sender<Purge>,
}

impl Log {
    pub(super) fn recover(
        group: GroupId,
        rows: &Keyspace,
        writer: mpsc::Sender<Op>,
        archivist: mpsc::Sender<Purge>,
    ) -> io::Result<Self> {
        let vote = get(rows, key::vote(group))?.map(|bytes| open::<VoteV1>(&bytes)).transpose();
        let mark = |key| get(rows, key)?.map(|bytes| open::<MarkV1>(&bytes)).transpose().map_err(damaged);
        let committed: Option<LogId> = mark(key::committed(group))?.map(|mark| mark.id.into());
        let purged: Option<LogId> = mark(key::purged(group))?.map(|mark| mark.id.into());
        let last = match rows.range(key::entry(group, 0)..=key::entry(group, u64::MAX)).next_back() {
            Some(row) => {
                let bytes = row.value().map_err(io::Error::other)?;
                Some(LogId::from(open::<EntryV1>(&bytes).map_err(damaged)?.id))
            }
            None => None,
        };
        // Entries that were purged but not removed before a crash may still lie there.
        let last = last.into_iter().chain(purged).max_by_key(|id| id.index);
        let committed = committed.filter(|id| last.is_some_and(|last| id.index <= last.index));
        let vote = vote.map_err(damaged)?.map(Vote::from);
        let shared = Arc::new(GroupLog::new(group, vote, committed, purged, last));
        Ok(Self { shared, rows: rows.clone(), writer, archivist })
    }

    pub(super) fn shared(&self) -> &Arc<GroupLog> {
        &self.shared
    }

    /// Nothing was ever written or promised here.
    pub fn blank(&self) -> bool {
        self.shared.vote().is_none() && self.shared.read().last.is_none()
    }

    async fn durably(&self, op: impl FnOnce(oneshot::Sender<()>) -> Op) -> io::Result<()> {
        let (done, finished) = oneshot::channel();
        self.send(op(done))?;
        finished.await.map_err(|_| writer_gone())
    }

    fn send(&self, op: Op) -> io::Result<()> {
        self.writer.send(op).map_err(|_| writer_gone())
    }

    /// Entries from `start` up to before `end` until `bytes` are full, at least one if there is one.
    pub fn entries(&self, start: u64, end: u64, bytes: usize) -> io::Result<Vec<Entry>> {
        let mut found = Found { entries: Vec::new(), room: bytes };
        let start = {
            let tail = self.shared.read();
            let (start, end) = (start.max(tail.purged.map_or(0, |id| id.index + 1)), end.min(tail.next()));
            if start >= tail.first() {
                tail.slice(start, end).cloned().all(|entry| found.take(entry));
                return Ok(found.entries);
            }
            start
        };
        if start >= end {
            return Ok(found.entries);
        }
        // Whatever left memory is on disk; what is on disk but in memory too is the same.
        for row in self.rows.range(key::entry(self.shared.group, start)..key::entry(self.shared.group, end)) {
            let value = row.value().map_err(io::Error::other)?;
            let entry = open::<EntryV1>(&value).map_err(damaged)?.into();
            if !found.take(entry) {
                return Ok(found.entries);
            }
        }
        let next = found.entries.last().map_or(start, |entry| entry.log_id.index + 1);
        let tail = self.shared.read();
        if next >= tail.first() {
            tail.slice(next, end).cloned().all(|entry| found.take(entry));
        }
        Ok(found.entries)
    }
}

/// What a read has gathered.
struct Found {
    entries: Vec<Entry>,
    room: usize,
}

impl Found {
    /// False when the next one would be too much.
    fn take(&mut self, entry: Entry) -> bool {
        let weight = weight(&entry);
        if weight > self.room && !self.entries.is_empty() {
            return false;
        }
        self.room = self.room.saturating_sub(weight);
        self.entries.push(entry);
        true
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let start = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        self.entries(start, end, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.vote())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.entries(start, end, READ_BYTES)
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let tail = self.shared.read();
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (log, vote) = (self.shared.clone(), *vote);
        self.durably(|done| Op::Vote { log, vote, done }).await?;
        self.shared.set_vote(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.shared.set_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.committed())
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let sealed = entries.iter().map(|entry| (entry.log_id.index, seal(&EntryV1::from(entry)))).collect();
        {
            let mut tail = self.shared.write();
            entries.into_iter().for_each(|entry| tail.push(entry));
        }
        self.send(Op::Append { log: self.shared.clone(), entries: sealed, flushed })
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index + 1);
        let to = {
            let mut tail = self.shared.write();
            let to = tail.next();
            tail.truncate(last);
            to
        };
        if from >= to {
            return Ok(());
        }
        let log = self.shared.clone();
        self.durably(|done| Op::Truncate { log, from, to, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let from = {
            let mut tail = self.shared.write();
            let from = tail.purged.map_or(0, |id| id.index + 1);
            tail.purge(upto);
            from
        };
        // They leave the disk when they are archived.
        self.archivist.send(Purge { log: self.shared.clone(), from, upto }).map_err(|_| writer_gone())
    }
}

pub(super) fn get(rows: &Keyspace, key: key::Key) -> io::Result<Option<fjall::Slice>> {
    rows.get(key).map_err(io::Error::other)
}

pub(super) fn damaged(fault: strowger_link::EnvelopeFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

fn writer_gone() -> io::Error {
    io::Error::other("the log writer has stopped")
}
