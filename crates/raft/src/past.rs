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
use crate::store::archive::Entries;
use crate::store::kept::{Kept, Piece, directories, pieces};
use crate::types::{Entry, Payload};
use crate::v1::SnapshotV1;

/// Entries read from the log at once.
const PAGE_BYTES: usize = 1 << 20;

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PastFault {
    /// Too long ago, or this node was away: it took over a state without the entries that led there.
    #[error("entries {from} to {upto} of {} cannot be told: not all are kept here", name(.group))]
    NotKept {
        /// Whose.
        group: GroupId,
        /// The first that is missing.
        from: u64,
        /// The last before the past can be told again: that of the next state that is kept, or of all.
        upto: u64,
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
                self.file = Some(Entries::open(path)?);
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
        let ends = self.log.as_ref().map_or(self.next, |(_, last)| *last);
        let upto = resumes(&pieces(&self.dir), self.next).unwrap_or(ends);
        Err(PastFault::NotKept { group: self.group, from: self.next, upto })
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

/// Behind a gap at `next` the past is told again from the first state that is kept together with what followed it, in a
/// file or, behind all files, in the log; this is its entry.
fn resumes(pieces: &[Piece], next: u64) -> Option<u64> {
    let goes_on = |index: u64| {
        let mut files = pieces.iter().filter_map(|piece| match piece.kept {
            Kept::Entries { first, last } if last > index => Some(first),
            _ => None,
        });
        files.clone().next().is_none() || files.any(|first| first <= index + 1)
    };
    let state = |piece: &Piece| matches!(piece.kept, Kept::Snapshot { .. }).then(|| piece.kept.last());
    pieces.iter().filter_map(state).find(|index| *index >= next && goes_on(*index))
}

/// As operators know it.
fn name(group: &GroupId) -> String {
    group.shard().map_or_else(|| "the control group".to_owned(), |shard| shard.to_string())
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
    /// In order; none: nothing is archived yet.
    pub parts: Vec<Part>,
}

/// A part of a group's past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Entries that were told.
    Told {
        /// The first of them.
        first: u64,
        /// The last one.
        last: u64,
        /// States kept on the way that came out as they were.
        states: usize,
        /// States kept on the way that cannot be read, by their last entry.
        unread: Vec<u64>,
        /// Whether after the last entry another state came out than the one that was kept. Then nothing is told beyond: it
        /// would only differ again.
        differs: bool,
    },
    /// Entries that cannot be told. What follows them is told from the state that is kept after the last.
    Missing {
        /// The first of them.
        from: u64,
        /// The last one.
        upto: u64,
        /// What is kept and cannot be read; none: not all of them are kept.
        damage: Option<String>,
    },
}

impl Part {
    /// The last entry that it is about.
    fn last(&self) -> u64 {
        match *self {
            Part::Told { last, .. } => last,
            Part::Missing { upto, .. } => upto,
        }
    }
}

/// Tells the past of each group in a data directory of the log again, and compares the states on the way with those that
/// were kept: whether what is decided follows from the log alone, on this build as on those of then. Each group is told
/// for itself, and goes on behind a gap. Its node may run.
pub fn replay(dir: &Path) -> Vec<Replayed> {
    let archive = crate::store::archive_in(dir);
    let number = |dir: &PathBuf| dir.file_name()?.to_str()?.strip_prefix("group-")?.parse().ok();
    let mut groups: Vec<GroupId> = directories(&archive).iter().filter_map(number).map(GroupId).collect();
    groups.sort_unstable();
    groups.into_iter().map(|group| replay_one(&archive.join(group.to_string()), group)).collect()
}

fn replay_one(dir: &Path, group: GroupId) -> Replayed {
    let kept = pieces(dir);
    let first = kept.iter().map(|piece| piece.kept.first()).min().unwrap_or_default();
    // What is older than the oldest state that is kept went with its time, unless the log begins there.
    let states =
        kept.iter().filter(|piece| matches!(piece.kept, Kept::Snapshot { .. })).map(|piece| piece.kept.first());
    let begins = if first <= 1 { first } else { states.min().unwrap_or(first) };
    let ends = kept.iter().map(|piece| piece.kept.last()).max().unwrap_or_default();
    let mut parts: Vec<Part> = Vec::new();
    let mut base = begins;
    // Each round begins at a later state.
    loop {
        let opened = Past::open(dir.to_owned(), group, base + 1, None);
        let Err(fault) = opened.and_then(|past| tell_on(past, &kept, &mut parts)) else { break };
        let from = parts.last().map_or(begins, |part| part.last() + 1);
        let again = resumes(&kept, from);
        miss(&mut parts, from, again.unwrap_or(ends), &fault);
        let Some(again) = again else { break };
        base = again;
    }
    Replayed { group, parts }
}

/// As far as it goes.
fn tell_on(mut past: Past, kept: &[Piece], parts: &mut Vec<Part>) -> Result<(), PastFault> {
    let (first, mut states, mut unread, mut differs) = (past.next, 0, Vec::new(), false);
    let ended = loop {
        match past.step() {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(fault) => break Err(fault),
        }
        let is_here = |piece: &&Piece| piece.kept == Kept::Snapshot { index: past.next - 1 };
        let Some(piece) = kept.iter().find(is_here) else { continue };
        match state(past.group, &piece.path) {
            Ok((then, _)) if then.hash() == past.machine.hash() => states += 1,
            Ok(_) => {
                differs = true;
                break Ok(());
            }
            Err(_) => unread.push(past.next - 1),
        }
    };
    if past.next > first {
        parts.push(Part::Told { first, last: past.next - 1, states, unread, differs });
    }
    ended
}

/// Gaps with no entry told between them are one.
fn miss(parts: &mut Vec<Part>, from: u64, upto: u64, fault: &PastFault) {
    match parts.last_mut() {
        Some(Part::Missing { upto: before, .. }) => *before = upto,
        _ => {
            let damage = matches!(fault, PastFault::Unreadable(_)).then(|| fault.to_string());
            parts.push(Part::Missing { from, upto, damage });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_gap_it_goes_on_from_a_state_with_what_followed() {
        let entries = |first, last| Piece::of(Kept::Entries { first, last });
        let state = |index| Piece::of(Kept::Snapshot { index });
        let kept = [state(100), state(200), entries(181, 280), state(300), entries(381, 480), state(500)];
        let resumed = [0, 101, 201, 281, 301, 481, 501].map(|next| resumes(&kept, next));
        assert_eq!(resumed, [Some(200), Some(200), Some(500), Some(500), Some(500), Some(500), None]);
    }
}
