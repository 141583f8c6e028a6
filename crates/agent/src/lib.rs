//! An agent's phones, as the agent's owner drives them: the order in which REGISTERs count, where they may be, what
//! they ask of the row and how often, and what keeps the way to a phone open.
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod bindings;
mod contact;
mod guesses;
mod known;
mod order;
mod pace;

pub use bindings::{through_nat, wanted};
pub use contact::{ForbiddenContact, OffLimits};
pub use guesses::{Account, Guesses, Quiet, SILENCE, Silenced, TRIES, TRIES_OF_ADDRESS};
pub use known::Known;
pub use order::{ANSWERS_KEPT, Asked, OVERTAKEN_WITHIN, Order, Turn};
pub use pace::{Pace, TooFast};

/// Limits of an agent's actor, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// How long a phone's entry may take before it is told to come again.
    pub const COMMIT: Duration = Duration::from_secs(3);
    /// REGISTERs of one agent that wait at once: its phones repeat what is dropped.
    pub const WAITING_MAX: usize = 16;
}
