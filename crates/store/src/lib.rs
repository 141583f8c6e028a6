//! Call records, and the audit log, where people can ask for them: every voter projects the outboxes of its shards, and
//! the acts of the control group, into a SQLite file of its own. The file is derived: a lost one fills again from the outboxes as far as they reach.
//! This is the only crate that names SQLite.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod act;
mod error;
mod filter;
mod line;
mod names;
mod schema;
mod segment;
mod store;
mod time;
mod writer;

pub use act::{ActFilter, ActLine};
pub use error::StoreError;
pub use filter::{CallFilter, NotAPlace, Place};
pub use line::CallLine;
pub use names::Names;
pub use segment::SegmentLine;
pub use store::Store;
pub use time::rfc3339;

/// Limits of the records database, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// Lines of one answer when nobody says how many: a screenful or two.
    pub const LINES_DEFAULT: u32 = 100;
    /// Lines of one answer at most: about 10 MB of JSON; beyond it, page.
    pub const LINES_MAX: u32 = 10_000;
    /// How long the audit log keeps an act: a year, and what an audit takes after its end.
    pub const ACTS_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
    /// How long SQLite waits for another process (a backup, a shell) to let go of the file.
    pub const BUSY_WAIT: Duration = Duration::from_secs(5);
}
