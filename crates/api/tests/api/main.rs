//! The HTTP side against a real cluster of one voter. One program: each test program holds the whole cluster, which takes
//! a minute to build.

mod access;
mod configuration;
mod reading;
mod sockets;
mod wallboard;
mod world;
