//! A node's data directory: one database for the logs of all groups and the node's identity, one file per snapshot, and
//! beside them what both were before.
//!
//! One keyspace holds everything that the database keeps, because an idle one would pin the journals of the others;
//! and the identity lies beside the log, because a node without its log is not the same voter any more.

pub(crate) mod archive;
mod identity;
pub(crate) mod kept;
mod key;
mod log;
mod room;
mod snapshots;
mod tail;
mod writer;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use strowger_model::{GroupId, NodeId};
use tokio::sync::oneshot;

pub use archive::ArchiveNow;
pub(crate) use identity::Started;
pub use identity::StoreId;
pub use kept::Retention;
pub(crate) use log::Log;
pub(crate) use snapshots::Snapshots;

use crate::stats::Stats;
use archive::{Archivist, Held, Purge};
use writer::{Op, Writer};

/// Written and synced before anything else at each start: a full or read-only disk is found here, not by the first
/// commit. More than a batch of the log.
const PROBE_BYTES: usize = 8 << 20;
/// Threads of the database that move rows from memory into tables.
const DATABASE_THREADS: usize = 2;

/// Why a data directory was not opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum StoreError {
    #[error("data directory {dir} cannot be written: {source}; free space on its disk or correct its permissions")]
    NotWritable { dir: PathBuf, source: io::Error },
    #[error("data directory {dir} is in use by another process; stop that one, or give this node its own directory")]
    InUse { dir: PathBuf },
    #[error(
        "data directory {dir} belongs to {found}, and this is {me}; give {me} its own directory, or start {found} here"
    )]
    OtherNode { dir: PathBuf, found: NodeId, me: NodeId },
    #[error(
        "data directory {dir} holds {found} shards and the configuration says {wanted}; the number is fixed at first start"
    )]
    OtherShards { dir: PathBuf, found: u16, wanted: u16 },
    #[error(
        "data directory {dir} has snapshots but no log: part of it was lost; bring that back, or keep this node off: the \
         others go on without it, and a voter with a blank directory takes no part"
    )]
    LogLost { dir: PathBuf },
    #[error(
        "data directory {dir} is damaged: {why}; keep this node off and the directory for analysis: the others go on \
         without it, and a voter with a blank directory takes no part"
    )]
    Damaged { dir: PathBuf, why: String },
}

/// An open data directory.
#[derive(Clone)]
pub(crate) struct Store {
    dir: PathBuf,
    db: Database,
    rows: Keyspace,
    writer: mpsc::Sender<Op>,
    archivist: mpsc::Sender<Purge>,
    keeps_snapshots: bool,
    held: Arc<Held>,
}

impl Store {
    /// Blocks: opening replays the database's journal.
    pub fn open(
        dir: &Path,
        (me, shards): (NodeId, u16),
        retention: Retention,
        stats: Arc<Stats>,
    ) -> Result<(Self, Started), StoreError> {
        let not_writable = |source| StoreError::NotWritable { dir: dir.to_owned(), source };
        kept::make_room(&archive_in(dir), retention);
        probe(dir).map_err(not_writable)?;
        let fault = |fault: fjall::Error| match fault {
            fjall::Error::Locked => StoreError::InUse { dir: dir.to_owned() },
            other => StoreError::Damaged { dir: dir.to_owned(), why: other.to_string() },
        };
        let db = Database::builder(dir.join("log")).worker_threads(DATABASE_THREADS).open().map_err(fault)?;
        let rows = db.keyspace("rows", KeyspaceCreateOptions::default).map_err(fault)?;
        let started = identity::take_incarnation(dir, &db, &rows, me, shards)?;
        let writer = Writer::spawn(db.clone(), rows.clone(), stats).map_err(not_writable)?;
        let held = Arc::new(Held::default());
        let archivist = Archivist::spawn(archive_in(dir), retention, rows.clone(), writer.clone(), held.clone());
        let archivist = archivist.map_err(not_writable)?;
        let keeps_snapshots = !retention.age.is_zero();
        Ok((Self { dir: dir.to_owned(), db, rows, writer, archivist, keeps_snapshots, held }, started))
    }

    pub fn log(&self, group: GroupId) -> Result<Log, StoreError> {
        Log::recover(group, &self.rows, self.writer.clone(), self.archivist.clone())
            .map_err(|why| StoreError::Damaged { dir: self.dir.clone(), why: format!("log of {group}: {why}") })
    }

    pub fn snapshots(&self, group: GroupId) -> Snapshots {
        let archive = self.keeps_snapshots.then(|| archive_in(&self.dir));
        Snapshots::new(&snapshot_dir(&self.dir), archive, group)
    }

    /// Where the past of a group lies.
    pub fn archive_of(&self, group: GroupId) -> PathBuf {
        archive_in(&self.dir).join(group.to_string())
    }

    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Durable on return.
    pub async fn make_member(&self) -> io::Result<()> {
        let (db, rows) = (self.db.clone(), self.rows.clone());
        tokio::task::spawn_blocking(move || identity::make_member(&db, &rows)).await.map_err(io::Error::other)?
    }

    /// Writes what has been waiting for a batch to travel with.
    pub async fn flush(&self, logs: &[Log]) {
        let logs = logs.iter().map(|log| log.shared().clone()).collect();
        let (done, finished) = oneshot::channel();
        if self.writer.send(Op::Flush { logs, done }).is_ok() {
            let _writer_stopped = finished.await;
        }
    }
}

fn snapshot_dir(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}

/// Of all groups.
pub(crate) fn archive_in(dir: &Path) -> PathBuf {
    dir.join("archive")
}

fn probe(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(snapshot_dir(dir))?;
    let path = dir.join("probe");
    let mut file = File::create(&path)?;
    // Not zeros: some file systems store those without taking space.
    let written = file.write_all(&vec![0xa5; PROBE_BYTES]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written?;
    snapshots::sync_dir(dir)
}
