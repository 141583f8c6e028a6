//! One live media connection to one peer: datagrams both ways, nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quinn::SendDatagramError;
use strowger_model::PeerId;

use crate::handler::Handler;
use crate::lane::SendFault;
use crate::media::MediaStats;

pub struct MediaConnection {
    pub peer: PeerId,
    pub quic: quinn::Connection,
    /// Free space of the send buffer when nothing waits in it.
    whole: usize,
    taken: AtomicU64,
    taken_bytes: AtomicU64,
    received: AtomicU64,
    /// Highest count given yet, so that an estimate never takes any back.
    dropped: AtomicU64,
}

/// What QUIC counts for each datagram in its buffer beside the bytes.
const BOOKKEEPING_BYTES: u64 = 32;

impl MediaConnection {
    pub fn new(peer: PeerId, quic: quinn::Connection) -> Self {
        let whole = quic.datagram_send_buffer_space();
        let [taken, taken_bytes, received, dropped] = [const { AtomicU64::new(0) }; 4];
        Self { peer, quic, whole, taken, taken_bytes, received, dropped }
    }

    /// Never waits for the network; may be called from any thread.
    pub fn send(&self, datagram: Bytes) -> Result<(), SendFault> {
        let found = datagram.len();
        match self.quic.send_datagram(datagram) {
            Ok(()) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                self.taken_bytes.fetch_add(found as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(SendDatagramError::TooLarge) => Err(SendFault::TooLarge { found, limit: self.limit() }),
            Err(_) => Err(SendFault::NotConnected),
        }
    }

    /// Hands what comes to the handler until the connection ends, and says why it did.
    pub async fn run(&self, handler: &dyn Handler) -> String {
        loop {
            match self.quic.read_datagram().await {
                Ok(datagram) => {
                    self.received.fetch_add(1, Ordering::Relaxed);
                    handler.on_media(self.peer, datagram);
                }
                Err(ended) => return ended.to_string(),
            }
        }
    }

    pub fn stats(&self) -> MediaStats {
        // In this order: what is taken meanwhile must not look dropped.
        let sent = self.taken.load(Ordering::Relaxed);
        let waiting_bytes = self.whole.saturating_sub(self.quic.datagram_send_buffer_space()) as u64;
        let stats = self.quic.stats();
        let average = self.taken_bytes.load(Ordering::Relaxed) / sent.max(1);
        let waiting = waiting_bytes.div_ceil(average + BOOKKEEPING_BYTES);
        // QUIC does not say what it dropped: it is what was taken and neither left nor waits.
        let dropped = sent.saturating_sub(stats.frame_tx.datagram).saturating_sub(waiting);
        MediaStats {
            rtt: stats.path.rtt,
            sent,
            received: self.received.load(Ordering::Relaxed),
            lost: stats.path.lost_packets,
            send_dropped: self.dropped.fetch_max(dropped, Ordering::Relaxed).max(dropped),
            max_datagram: self.limit(),
        }
    }

    fn limit(&self) -> usize {
        self.quic.max_datagram_size().unwrap_or(0)
    }
}
