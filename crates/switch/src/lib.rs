//! The rules of a node's shell: events in, actions out. The node runs them on tasks and sockets, the simulator on
//! virtual time.
//!
//! [`Intake`]: whose is a message? An actor's here, another node's, nobody's, or one that waits for its row.
//! [`Changed`], [`due`]: what entries changed, and what is done about a row.
//! [`Courier`]: orders to a relay and their answers, tried again, supplied or given up.
//! [`Vitals`], [`join`]: who is a member, who is alive, who is passive, who is to be fenced.
#![forbid(unsafe_code)]

mod around;
mod courier;
mod gate;
mod intake;
mod join;
pub mod limit;
mod nobody;
mod rows;
mod shelf;
#[cfg(test)]
mod tests;
mod vitals;

pub use around::{Around, Destination, Door, Row};
pub use courier::{ANSWER, Carried, Courier, Order, PAUSE, holder};
pub use gate::Gate;
pub use intake::{Action, Count, Intake, Pending, key_of};
pub use join::{JOIN, JOIN_AGAIN, join};
pub use rows::{Begin, Changed, Due, due, forgotten, touched};
pub use vitals::{BEAT, REPORT, Report, Vitals, is_down};
