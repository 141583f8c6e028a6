//! The SIP edge: sockets, what a datagram is. It knows no call; it says whose a message is.

#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod bind;
mod edge;
mod framing;
mod ingress;
mod known;
mod line;
mod lines;
mod places;
mod unanswered;

pub use bind::EdgeError;
pub use edge::{Counters, Edge, Options};
pub use ingress::{Incoming, Kind};
pub use known::Known;
