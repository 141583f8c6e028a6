//! The hands of a node: call actors, duties, adoption, heartbeats, the leader's errands. It owns no rules; those are in
//! the pure crates.
//!
//! A datagram from end to end: `trunk` → [`intake`] (whose is it) → `calls` (the owner's actor) → `strowger_call`
//! (what to do) → proposals through `strowger_raft`, packets through `trunk`, media through `relays`.

mod board;
mod calls;
mod campaigns;
mod content;
mod context;
mod directory;
mod done;
mod explain;
mod figures;
mod intake;
mod leader;
mod observer;
mod operate;
mod raise;
mod records;
mod registrar;
mod relays;
mod sabotage;
mod start;
mod vitals;
mod wire;

pub use campaigns::{Imported, NotDialled, NotImported};
pub use content::ContentFault;
pub use context::{Context, Refused};
pub use directory::Directory;
pub use operate::CallState;
pub use sabotage::TestBreak;
pub use start::{Cluster, Options, StartError};

/// Limits of the shell, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// How long an INVITE waits for its `Admit` to be committed before it is answered 503: longer than a shard whose leader
    /// died is without one, also on a machine that has no time, because a call refused is refused for good. Far ends
    /// repeat an INVITE for 32 s (RFC 3261 17.1.1.2), and proxies that try the next node meanwhile find the same call.
    pub const ADMIT: Duration = Duration::from_secs(5);
    /// A call's proposals are repeated this long: longer than any election, and than the duties they belong to.
    pub const PROPOSE: Duration = Duration::from_secs(30);
    /// How long a message for a row that is not applied here yet is kept.
    pub const HOLD: Duration = Duration::from_millis(1500);
    /// How often a held message looks again.
    pub const HOLD_STEP: Duration = Duration::from_millis(20);
    /// How long a node remembers what it passed on over TCP, where no far end says it again: a death is noticed within
    /// 1.2 s, and its calls are adopted within one more election at the worst.
    pub const STAND_BY: Duration = Duration::from_secs(6);
    /// How often such a message looks whether its call has another owner.
    pub const STAND_BY_STEP: Duration = Duration::from_millis(100);
    /// An actor that broke is followed by another, but a call whose actors broke so often within `BROKEN_WITHIN` ends:
    /// what its row says breaks them.
    pub const BROKEN_MAX: u32 = 3;
    pub const BROKEN_WITHIN: Duration = Duration::from_secs(60);
    /// `Done`s of one owner travel together: one entry per this span.
    pub const DONE_BATCH: Duration = Duration::from_millis(50);
}
