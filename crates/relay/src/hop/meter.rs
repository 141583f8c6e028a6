//! What one hop to one relay counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use strowger_link::MediaStats;
use strowger_model::{Mono, RelayId};

use super::parcel::Head;
use super::passage::Passage;

/// The hop to one other relay, since this one started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HopStats {
    /// Which relay.
    pub peer: RelayId,
    /// RTP packets that were sent there.
    pub packets_out: u64,
    /// Datagrams that they went in.
    pub datagrams_out: u64,
    /// In time.
    pub packets_in: u64,
    /// Datagrams that came.
    pub datagrams_in: u64,
    /// Came too late to be heard.
    pub late: u64,
    /// Sent by the peer and never seen here.
    pub lost: u64,
    /// Not sent for want of a connection or of space; not heard because no leg hears their sender, because the
    /// datagram was damaged, or because the media thread stood still.
    pub dropped: u64,
    /// Variation of the datagrams' delay, as RFC 3550 has it.
    pub jitter_us: u64,
    /// The connection now; none without one.
    pub link: Option<MediaStats>,
}

impl HopStats {
    /// Packets that travelled together, on average.
    pub fn coalescing(&self) -> f64 {
        self.packets_out as f64 / self.datagrams_out.max(1) as f64
    }
}

/// Added to once a datagram, so that sharing it costs next to nothing.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    packets_out: AtomicU64,
    datagrams_out: AtomicU64,
    packets_in: AtomicU64,
    datagrams_in: AtomicU64,
    late: AtomicU64,
    dropped: AtomicU64,
    /// Only the link's reader of this peer writes here.
    passage: Mutex<Passage>,
}

impl Meter {
    pub(crate) fn sent(&self, packets: u8) {
        self.packets_out.fetch_add(packets.into(), Ordering::Relaxed);
        self.datagrams_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a datagram that came; false if it is too late.
    pub(crate) fn came(&self, head: Head, now: Mono) -> bool {
        let late = self.passage.lock().unwrap_or_else(PoisonError::into_inner).arrive(head, now);
        self.datagrams_in.fetch_add(1, Ordering::Relaxed);
        let packets = if late { &self.late } else { &self.packets_in };
        packets.fetch_add(head.packets.into(), Ordering::Relaxed);
        !late
    }

    pub(crate) fn drop_packets(&self, packets: u8) {
        self.dropped.fetch_add(packets.into(), Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, peer: RelayId) -> HopStats {
        let passage = self.passage.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HopStats {
            peer,
            packets_out: read(&self.packets_out),
            datagrams_out: read(&self.datagrams_out),
            packets_in: read(&self.packets_in),
            datagrams_in: read(&self.datagrams_in),
            late: read(&self.late),
            lost: passage.lost,
            dropped: read(&self.dropped),
            jitter_us: passage.jitter(),
            link: None,
        }
    }
}
