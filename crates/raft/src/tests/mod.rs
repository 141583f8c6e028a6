//! Whole nodes in one process, over real links on loopback and real disks.

mod cluster;
mod harness;
mod recovery;
mod suite;
