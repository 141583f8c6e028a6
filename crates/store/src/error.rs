//! What went wrong with the records database, where, and what to do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the records database is not opened, read or written. Each names the file, and what was being done with it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum StoreError {
    #[error("{doing}: {path} cannot be opened; check that its directory exists and this user may write there")]
    CannotOpen { path: PathBuf, doing: &'static str, source: rusqlite::Error },
    #[error("{doing}: {path} is not a database; move it away and start again, it is filled anew from the log")]
    NotADatabase { path: PathBuf, doing: &'static str },
    #[error("{doing}: {path} is damaged; move it away and start again, it is filled anew from the log")]
    Damaged { path: PathBuf, doing: &'static str },
    #[error("{path} is a database of another program; name another file for the call records")]
    OtherDatabase { path: PathBuf },
    #[error(
        "{path} was written by a newer Strowger (layout {found}, this one knows up to {known}); \
         start the newer one, or move the file away and it is filled anew from the log"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{doing}: the disk under {path} is full; free some space, nothing is lost meanwhile")]
    DiskFull { path: PathBuf, doing: &'static str },
    #[error(
        "{doing}: {path} is locked by another process; end it (a backup, a shell, a second node on this directory)"
    )]
    Locked { path: PathBuf, doing: &'static str },
    #[error("{doing}: {path} may not be written; check its owner, its mode and whether the disk is read-only")]
    ReadOnly { path: PathBuf, doing: &'static str },
    #[error("{doing}: {path} failed; if it stays, move the file away and start again")]
    Failed { path: PathBuf, doing: &'static str, source: rusqlite::Error },
    #[error("{doing}: the thread that works on {path} has stopped; start this node again")]
    Stopped { path: PathBuf, doing: &'static str },
}

impl StoreError {
    pub(crate) fn new(path: &Path, doing: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { path, doing, source },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path, doing },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, doing },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, doing },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path, doing },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, doing },
            _ => Self::Failed { path, doing, source },
        }
    }
}
