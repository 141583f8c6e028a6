//! Which files of the archive are kept: what each holds, and what goes when it is too old, too much, or in the log's way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::room;

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

/// Before the log is opened: a disk that the past has filled would refuse it.
pub(super) fn make_room(archive: &Path, retention: Retention) {
    if room::is_short(archive) {
        tidy(archive, retention, || room::is_short(archive));
    }
}

/// Removes what is too old, too much, or in the log's way, from the oldest end. What is left: its bytes, and the oldest.
pub(super) fn tidy(dir: &Path, retention: Retention, is_short: impl Fn() -> bool) -> (u64, Option<SystemTime>) {
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

/// What a file of the archive holds, as its name says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kept {
    /// The state after this entry.
    Snapshot { index: u64 },
    /// These entries.
    Entries { first: u64, last: u64 },
}

impl Kept {
    pub(super) fn name(self) -> String {
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use strowger_model::GroupId;

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
