//! Snapshots on disk: one file a group, replaced whole by a rename, so that there is always one that is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    /// Keeps each when the next takes its place; none: they go.
    archive: Option<PathBuf>,
}

impl Snapshots {
    pub(super) fn new(dir: &Path, archive: Option<PathBuf>, group: GroupId) -> Self {
        Self { group, file: dir.join(format!("{group}.snapshot")), archive }
    }

    pub fn save(&self, meta: &SnapshotMeta, machine: Bytes) -> io::Result<()> {
        let bytes = seal(&SnapshotV1 { group: self.group.0, meta: meta.into(), machine });
        let unfinished = self.file.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.file)?;
        sync_dir(self.file.parent().unwrap_or(Path::new(".")))?;
        let index = meta.last_log_id.map_or(0, |id| id.index);
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

/// A new name in a directory is durable when the directory is.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
