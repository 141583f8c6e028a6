//! The HTTP side against a real cluster of one voter. One program: each test program holds the whole cluster, which takes
//! a minute to build.

mod access;
mod bars;
mod browser;
mod campaigns;
mod configuration;
mod leads;
mod metrics;
mod reading;
mod rolling_back;
mod sockets;
mod tenants;
mod tokens;
mod wallboard;
mod world;
