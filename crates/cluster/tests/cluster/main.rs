//! Whole clusters in one process. One program: each test program holds everything, which takes a minute to build.

mod balance;
mod broken;
mod content;
mod ending;
mod explain;
mod merging;
mod outbound;
mod registering;
mod relays;
mod rig;
mod thread;
