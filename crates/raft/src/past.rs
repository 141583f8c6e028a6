//! A group's past, told again: from a state that was kept, entry by entry, as every node applied it then.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use strowger_link::open;
use strowger_model::GroupId;
use strowger_table::Machine;

use crate::AppliedEntry;
use crate::groups::Groups;
use crate::replica::apply_stamped;
use crate::store::Log;
use crate::store::archive::{Entries, Kept, Piece, directories, pieces};
use crate::types::{Entry, Payload};
use crate::v1::SnapshotV1;

/// Entries read from the log at once.
const PAGE_BYTES: usize = 1 << 20;

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PastFault {
    /// Too long ago, or this node was away: it took over a state without the entries that led there.
    #[error("entries of {group} from {from} on are not kept here")]
    NotKept {
        /// Whose.
        group: GroupId,
        /// The first that is missing.
        from: u64,
    },
    /// A file or the log cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
}

/// A state of the past, and the way on from it.
pub struct Past {
    group: GroupId,
    dir: PathBuf,
    machine: Machine,
    /// The entry that comes next.
    next: u64,
    /// The file that it is in.
    file: Option<Entries>,
    /// What is in no file yet, and its last entry that counts.
    log: Option<(Log, u64)>,
    page: std::vec::IntoIter<Entry>,
}

impl Groups {
    /// The past of a group from the newest state kept that knows nothing of the entry `index` yet. Blocks, and so does
    /// reading on.
    ///
    /// # Panics
    /// On a group that does not exist.
    pub fn past(&self, group: GroupId, index: u64) -> Result<Past, PastFault> {
        let inner = &self.handle.inner;
        let of = inner.group(group).expect("the caller asks for a group that exists");
        let log = Some((of.log.clone(), of.shared.view.get().applied));
        Past::open(inner.store.archive_of(group), group, index, log)
    }
}

impl Past {
    fn open(dir: PathBuf, group: GroupId, index: u64, log: Option<(Log, u64)>) -> Result<Self, PastFault> {
        let is_base = |piece: &&Piece| matches!(piece.kept, Kept::Snapshot { index: at } if at < index);
        let (machine, next) = match pieces(&dir).iter().rev().find(is_base) {
            Some(base) => state(group, &base.path)?,
            None => (Machine::new(group), 0),
        };
        Ok(Self { group, dir, machine, next, file: None, log, page: Vec::new().into_iter() })
    }

    /// The state after all that was told so far.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What was proposed next and applied; none: this is the present, or the end of what is kept.
    pub fn tell(&mut self) -> Result<Option<AppliedEntry>, PastFault> {
        loop {
            match self.step()? {
                Some(None) => {}
                told => return Ok(told.flatten()),
            }
        }
    }

    /// The next entry; none at the end. Not each is a proposal.
    fn step(&mut self) -> Result<Option<Option<AppliedEntry>>, PastFault> {
        let Some(entry) = self.entry()? else { return Ok(None) };
        let index = entry.log_id.index;
        self.next = index + 1;
        let Payload::Normal(stamped) = entry.payload else { return Ok(Some(None)) };
        let applied = apply_stamped(&mut self.machine, index, &stamped);
        Ok(Some(Some(applied.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?)))
    }

    /// In order and without a gap.
    fn entry(&mut self) -> Result<Option<Entry>, PastFault> {
        // While it is looked for it may go from the log to a file: so in both, twice.
        for _ in 0..4 {
            while let Some(entry) = self.read()? {
                match entry.log_id.index.cmp(&self.next) {
                    Ordering::Less => {}
                    Ordering::Equal => return Ok(Some(entry)),
                    Ordering::Greater => (self.file, self.page) = (None, Vec::new().into_iter()),
                }
            }
            if let Some(path) = self.file_of(self.next) {
                self.file = Some(Entries::open(&path)?);
                continue;
            }
            let Some((log, last)) = &self.log else { break };
            if self.next > *last {
                return Ok(None);
            }
            self.page = log.entries(self.next, last + 1, PAGE_BYTES)?.into_iter();
        }
        if self.log.is_none() && !self.goes_on() {
            return Ok(None);
        }
        Err(PastFault::NotKept { group: self.group, from: self.next })
    }

    fn read(&mut self) -> io::Result<Option<Entry>> {
        if let Some(file) = &mut self.file {
            match file.next()? {
                Some(entry) => return Ok(Some(entry)),
                None => self.file = None,
            }
        }
        Ok(self.page.next())
    }

    fn file_of(&self, index: u64) -> Option<PathBuf> {
        let has =
            |piece: &Piece| matches!(piece.kept, Kept::Entries { first, last } if (first..=last).contains(&index));
        pieces(&self.dir).into_iter().find(has).map(|piece| piece.path)
    }

    /// Without a log the past ends with the files of entries; the newest state is of later ones, which the log still has.
    fn goes_on(&self) -> bool {
        let is_later = |piece: &Piece| matches!(piece.kept, Kept::Entries { last, .. } if last >= self.next);
        pieces(&self.dir).iter().any(is_later)
    }
}

/// The state that a file keeps, and the entry after it.
fn state(group: GroupId, path: &Path) -> Result<(Machine, u64), PastFault> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    let bytes = std::fs::read(path)?;
    let snapshot: SnapshotV1 = open(&bytes).map_err(|fault| invalid(fault.to_string()))?;
    let machine = Machine::restore(group, &snapshot.machine).map_err(|fault| invalid(fault.to_string()))?;
    let last = snapshot.meta.last.map_or(0, |id| id.index);
    Ok((machine, last + 1))
}

/// What came of telling all of a group's past that is kept in files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Whose.
    pub group: GroupId,
    /// The first entry told; more than `last` if there is none.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// States kept on the way that came out as they were.
    pub states: usize,
    /// The first entry after which another state came out than the one that was kept.
    pub differs: Option<u64>,
}

/// Tells the past of each group in a data directory of the log again, and compares the states on the way with those that
/// were kept: whether what is decided follows from the log alone, on this build as on those of then. Its node may run.
pub fn replay(dir: &Path) -> Result<Vec<Replayed>, PastFault> {
    let archive = crate::store::archive_in(dir);
    let number = |dir: &PathBuf| dir.file_name()?.to_str()?.strip_prefix("group-")?.parse().ok();
    let mut groups: Vec<GroupId> = directories(&archive).iter().filter_map(number).map(GroupId).collect();
    groups.sort_unstable();
    groups.into_iter().map(|group| replay_one(archive.join(group.to_string()), group)).collect()
}

fn replay_one(dir: PathBuf, group: GroupId) -> Result<Replayed, PastFault> {
    let kept = pieces(&dir);
    let begins = kept.iter().map(|piece| piece.kept.first()).min().unwrap_or_default();
    let mut past = Past::open(dir, group, begins + 1, None)?;
    let mut replayed =
        Replayed { group, first: past.next, last: past.next.saturating_sub(1), states: 0, differs: None };
    while replayed.differs.is_none() && past.step()?.is_some() {
        replayed.last = past.next - 1;
        let is_here = |piece: &&Piece| piece.kept == Kept::Snapshot { index: replayed.last };
        let Some(piece) = kept.iter().find(is_here) else { continue };
        let (then, _) = state(group, &piece.path)?;
        if then.hash() == past.machine.hash() {
            replayed.states += 1;
        } else {
            replayed.differs = Some(replayed.last);
        }
    }
    Ok(replayed)
}
