//! Voice between relays, and between threads of one: who hears a leg may be anywhere.
//!
//! The way of a packet: `leg::accept` on one relay → `outlet` (packets for one peer gather for a moment) → `parcel` →
//! [`Carrier`] → the link → `hops` on the other relay (late? lost? who hears it?) → `inbox` of each thread with such legs →
//! `spread`. A relay that sends to itself leaves out the link.

mod hops;
mod inbox;
mod meter;
mod outlet;
pub(crate) mod parcel;
mod passage;

use bytes::Bytes;
use strowger_model::RelayId;

pub(crate) use hops::Hops;
pub(crate) use inbox::{Arrival, Inbox};
pub use meter::HopStats;
pub(crate) use outlet::Outlet;

/// What brings datagrams to other relays.
pub trait Carrier: Send + Sync + 'static {
    /// Keeps a connection to a relay up from now on; false if it is no relay to connect to (itself).
    fn open(&self, to: RelayId) -> bool;

    /// Takes a datagram or drops it and says so; never waits. Called by media threads.
    fn carry(&self, to: RelayId, datagram: Bytes) -> bool;
}
