//! Runs a node: actors, duties, adoption, heartbeats, the leader's errands, on tasks and sockets. What they do is said by
//! the pure crates, but for what none of those sees: ARCHITECTURE.md lists it under "Crates".
//!
//! A datagram from end to end: `trunk` → [`intake`], which runs `strowger_switch` (whose is it) → `actor` (the owner's
//! actor) → `strowger_call` (what to do) → proposals through `strowger_raft`, packets through `trunk`, media through
//! `relays`.
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests of a shell read the clock as it does"))]

mod actor;
mod around;
mod board;
mod campaigns;
mod configure;
mod content;
mod context;
mod data_keys;
mod directory;
mod done;
mod ending;
mod explain;
mod figures;
mod guessing;
mod intake;
mod keyring;
mod leader;
mod newest;
mod news;
mod node;
mod observer;
mod operate;
mod outbound_names;
mod posts;
mod prune;
mod raise;
mod records;
mod registrar;
mod relays;
mod sabotage;
mod spending;
mod start;
mod sweeps;
mod tasks;
mod vitals;
mod wire;

pub use actor::Actors;
pub use campaigns::{Imported, NotDialled, NotImported};
pub use configure::{InForce, NotConfigured};
pub use content::ContentFault;
pub use context::{Context, Refused};
pub use data_keys::{DataKeys, DataKeysFault, KeyInUse};
pub use directory::Directory;
pub use explain::replay;
pub use operate::{COMMIT, CallState};
pub use prune::NotPruned;
pub use sabotage::TestBreak;
pub use start::{Cluster, Options, StartError};
pub use strowger_raft::{Part, PastFault, Replayed, Retention, Tuning};
