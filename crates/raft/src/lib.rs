//! The replicated log of each group, over one disk and one link: consensus, storage, and the way of a proposal.
//!
//! A proposal from end to end: [`Groups::propose`] gives it its number and sends it to the leader (`propose`,
//! `answer`) → the leader's one [`proposer`] stamps it with log time → the consensus library (`openraft`, named in
//! this crate only) appends it to the [`store`] here and through [`peer`] on the followers → committed, every node's
//! [`replica`] applies it, publishes a [`View`] and tells the [`Observer`] → the outcome returns the same way.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests of a shell read the clock as it does"))]

mod answer;
mod checkpoint;
pub mod clock;
mod compare;
mod convert;
mod found;
mod group;
mod groups;
mod leadership;
mod numbers;
mod observer;
mod pace;
mod past;
mod peer;
mod propose;
mod proposer;
mod replica;
mod serve;
mod start;
mod stats;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod transfer;
mod types;
mod v1;
mod view;

pub use group::Leading;
pub use groups::{Groups, Options, Tuning};
pub use observer::{AppliedEntry, Observer};
pub use past::{Part, Past, PastFault, Replayed, replay};
pub use propose::{LeadError, MAX_PROPOSAL_BYTES, ProposeError};
pub use start::StartError;
pub use stats::{BOUNDS_US, Samples, StatsNow};
pub use status::GroupStatus;
pub use store::{ArchiveNow, Retention, StoreError, StoreId};
pub use transfer::TransferError;
pub use view::View;
