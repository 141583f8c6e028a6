//! The rules as pure machines: no clock but the one that a test moves.

mod bench;
mod bringing;
mod courier;
mod door;
mod intake;
mod lead;
mod leading;
mod owners;
mod pacing;
mod rows;
mod spreading;
mod standby;
mod sweep;
mod vitals;
mod waiting;
