//! RTCP of one leg. Reports are made here for each side; nothing is forwarded, since our stream is not the other's.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use strowger_audio::rtcp::{self, Item, MAX_BYTES, Report, SenderInfo};
use strowger_audio::rtp_stats::RtpStats;
use strowger_model::Mono;

use crate::clock;
use crate::outbound::Outbound;
use crate::socket::Socket;

#[derive(Debug)]
pub(crate) struct Reports {
    to: SocketAddr,
    next: Mono,
    /// Packets we had sent at our last report: an SR is for who sent since.
    sent_before: u64,
    /// Middle of the NTP time in the far end's last SR, and when it came.
    last_sr: Option<(u32, Mono)>,
}

/// What a datagram on the RTCP port was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// No RTCP.
    Garbage,
    /// A report of a source that was not heard: whoever knows the far end's address can make one.
    BySomebody,
    /// Of the source that the far end sends as.
    ByFarEnd,
}

/// Least time between two reports of one side (RFC 3550, 6.2). The legs of a thread are spread over it by
/// their places instead of by chance.
const INTERVAL: Duration = Duration::from_secs(5);

impl Reports {
    pub(crate) fn new(place: u32, now: Mono) -> Self {
        const STEP_MS: u64 = 37;
        let first_after = Duration::from_millis(u64::from(place) * STEP_MS % INTERVAL.as_millis() as u64);
        let to = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0);
        Self { to, next: now + first_after, sent_before: 0, last_sr: None }
    }

    pub(crate) fn aim(&mut self, to: SocketAddr) {
        self.to = to;
    }

    /// Reads a datagram. `source` is the one that the far end sends RTP as: what others report is not its own.
    pub(crate) fn read(&mut self, bytes: &[u8], source: Option<u32>, now: Mono) -> Said {
        let mut said = Said::Garbage;
        for item in rtcp::items(bytes) {
            let (ssrc, info) = match item {
                Item::SenderReport { ssrc, info, .. } => (Some(ssrc), Some(info)),
                Item::ReceiverReport { ssrc, .. } => (Some(ssrc), None),
                Item::Bye { .. } | Item::Other { .. } => (None, None),
            };
            if source.is_some() && ssrc == source {
                said = Said::ByFarEnd;
                self.last_sr = info.map(|info| ((info.ntp >> 16) as u32, now)).or(self.last_sr);
            } else if said == Said::Garbage {
                said = Said::BySomebody;
            }
        }
        said
    }

    pub(crate) fn send_if_due(
        &mut self,
        socket: &Socket,
        out: &Outbound,
        stats: &mut RtpStats,
        cname: &str,
        now: Mono,
    ) {
        if now >= self.next {
            self.next = now + INTERVAL;
            self.send(socket, out, stats, cname, now, false);
        }
    }

    /// Sends a report; the last one says BYE.
    pub(crate) fn send(
        &mut self,
        socket: &Socket,
        out: &Outbound,
        stats: &mut RtpStats,
        cname: &str,
        now: Mono,
        bye: bool,
    ) {
        // Not to a far end that holds by an address of zero either (RFC 3264 section 8.4).
        if self.to.port() == 0 || self.to.ip().to_canonical().is_unspecified() {
            return;
        }
        let sender = (out.packets() != self.sent_before).then(|| SenderInfo {
            ntp: clock::ntp(),
            rtp_timestamp: out.timestamp_at(now),
            packets: out.packets() as u32,
            octets: out.octets() as u32,
        });
        self.sent_before = out.packets();
        let mut reception = stats.report();
        if let (Some(block), Some((middle, at))) = (&mut reception, self.last_sr) {
            block.last_sr = middle;
            block.delay_since_last_sr = ((now.since(at).as_micros() << 16) / 1_000_000) as u32;
        }
        let mut bytes = [0; MAX_BYTES];
        let length = Report { ssrc: out.ssrc(), sender, reception, cname, bye }.write(&mut bytes);
        // A lost report is followed by the next.
        let _ = socket.send(&bytes[..length], self.to);
    }
}
