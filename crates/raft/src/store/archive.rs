//! What the log was: entries that are purged from it, and the snapshots between them, kept as files for a time. Who asks
//! what became of a call of last week reads them; consensus never does.
//!
//! Nothing of it lies in the log's way. Entries are copied as they lie on the disk, when they are purged, by a thread of
//! its own that lets them go only then; a snapshot is kept by a second name of its file.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use fjall::Keyspace;
use strowger_link::open;
use strowger_model::GroupId;
use tokio::sync::oneshot;

use super::kept::{Kept, Retention, tidy};
use super::key;
use super::log::damaged;
use super::room;
use super::snapshots::sync_dir;
use super::tail::GroupLog;
use super::writer::Op;
use crate::types::{Entry, LogId};
use crate::v1::EntryV1;

/// Written and synced at once, with a pause after it: the log's own syncs go between.
const PIECE_BYTES: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(10);
/// An entry is a proposal of at most 1 MiB with its header; a file that names a longer one is damaged.
const MAX_ENTRY_BYTES: u32 = 4 << 20;
/// How often files are looked at that have become too old, or are in the log's way, where nothing new is written.
const LOOK: Duration = Duration::from_secs(60);

/// A request to the archive's thread.
pub(super) struct Purge {
    pub log: Arc<GroupLog>,
    pub from: u64,
    pub upto: LogId,
}

/// What the archive holds, for operators.
#[derive(Default, Debug)]
pub(crate) struct Held {
    bytes: AtomicU64,
    /// Seconds since the Unix epoch of the oldest file; 0 without one.
    oldest: AtomicU64,
    /// Pieces of the past that could not be written.
    lost: AtomicU64,
}

/// The same, as it is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ArchiveNow {
    /// Of all files. A snapshot in use counts though its space is the log's, too.
    pub bytes: u64,
    /// How far it reaches back, from now; none while it is empty.
    pub reaches_back: Option<Duration>,
    /// Pieces of the past that were not kept because the disk did not take them, since the start.
    pub lost: u64,
}

impl Held {
    pub fn now(&self) -> ArchiveNow {
        let oldest = SystemTime::UNIX_EPOCH + Duration::from_secs(self.oldest.load(Relaxed));
        let reaches_back = (self.oldest.load(Relaxed) > 0).then(|| oldest.elapsed().unwrap_or_default());
        ArchiveNow { bytes: self.bytes.load(Relaxed), reaches_back, lost: self.lost.load(Relaxed) }
    }
}

/// The archive's thread.
pub(super) struct Archivist {
    dir: PathBuf,
    retention: Retention,
    rows: Keyspace,
    writer: mpsc::Sender<Op>,
    held: Arc<Held>,
}

impl Archivist {
    /// Takes requests until all senders are gone.
    #[expect(clippy::disallowed_methods, reason = "one a snapshot and group")]
    pub fn spawn(
        dir: PathBuf,
        retention: Retention,
        rows: Keyspace,
        writer: mpsc::Sender<Op>,
        held: Arc<Held>,
    ) -> io::Result<mpsc::Sender<Purge>> {
        fs::create_dir_all(&dir)?;
        let (sender, requests) = mpsc::channel();
        let archivist = Archivist { dir, retention, rows, writer, held };
        std::thread::Builder::new().name("archive".into()).spawn(move || archivist.run(&requests))?;
        Ok(sender)
    }

