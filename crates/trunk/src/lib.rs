//! The SIP edge: sockets, what a datagram is, and limits at the door. It knows no call; it says whose a message is.

mod edge;
mod ingress;
mod limits;

pub use edge::{Counters, Edge, EdgeError, Options};
pub use ingress::{Incoming, Kind};
pub use limits::Gate;
