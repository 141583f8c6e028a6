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

const ENTRIES: &str = "entries";
const SNAPSHOT: &str = "snapshot";

/// How long the past is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// What happened longer ago than this goes; zero: nothing is kept.
    pub age: Duration,
    /// And so does the oldest beyond this, over all groups.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 86_400), bytes: 20 << 30 }
    }
}

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

/// Before the log is opened: a disk that the past has filled would refuse it.
pub(super) fn make_room(archive: &Path, retention: Retention) {
    if room::is_short(archive) {
        tidy(archive, retention, || room::is_short(archive));
    }
}

/// Removes what is too old, too much, or in the log's way, from the oldest end. What is left: its bytes, and the oldest.
fn tidy(dir: &Path, retention: Retention, is_short: impl Fn() -> bool) -> (u64, Option<SystemTime>) {
    let mut groups: Vec<Vec<Piece>> = directories(dir).into_iter().map(|dir| pieces(&dir)).collect();
    let cutoff = now().checked_sub(retention.age).unwrap_or(SystemTime::UNIX_EPOCH);
    for pieces in &mut groups {
        if let Some(base) = base_of(pieces, cutoff) {
            before(pieces, base).iter().for_each(remove);
        }
    }
    let total = |groups: &[Vec<Piece>]| groups.iter().flatten().map(|piece| piece.bytes).sum::<u64>();
    let mut gave_way = false;
    loop {
        let is_much = total(&groups) > retention.bytes;
        if !is_much && !is_short() {
            break;
        }
        let next = groups.iter_mut().filter_map(|pieces| Some((pieces.first()?.made, next_base(pieces)?, pieces)));
        let Some((_, base, pieces)) = next.min_by_key(|(made, ..)| *made) else { break };
        gave_way |= !is_much;
        before(pieces, base).iter().for_each(remove);
    }
    if gave_way {
        tracing::error!(
            "the disk of data_dir is nearly full: the oldest of the archive went before its time, and is not explained any \
             more; give it more room, or keep less ([archive] in the node's file)"
        );
    }
    (total(&groups), groups.iter().flatten().map(|piece| piece.made).min())
}

fn remove(piece: &Piece) {
    if let Err(fault) = fs::remove_file(&piece.path) {
        tracing::warn!(path = %piece.path.display(), %fault, "a file of the archive was not removed");
    }
}

#[expect(clippy::disallowed_methods, reason = "files have the system's time")]
fn now() -> SystemTime {
    SystemTime::now()
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

/// What a file of the archive holds, as its name says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kept {
    /// The state after this entry.
    Snapshot { index: u64 },
    /// These entries.
    Entries { first: u64, last: u64 },
}

impl Kept {
    fn name(self) -> String {
        match self {
            Kept::Snapshot { index } => format!("{index:020}.{SNAPSHOT}"),
            Kept::Entries { first, last } => format!("{first:020}-{last:020}.{ENTRIES}"),
        }
    }

    fn of(name: &str) -> Option<Self> {
        let (numbers, kind) = name.split_once('.')?;
        match kind {
            SNAPSHOT => Some(Kept::Snapshot { index: numbers.parse().ok()? }),
            ENTRIES => {
                let (first, last) = numbers.split_once('-')?;
                Some(Kept::Entries { first: first.parse().ok()?, last: last.parse().ok()? })
            }
            _ => None,
        }
    }

    /// The first entry that it tells of.
    pub fn first(self) -> u64 {
        match self {
            Kept::Snapshot { index } => index,
            Kept::Entries { first, .. } => first,
        }
    }

    /// The last one.
    pub fn last(self) -> u64 {
        match self {
            Kept::Snapshot { index } => index,
            Kept::Entries { last, .. } => last,
        }
    }
}

/// A file of one group's past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub kept: Kept,
    pub path: PathBuf,
    bytes: u64,
    /// Not before anything in it happened.
    made: SystemTime,
}

#[cfg(test)]
impl Piece {
    /// Of no bytes, made long ago.
    pub fn of(kept: Kept) -> Self {
        Self { kept, path: kept.name().into(), bytes: 0, made: SystemTime::UNIX_EPOCH }
    }
}

/// The directories of the groups, in the order of their names.
pub(crate) fn directories(archive: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(archive).into_iter().flatten().flatten().map(|dir| dir.path()).collect();
    dirs.retain(|dir| dir.is_dir());
    dirs.sort();
    dirs
}

/// The files of one group in the order of what they tell; none of a directory that is not there.
pub(crate) fn pieces(dir: &Path) -> Vec<Piece> {
    let piece = |file: fs::DirEntry| {
        let kept = Kept::of(file.file_name().to_str()?)?;
        let about = file.metadata().ok()?;
        Some(Piece { kept, path: file.path(), bytes: about.len(), made: about.modified().ok()? })
    };
    let mut pieces: Vec<Piece> = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(piece).collect();
    pieces.sort_by_key(|piece| (piece.kept.last(), piece.kept));
    pieces
}

