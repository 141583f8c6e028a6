//! The media relay: sockets, bridge, play, and the process around them.
//!
//! The path of a packet: `worker` (epoll) → `leg::accept` (who may send, what it is) → `outbound` (our one stream to the
//! other far end) → `socket`. Commands come from `process` over `engine` to `orders`, facts go back through `journal`.
//! Voice of a call whose legs are on two relays crosses by [`hop`].
//! A flow depends on no node: when its owner dies everything goes on until the next one says `Adopt`.

mod call;
mod clock;
mod counters;
pub mod engine;
pub mod hop;
mod joins;
mod journal;
mod leg;
mod orders;
mod outbound;
mod ports;
mod process;
pub mod protocol;
mod reports;
mod roster;
pub mod shelf;
mod socket;
mod wheel;
mod worker;

pub use process::{Relay, RelayConfig, RelayError, run};
