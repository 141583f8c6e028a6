//! The state machine through its public face: commands in, rows and outcomes out. No clocks: time is what the
//! entries say it is.

mod admission;
mod adoption;
mod bench;
mod campaigns;
mod configuration;
mod control;
mod duties;
mod golden;
mod leases;
mod misses;
mod offers;
mod outbound;
mod parts;
mod replicas;
mod sample;
mod storm;
mod wrap_up;
