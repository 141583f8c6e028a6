//! Whole phones, over loopback, against far ends made for the occasion.

mod agents;
mod audio;
mod called;
mod callers;
mod peer;
