//! The rows of a shard.

pub mod agent;
pub mod call;
pub mod campaign;
pub mod lead;
pub mod query;
