//! Sums: of a leg at its end, of a relay since its start.

use strowger_model::LegNo;

/// A leg's sums at its end.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LegStats {
    /// Under its number in the birth call.
    pub leg: LegNo,
    /// RTP packets accepted from the far end.
    pub received: u64,
    /// RTP packets sent to it.
    pub sent: u64,
    /// Packets expected and not received (RFC 3550, A.3).
    pub lost: u64,
    /// Mean deviation of the transit time, in microseconds.
    pub jitter_us: u64,
    /// Since the last RTP packet; none if there never was one.
    pub quiet_ms: Option<u64>,
}

/// Sums since the relay started, and what it holds now.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RelayStats {
    /// Held now.
    pub calls: u64,
    /// Held now.
    pub legs: u64,
    /// RTP accepted and sent.
    pub packets_in: u64,
    /// RTP packets sent to far ends.
    pub packets_out: u64,
    /// Packets of far ends that were expected and not received.
    pub lost: u64,
    /// Out of order or twice.
    pub late: u64,
    /// Datagrams from addresses no leg expects.
    pub strangers: u64,
    /// Datagrams that were no packet the leg agreed to.
    pub malformed: u64,
    /// Packets the kernel did not take.
    pub send_failures: u64,
    /// How often a leg was found to send nothing.
    pub dead_media: u64,
    /// Calls closed because nobody wanted them any more.
    pub orphans: u64,
    /// Events that a full backlog or journal did not take; a gap in the numbers tells the owner.
    pub events_dropped: u64,
    /// 20 ms frames left out because the machine stood still for too long.
    pub frames_skipped: u64,
    /// CPU time of the media threads.
    pub cpu_ns: u64,
    /// Held now, in bytes.
    pub content_bytes: u64,
    /// RTP to and from other relays, and between threads of this one.
    pub hop_packets_out: u64,
    /// Packets from other relays and threads.
    pub hop_packets_in: u64,
    /// Came too late to be heard.
    pub hop_late: u64,
    /// Packets from there that were expected and did not come.
    pub hop_lost: u64,
    /// Not sent, or heard by no leg here.
    pub hop_dropped: u64,
}
