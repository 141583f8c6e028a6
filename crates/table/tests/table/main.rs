//! The state machine through its public face: commands in, rows and outcomes out. No clocks: time is what the
//! entries say it is.

mod admission;
mod adoption;
mod after;
mod attempts;
mod bars;
mod bench;
mod campaigns;
mod configuration;
mod control;
mod dice;
mod duties;
mod golden;
mod layouts;
mod leases;
mod legs;
mod merge;
mod misses;
mod offers;
mod outbound;
mod parts;
mod phones;
mod questions;
mod records;
mod replicas;
mod sample;
mod shown;
mod slots;
mod storm;
mod whole;
mod wrap_up;
