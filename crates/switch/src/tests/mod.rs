//! The rules as pure machines: no clock but the one that a test moves.

mod bench;
mod courier;
mod intake;
mod lead;
mod leading;
mod owners;
mod pacing;
mod rows;
mod vitals;
