//! The media relay: sockets, who hears whom, prompts and music, and the process around them.
//!
//! The path of a packet: `worker` (epoll) → `leg::accept` (who may send, what it is) → `spread` (who hears it) → `leg::hear`
//! → `outbound` (our one stream to that far end) → `transport`. Who hears several voices gets them from its `mix`, every
//! 20 ms. Orders come from `process` over `engine` to `orders`; facts stay in the journal of their leg until its owner acknowledges them. Voice that is heard on
//! another relay, or by a leg of another thread, crosses by [`hop`].
//! A flow depends on no node: when its owner dies everything goes on until the next one says `Adopt`.
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod audience;
mod call;
mod clock;
pub mod content_cache;
mod counters;
pub mod engine;
mod export;
mod forbidden;
mod hear;
mod heard;
pub mod hop;
mod intake;
mod leg;
mod machine;
mod mix;
mod orders;
mod origin;
mod outbound;
mod play;
mod ports;
mod process;
mod reports;
mod slab;
mod socket;
mod spread;
mod transport;
mod wheel;
mod worker;

pub use process::{Relay, RelayConfig, RelayError, run};
