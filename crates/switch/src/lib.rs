//! The rules of a node's shell: events in, actions out. The node runs them on tasks and sockets, the simulator on
//! virtual time.
//!
//! [`Intake`]: whose is a message? An actor's here, another node's, nobody's, or one that waits for its row.
//! [`courier`]: orders to a relay and their answers, tried again, supplied or given up.
//! [`Leader`]: what the leader of a shard does by itself.
//! [`Pacer`]: what the owner of campaigns dials.
//! [`Performed`]: what has been done, on its way to the log.
//! [`Changed`], [`due`]: what entries changed, and what is done about a row.
//! [`poster`], [`StandBy`]: who says what to a far end, and what is said again when that one dies.
//! [`differences`], [`Sweep`]: rows and actors compared, and what is mended.
//! [`Vitals`], [`join`]: who is a member, who is alive, who is passive, who is to be fenced.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod around;
pub mod courier;
mod gate;
mod intake;
mod join;
mod lead;
pub mod limit;
mod nobody;
mod pacing;
mod performed;
mod rows;
mod shelf;
mod standby;
mod sweep;
#[cfg(test)]
mod tests;
mod trunks;
mod turn;
mod vitals;

pub use around::{Around, Destination, Door, Row};
pub use gate::Gate;
pub use intake::{Action, Count, Intake, Pending, key_of};
pub use join::{JOIN, JOIN_AGAIN, join};
pub use lead::{Errand, HandOn, HandOver, Heard, Leader, Leaving, Led, Look, Task, What};
pub use pacing::{Pacer, Scene, lines};
pub use performed::Performed;
pub use rows::{Begin, Changed, Due, all_rows, due, has_phones_at, has_work, touched};
pub use standby::{Life, StandBy, poster};
pub use sweep::{Difference, SWEEP, Sweep, differences};
pub use vitals::{BEAT, REPORT, Report, Vitals, is_down};
