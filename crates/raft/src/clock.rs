//! The two clocks this crate reads, in one place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use strowger_model::{Mono, Wall};

/// This process's own time, which goes on while the machine sleeps: a leader that was suspended stamps what it
/// says next with the time that has really passed.
pub fn boottime() -> Mono {
    let now = clock_gettime(ClockId::Boottime);
    Mono(now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000)
}

/// The calendar, for stamps and records only.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Wall(since_epoch.as_millis() as u64)
}
