//! Whole nodes in one process, over real links on loopback and real disks.

mod cluster;
pub(crate) mod harness;
mod recovery;
mod suite;
