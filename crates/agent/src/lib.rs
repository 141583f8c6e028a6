//! An agent's phones, as the agent's owner drives them: the order in which REGISTERs count, what they ask of the row, and
//! what keeps the way to a phone open.
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod bindings;
mod known;
mod order;

pub use bindings::{through_nat, wanted};
pub use known::Known;
pub use order::{OVERTAKEN_WITHIN, Order, Turn};