    fn run(self, requests: &mpsc::Receiver<Purge>) {
        self.tidy();
        loop {
            match requests.recv_timeout(LOOK) {
                Ok(purge) => self.take(purge),
                Err(mpsc::RecvTimeoutError::Timeout) => self.tidy(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&self, purge: Purge) {
        let Purge { log, from, upto } = purge;
        if room::is_short(&self.dir) {
            self.tidy();
        }
        if !self.retention.age.is_zero()
            && let Err(fault) = self.keep(&log, from, upto.index)
        {
            // A full disk forgets the past rather than stop the present.
            self.held.lost.fetch_add(1, Relaxed);
            let group = log.group;
            tracing::error!(%group, from, upto = upto.index, %fault, "entries were not archived and will not be explained");
        }
        // Gone only while the node ends: then they are purged again.
        let _ending = self.writer.send(Op::Purge { log, from, upto });
        self.tidy();
    }

    fn keep(&self, log: &Arc<GroupLog>, from: u64, upto: u64) -> io::Result<()> {
        // What is committed may still be on its way to the disk.
        let (done, written) = oneshot::channel();
        let stopped = || io::Error::other("the log writer has stopped");
        self.writer.send(Op::Flush { logs: Vec::new(), done }).map_err(|_| stopped())?;
        written.blocking_recv().map_err(|_| stopped())?;
        let dir = self.dir.join(log.group.to_string());
        fs::create_dir_all(&dir)?;
        let unfinished = dir.join("unfinished");
        let copied = self.copy(log.group, (from, upto), &unfinished);
        match copied {
            Ok(Some((first, last))) => fs::rename(&unfinished, dir.join(Kept::Entries { first, last }.name()))?,
            Ok(None) => fs::remove_file(&unfinished)?,
            Err(fault) => {
                // On a full disk the log needs its space more.
                let _never_begun = fs::remove_file(&unfinished);
                return Err(fault);
            }
        }
        sync_dir(&dir)
    }

    /// The first and the last entry that there were.
    fn copy(&self, group: GroupId, (from, upto): (u64, u64), to: &Path) -> io::Result<Option<(u64, u64)>> {
        room::check(&self.dir)?;
        let mut file = Pieces::new(to)?;
        let mut range = None;
        for row in self.rows.range(key::entry(group, from)..=key::entry(group, upto)) {
            let (key, value) = row.into_inner().map_err(io::Error::other)?;
            let index = key::index(&key).ok_or_else(|| io::Error::other("a key of another length"))?;
            range = Some((range.map_or(index, |(first, _)| first), index));
            file.write(&value)?;
        }
        file.finish()?;
        Ok(range)
    }

    fn tidy(&self) {
        let (bytes, oldest) = tidy(&self.dir, self.retention, || room::is_short(&self.dir));
        let since = oldest.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        self.held.bytes.store(bytes, Relaxed);
        self.held.oldest.store(since.map_or(0, |since| since.as_secs()), Relaxed);
    }
}

/// Another name for a snapshot's file, which stays when the next one takes its place.
pub(super) fn keep_snapshot(archive: &Path, group: GroupId, index: u64, file: &Path) -> io::Result<()> {
    room::check(archive)?;
    let dir = archive.join(group.to_string());
    fs::create_dir_all(&dir)?;
    match fs::hard_link(file, dir.join(Kept::Snapshot { index }.name())) {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// A file of records: each its length and the entry as the log had it, with its own checksum.
struct Pieces {
    file: BufWriter<File>,
    unsynced: usize,
}

impl Pieces {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(File::create(path)?), unsynced: 0 })
    }

    fn write(&mut self, entry: &[u8]) -> io::Result<()> {
        let length = u32::try_from(entry.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(entry)?;
        self.unsynced += entry.len();
        if self.unsynced >= PIECE_BYTES {
            self.unsynced = 0;
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Reads a file of entries from its beginning.
pub(crate) struct Entries {
    path: PathBuf,
    file: BufReader<File>,
}

impl Entries {
    pub fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(&path)?), path })
    }

    /// None at the end.
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        self.read().map_err(|fault| io::Error::new(fault.kind(), format!("{}: {fault}", self.path.display())))
    }

    fn read(&mut self) -> io::Result<Option<Entry>> {
        let mut length = [0; 4];
        match self.file.read_exact(&mut length) {
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let length = u32::from_le_bytes(length);
        if length > MAX_ENTRY_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an entry of {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        Ok(Some(open::<EntryV1>(&bytes).map_err(damaged)?.into()))
    }
}
