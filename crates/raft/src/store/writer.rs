//! The one thread that writes: requests of all groups that wait are made durable together, by one fsync.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fjall::{Database, Keyspace, PersistMode};
use openraft::storage::IOFlushed;
use strowger_link::seal;
use strowger_model::GroupId;
use tokio::sync::oneshot;

use super::key::{self, Key};
use super::tail::GroupLog;
use crate::clock;
use crate::stats::Stats;
use crate::types::{LogId, Types, Vote};
use crate::v1::{MarkV1, VoteV1};

/// Bytes taken into one batch: beyond it the disk's own speed counts, not the number of fsyncs.
const BATCH_BYTES: usize = 4 << 20;
/// Purged entries removed with one batch, so that a purge of 50 000 never holds up a commit.
const PURGE_PER_BATCH: u64 = 512;
/// With nothing to write, the next piece of a purge is removed after this long.
const PURGE_PAUSE: Duration = Duration::from_millis(5);

/// A request to the writer thread.
pub(super) enum Op {
    Append {
        log: Arc<GroupLog>,
        entries: Vec<(u64, Vec<u8>)>,
        flushed: IOFlushed<Types>,
    },
    Vote {
        log: Arc<GroupLog>,
        vote: Vote,
        done: oneshot::Sender<()>,
    },
    /// Entries from `from` up to before `to` go, and are gone when `done` fires.
    Truncate {
        log: Arc<GroupLog>,
        from: u64,
        to: u64,
        done: oneshot::Sender<()>,
    },
    /// Entries from `from` up to `upto` will not be read again.
    Purge {
        log: Arc<GroupLog>,
        from: u64,
        upto: LogId,
    },
    /// Everything before it is durable when `done` fires.
    Flush {
        logs: Vec<Arc<GroupLog>>,
        done: oneshot::Sender<()>,
    },
}

/// Takes requests until all senders are gone.
pub(super) struct Writer {
    db: Database,
    rows: Keyspace,
    requests: Receiver<Op>,
    purges: VecDeque<Purge>,
    stats: Arc<Stats>,
}

struct Purge {
    group: GroupId,
    next: u64,
    last: u64,
}

/// What one fsync makes durable. All rows of a batch get one sequence number in the database, so a row is in it once.
#[derive(Default)]
struct Batch {
    rows: BTreeMap<Key, Option<Vec<u8>>>,
    bytes: usize,
    entries: u64,
    logs: BTreeMap<GroupId, (Arc<GroupLog>, u64)>,
    after: Vec<After>,
    /// Someone waits for the fsync.
    durable: bool,
}

enum After {
    Appended { log: Arc<GroupLog>, next: u64, flushed: IOFlushed<Types> },
    Done(oneshot::Sender<()>),
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "the consensus bounds what it appends")]
    pub fn spawn(db: Database, rows: Keyspace, stats: Arc<Stats>) -> io::Result<mpsc::Sender<Op>> {
        let (sender, requests) = mpsc::channel();
        let writer = Writer { db, rows, requests, purges: VecDeque::new(), stats };
        std::thread::Builder::new().name("log-writer".into()).spawn(move || writer.run())?;
        Ok(sender)
    }

    fn run(mut self) {
        loop {
            let first = if self.purges.is_empty() {
                self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.requests.recv_timeout(PURGE_PAUSE)
            };
            let mut batch = Batch::default();
            match first {
                Ok(op) => self.take(&mut batch, op),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while batch.bytes < BATCH_BYTES
                && let Ok(op) = self.requests.try_recv()
            {
                self.take(&mut batch, op);
            }
            self.purge_some(&mut batch);
            self.write(batch);
        }
    }

    fn take(&mut self, batch: &mut Batch, op: Op) {
        match op {
            Op::Append { log, entries, flushed } => {
                batch.durable = true;
                batch.entries += entries.len() as u64;
                let next = entries.last().map_or(0, |(index, _)| index + 1);
                for (index, bytes) in entries {
                    batch.put(key::entry(log.group, index), bytes);
                }
                batch.reaches(&log, next);
                batch.after.push(After::Appended { log, next, flushed });
            }
            Op::Vote { log, vote, done } => {
                batch.durable = true;
                batch.put(key::vote(log.group), seal(&VoteV1::from(vote)));
                batch.after.push(After::Done(done));
            }
            Op::Truncate { log, from, to, done } => {
                batch.durable = true;
                (from..to).for_each(|index| batch.remove(key::entry(log.group, index)));
                batch.logs.remove(&log.group);
                batch.after.push(After::Done(done));
            }
            Op::Purge { log, from, upto } => {
                batch.put(key::purged(log.group), seal(&MarkV1 { id: upto.into() }));
                self.purges.push_back(Purge { group: log.group, next: from, last: upto.index });
            }
            Op::Flush { logs, done } => {
                batch.durable = true;
                logs.iter().for_each(|log| batch.reaches(log, 0));
                batch.after.push(After::Done(done));
            }
        }
    }

    fn purge_some(&mut self, batch: &mut Batch) {
        let mut room = PURGE_PER_BATCH;
        while room > 0
            && let Some(purge) = self.purges.front_mut()
        {
            let upto = purge.last.min(purge.next + room - 1);
            (purge.next..=upto).for_each(|index| batch.remove(key::entry(purge.group, index)));
            room -= (upto + 1).saturating_sub(purge.next);
            purge.next = upto + 1;
            if purge.next > purge.last {
                self.purges.pop_front();
            }
        }
    }

    fn write(&self, mut batch: Batch) {
        for (log, next) in batch.logs.values() {
            let durable_next = (*next).max(log.read().durable_next());
            if let Some(id) = log.take_committed(durable_next) {
                batch.rows.insert(key::committed(log.group), Some(seal(&MarkV1 { id: id.into() })));
            }
        }
        let mode = batch.durable.then_some(PersistMode::SyncData);
        let mut rows = self.db.batch().durability(mode);
        for (key, value) in batch.rows {
            match value {
                Some(value) => rows.insert(&self.rows, key.as_slice(), value),
                None => rows.remove(&self.rows, key.as_slice()),
            }
        }
        let begun = clock::boottime();
        if let Err(fault) = rows.commit() {
            stop_node(&fault);
        }
        if batch.durable {
            self.stats.fsync.record(clock::boottime().since(begun));
            self.stats.batches_written.fetch_add(1, Relaxed);
            self.stats.entries_written.fetch_add(batch.entries, Relaxed);
        }
        batch.after.into_iter().for_each(After::run);
    }
}

impl Batch {
    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.rows.insert(key, Some(value));
    }

    fn remove(&mut self, key: Key) {
        self.bytes += key.len();
        self.rows.insert(key, None);
    }

    /// With this batch the log is durable up to before `next`.
    fn reaches(&mut self, log: &Arc<GroupLog>, next: u64) {
        let reached = self.logs.entry(log.group).or_insert_with(|| (log.clone(), next));
        reached.1 = reached.1.max(next);
    }
}

impl After {
    fn run(self) {
        match self {
            After::Appended { log, next, flushed } => {
                log.write().made_durable(next);
                flushed.io_completed(Ok(()));
            }
            // Whoever asked may have been shut down meanwhile.
            After::Done(done) => drop(done.send(())),
        }
    }
}

/// After a failed fsync nobody knows what the disk holds, and asking it again may say Ok about lost pages. Another
/// voter has the entries: this process ends at once, before it acknowledges anything.
fn stop_node(fault: &fjall::Error) -> ! {
    tracing::error!(%fault, "the log could not be written: this node stops; check its disk, then start it again");
    std::process::abort();
}