/// The newest state from before `cutoff`: entries are told from a state on, so it stays, and all that comes after it.
fn base_of(pieces: &[Piece], cutoff: SystemTime) -> Option<u64> {
    let is_base = |piece: &&Piece| matches!(piece.kept, Kept::Snapshot { .. }) && piece.made < cutoff;
    pieces.iter().filter(is_base).map(|piece| piece.kept.last()).max()
}

/// The state from which a group's past begins when the oldest of it is given up; none: there is only its newest.
fn next_base(pieces: &[Piece]) -> Option<u64> {
    let is_state = |piece: &&Piece| matches!(piece.kept, Kept::Snapshot { .. });
    let mut states = pieces.iter().filter(is_state).map(|piece| piece.kept.last());
    match pieces.first()?.kept {
        Kept::Entries { .. } => states.next(),
        Kept::Snapshot { .. } => states.nth(1),
    }
}

/// Takes out what is told by what comes from `base` on without it.
fn before(pieces: &mut Vec<Piece>, base: u64) -> Vec<Piece> {
    let is_told = |piece: &Piece| match piece.kept {
        Kept::Snapshot { index } => index < base,
        Kept::Entries { last, .. } => last <= base,
    };
    let (gone, kept) = std::mem::take(pieces).into_iter().partition(is_told);
    *pieces = kept;
    gone
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::harness::TempDir;

    fn piece(kept: Kept, day: u64) -> Piece {
        Piece { bytes: 10, made: SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400), ..Piece::of(kept) }
    }

    fn month() -> Vec<Piece> {
        let entries = |first, last, day| piece(Kept::Entries { first, last }, day);
        let state = |index, day| piece(Kept::Snapshot { index }, day);
        vec![entries(0, 80, 3), state(100, 2), entries(81, 180, 5), state(200, 4), entries(181, 280, 7), state(300, 6)]
    }

    fn left(pieces: &[Piece]) -> Vec<Kept> {
        pieces.iter().map(|piece| piece.kept).collect()
    }

    #[test]
    fn names_say_what_a_file_holds() {
        for kept in [Kept::Snapshot { index: 7 }, Kept::Entries { first: 3, last: u64::MAX }] {
            assert_eq!(Kept::of(&kept.name()), Some(kept));
        }
        for other in ["unfinished", "7.txt", "a-b.entries", "lost+found", "7-.entries"] {
            assert_eq!(Kept::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_too_old_goes_but_for_the_state_from_which_the_rest_is_told() {
        let at = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let mut pieces = month();
        let mut goes = |day| base_of(&pieces, at(day)).map_or(0, |base| before(&mut pieces, base).len());
        assert_eq!([goes(1), goes(3), goes(5), goes(5)], [0, 1, 2, 0]);
        assert_eq!(left(&pieces)[0], Kept::Snapshot { index: 200 });
        let base = base_of(&pieces, at(1000)).unwrap();
        before(&mut pieces, base);
        assert_eq!(left(&pieces), [Kept::Snapshot { index: 300 }]);
    }

    /// Of two groups the oldest goes first, and the newest state of each stays, whatever the disk lacks.
    #[test]
    fn what_is_kept_leaves_room_for_the_log() {
        let dir = TempDir::new();
        let name = |group: u16, kept: Kept| dir.path().join(GroupId(group).to_string()).join(kept.name());
        let mut all = Vec::new();
        for group in [0, 1] {
            fs::create_dir_all(dir.path().join(GroupId(group).to_string())).unwrap();
            for (age, index) in [(3, 100), (2, 200), (1, 300)] {
                let made = now() - Duration::from_secs(age * 10 + u64::from(group));
                for kept in [Kept::Entries { first: index - 99, last: index }, Kept::Snapshot { index }] {
                    let file = File::create(name(group, kept)).unwrap();
                    file.set_modified(made).unwrap();
                    all.push(name(group, kept));
                }
            }
        }
        let left = || all.iter().filter(|path| path.exists()).count();
        let retention = Retention::default();
        tidy(dir.path(), retention, || false);
        assert_eq!(left(), 12, "there is room");
        tidy(dir.path(), retention, || left() > 9);
        assert!((7..=9).contains(&left()), "{}", left());
        tidy(dir.path(), retention, || true);
        let newest = [0, 1].map(|group| name(group, Kept::Snapshot { index: 300 }).exists());
        assert_eq!((newest, left()), ([true, true], 2));
    }

    #[test]
    fn what_is_too_much_goes_from_its_oldest_end() {
        let mut pieces = month();
        let mut sizes = Vec::new();
        while let Some(base) = next_base(&pieces) {
            before(&mut pieces, base);
            sizes.push(pieces.len());
        }
        assert_eq!(sizes, [5, 3, 1]);
        assert_eq!(left(&pieces), [Kept::Snapshot { index: 300 }], "the newest state stays");
        assert_eq!(next_base(&[]), None);
    }
}
