//! Which agent gets which call. Pure: `plan(&shard)` reads a state and makes a value; the log decides.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod plan;
mod relay;
mod why;

pub use plan::plan;
pub use relay::{RelayChoice, UsableRelay};
pub use why::{Candidate, Exclusion, Field, Why, ahead, fields, why};
