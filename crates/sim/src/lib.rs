//! Seeded worlds: the product's pure crates under a virtual clock, over a modelled log, relay and wire. One seed is
//! one whole world, and the same world every time.
//!
//! What is real: the tables of the shard and of the control group on every node, the planner, the call machine with its
//! legs, and of the switch whose a message is, which rows get an actor, what a leader does by itself, orders to relays,
//! and who is alive. What is modelled, as the product's shell has it: proposals and their repetition, the pacer's rounds.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::disallowed_methods)]

mod asked;
mod campaign;
mod change;
mod dialling;
mod far;
mod happening;
mod log;
mod node;
mod plant;
mod promise;
mod relay;
mod rng;
mod scenario;
mod seen;
mod tenant;
mod timeline;
mod trace;
mod world;

pub use campaign::{Campaign, Report, Violation};
pub use plant::Plant;
pub use promise::Breach;
pub use scenario::Faults;
pub use seen::{Seen, Thing};
pub use trace::{About, Line, Trace};
pub use world::World;
