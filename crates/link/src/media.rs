//! Media beside commands: what it may take, and how it fares.

use std::time::Duration;

/// Largest datagram that every path carries: 1200 bytes of UDP payload, the least that QUIC allows (RFC 9000, 14), without
/// short header and tag (29 bytes) and frame header (9 at most). Media connections look for no larger packets: a probe
/// that is lost would look like loss, and a path that shrinks again would cost a round trip of voice.
pub const MEDIA_DATAGRAM_BYTES: usize = 1162;

/// How much voice one peer is sent at most. Buffers and window follow from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaOptions {
    /// Voice streams in one direction to one peer.
    pub streams: usize,
}

/// Voice has 50 packets of 160 bytes a second; headers, flow and QUIC's own bytes make about 220 of each.
const STREAM_BYTES_A_SECOND: usize = 50 * 220;

/// Voice that waited longer is not played any more, so no more of it is kept.
const LONGEST_WAIT: Duration = Duration::from_millis(60);

/// What may be under way without being acknowledged: the longest round trip between two relays that can still carry a
/// conversation (150 ms; ITU-T G.114 says 150 one way), the peer's acknowledgement delay (25 ms), and a margin.
const LONGEST_ROUND: Duration = Duration::from_millis(200);

/// Buffers hold this at least: a few hundred datagrams, so that a burst of a small link is no loss.
const LEAST_BUFFER_BYTES: usize = 256 * 1024;

impl Default for MediaOptions {
    /// Twice what one core of a relay carries.
    fn default() -> Self {
        Self { streams: 4000 }
    }
}

impl MediaOptions {
    /// What may wait for its sending. QUIC drops the oldest beyond it, which is the right end for voice.
    pub(crate) fn buffer_bytes(self) -> usize {
        self.bytes_in(LONGEST_WAIT).max(LEAST_BUFFER_BYTES)
    }

    pub(crate) fn window_bytes(self) -> u64 {
        self.bytes_in(LONGEST_ROUND).max(LEAST_BUFFER_BYTES) as u64
    }

    fn bytes_in(self, span: Duration) -> usize {
        self.streams.saturating_mul(STREAM_BYTES_A_SECOND).saturating_mul(span.as_millis() as usize) / 1000
    }
}

/// The media connection to one peer, since it came up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MediaStats {
    /// Round trip, as QUIC estimates it.
    pub rtt: Duration,
    /// Datagrams taken from the caller.
    pub sent: u64,
    /// Datagrams handed to the handler.
    pub received: u64,
    /// QUIC packets the network lost, each with one or more datagrams.
    pub lost: u64,
    /// Datagrams that waited too long and made room for newer ones. Estimated while some wait, else exact.
    pub send_dropped: u64,
    /// Largest datagram that passes now, in bytes.
    pub max_datagram: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_follow_the_load_and_stay_bounded() {
        let usual = MediaOptions::default();
        assert_eq!((usual.buffer_bytes(), usual.window_bytes()), (2_640_000, 8_800_000));
        let least = MediaOptions { streams: 0 };
        assert_eq!(least.buffer_bytes(), LEAST_BUFFER_BYTES);
        // No arithmetic overflows, whatever is configured.
        let _ = MediaOptions { streams: usize::MAX }.window_bytes();
    }
}
