//! The state machine through its public face: commands in, rows and outcomes out. No clocks: time is what the
//! entries say it is.

mod admission;
mod adoption;
mod after;
mod agents;
mod attempts;
mod bars;
mod bench;
mod campaigns;
mod configuration;
mod control;
mod dice;
mod duties;
mod facts;
mod golden;
mod judged;
mod layouts;
mod leases;
mod legs;
mod limits;
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
mod story;
mod whole;
mod wrap_up;
