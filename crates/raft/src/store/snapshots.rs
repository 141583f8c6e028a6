//! Snapshots on disk: one file a group, replaced whole by a rename, so that there is always one that is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use strowger_link::{open, seal};
use strowger_model::GroupId;

use super::archive::keep_snapshot;
use crate::types::{Snapshot, SnapshotMeta};
use crate::v1::SnapshotV1;

/// The files of one group. All calls block.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    group: GroupId,
    file: PathBuf,
    /// Up to which entry the newest stands for that this process wrote. Held while one is written: what is built here and
    /// what a leader sent may come at once.
    newest: Arc<Mutex<u64>>,
    /// Keeps each when the next takes its place; none: they go.
    archive: Option<PathBuf>,
}

impl Snapshots {
    pub(super) fn new(dir: &Path, archive: Option<PathBuf>, group: GroupId) -> Self {
        Self { group, file: dir.join(format!("{group}.snapshot")), newest: Arc::default(), archive }
    }

    /// One that came later for an earlier state replaces nothing: the log that it needs may be gone.
    pub fn save(&self, meta: &SnapshotMeta, machine: Bytes) -> io::Result<()> {
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if index < *newest {
            return Ok(());
        }
        let bytes = seal(&SnapshotV1 { group: self.group.0, meta: meta.into(), machine });
        let unfinished = self.file.with_extension("unfinished");
        let written = write_all(&unfinished, &bytes).and_then(|()| fs::rename(&unfinished, &self.file));
        if written.is_err() {
            // On a full disk the log needs its space more.
            let _never_begun = fs::remove_file(&unfinished);
        }
        written?;
        sync_dir(self.file.parent().unwrap_or(Path::new(".")))?;
        *newest = index;
        if let Some(archive) = &self.archive
            && let Err(fault) = keep_snapshot(archive, self.group, index, &self.file)
        {
            // The log goes on without its past.
            tracing::error!(group = %self.group, index, %fault, "a snapshot was not archived");
        }
        Ok(())
    }

    pub fn load(&self) -> io::Result<Option<Snapshot>> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let invalid = |why: String| {
            let path = self.file.display();
            io::Error::new(io::ErrorKind::InvalidData, format!("snapshot {path} cannot be used: {why}"))
        };
        let snapshot: SnapshotV1 = open(&bytes).map_err(|fault| invalid(fault.to_string()))?;
        if snapshot.group != self.group.0 {
            return Err(invalid(format!("it is of {}", GroupId(snapshot.group))));
        }
        Ok(Some(Snapshot { meta: snapshot.meta.into(), snapshot: snapshot.machine }))
    }
}

fn write_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new name in a directory is durable when the directory is.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId as _;

    use super::*;
    use crate::tests::harness::{SHARD, TempDir};
    use crate::types::{LeaderId, LogId};

    fn meta(index: u64) -> SnapshotMeta {
        SnapshotMeta { last_log_id: Some(LogId::new(LeaderId::new(1, 1), index)), ..SnapshotMeta::default() }
    }

    #[test]
    fn an_older_snapshot_never_replaces_a_newer_one() {
        let dir = TempDir::new();
        let snapshots = Snapshots::new(dir.path(), None, SHARD);
        let kept = || snapshots.load().unwrap().map(|kept| (kept.meta.last_log_id.unwrap().index, kept.snapshot));
        for (index, machine, then) in [(5, "five", (5, "five")), (9, "nine", (9, "nine")), (7, "seven", (9, "nine"))] {
            snapshots.clone().save(&meta(index), Bytes::from(machine)).unwrap();
            assert_eq!(kept(), Some((then.0, Bytes::from(then.1))));
        }
    }

    #[test]
    fn two_at_once_are_both_whole() {
        let dir = TempDir::new();
        let snapshots = Snapshots::new(dir.path(), None, SHARD);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let snapshots = snapshots.clone();
                scope.spawn(move || {
                    for round in 0..20 {
                        let index = round * 4 + thread;
                        snapshots.save(&meta(index), vec![index as u8; 100_000].into()).unwrap();
                    }
                });
            }
        });
        let kept = snapshots.load().unwrap().unwrap();
        assert_eq!((kept.meta.last_log_id.unwrap().index, kept.snapshot), (79, vec![79u8; 100_000].into()));
    }
}
