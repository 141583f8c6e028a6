//! The one RTP stream a far end hears from us, whatever it is made of.

use strowger_audio::FRAME_SAMPLES;
use strowger_audio::rtp::Header;
use strowger_audio::rtp_stats::MAX_MISORDER;
use strowger_model::Mono;

use crate::clock;

/// Our SSRC, sequence numbers and timestamps run on when the source changes from a prompt to music to the other leg, so
/// the far end's jitter buffer sees one sender. A change carries the marker bit (RFC 3551, 4.1).
#[derive(Debug)]
pub(crate) struct Outbound {
    ssrc: u32,
    /// Of the newest packet sent, or the random start (RFC 3550, 5.1).
    sequence: u16,
    timestamp: u32,
    sent_at: Option<Mono>,
    source: Source,
    packets: u64,
    octets: u64,
}

#[derive(Debug)]
enum Source {
    None,
    /// Frames played here.
    Own,
    /// Packets of the other leg's far end, shifted onto our numbers.
    /// `young` counts up to `MAX_MISORDER` how far the source has come since it began.
    Relayed {
        ssrc: u32,
        sequence_shift: u16,
        timestamp_shift: u32,
        young: u16,
    },
}

impl Outbound {
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self { ssrc, sequence, timestamp, sent_at: None, source: Source::None, packets: 0, octets: 0 }
    }

    /// Header of a frame of our own, right after whatever was sent last.
    pub(crate) fn own(&mut self, payload_type: u8, now: Mono) -> Header {
        let marker = !matches!(self.source, Source::Own);
        let step = if marker { self.gap(now) } else { FRAME_SAMPLES as u32 };
        self.source = Source::Own;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(step);
        self.sent_at = Some(now);
        Header { marker, payload_type, sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }

    /// Header for a packet of the other leg. Loss and order stay visible to the far end. None for a packet from before
    /// the source began: its number belongs to something else already.
    pub(crate) fn relayed(&mut self, inbound: &Header, payload_type: u8, now: Mono) -> Option<Header> {
        let mut marker = inbound.marker;
        let (sequence_shift, timestamp_shift) = match &self.source {
            Source::Relayed { ssrc, sequence_shift, timestamp_shift, .. } if *ssrc == inbound.ssrc => {
                (*sequence_shift, *timestamp_shift)
            }
            _ => {
                marker = true;
                self.follow(inbound, now)
            }
        };
        let sequence = inbound.sequence.wrapping_add(sequence_shift);
        let timestamp = inbound.timestamp.wrapping_add(timestamp_shift);
        let behind = self.sequence.wrapping_sub(sequence);
        if let Source::Relayed { young, .. } = &mut self.source {
            if behind < MAX_MISORDER && *young < MAX_MISORDER && behind >= *young {
                return None;
            }
            if behind >= MAX_MISORDER {
                let step = sequence.wrapping_sub(self.sequence);
                *young = young.saturating_add(step).min(MAX_MISORDER);
            }
        }
        if behind >= MAX_MISORDER {
            self.sequence = sequence;
            self.timestamp = timestamp;
        }
        self.sent_at = Some(now);
        Some(Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A packet of the other leg was left out on purpose; the far end shall not take it for loss.
    pub(crate) fn left_out(&mut self) {
        if let Source::Relayed { sequence_shift, .. } = &mut self.source {
            *sequence_shift = sequence_shift.wrapping_sub(1);
        }
    }

    /// What comes next is a new source, even if it is the one from before.
    pub(crate) fn pause(&mut self) {
        self.source = Source::None;
    }

    pub(crate) fn sent(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.octets += payload_bytes as u64;
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// The RTP timestamp that belongs to `now`, for sender reports (RFC 3550, 6.4.1).
    pub(crate) fn timestamp_at(&self, now: Mono) -> u32 {
        self.timestamp.wrapping_add(self.sent_at.map_or(0, |at| clock::samples(now.since(at))))
    }

    fn follow(&mut self, inbound: &Header, now: Mono) -> (u16, u32) {
        let sequence_shift = self.sequence.wrapping_add(1).wrapping_sub(inbound.sequence);
        let timestamp_shift = self.timestamp.wrapping_add(self.gap(now)).wrapping_sub(inbound.timestamp);
        self.source = Source::Relayed { ssrc: inbound.ssrc, sequence_shift, timestamp_shift, young: 0 };
        (sequence_shift, timestamp_shift)
    }

    /// From the newest packet to one of a new source: the time that really passed, a frame at least.
    fn gap(&self, now: Mono) -> u32 {
        let passed = self.sent_at.map_or(0, |at| clock::samples(now.since(at)));
        passed.max(FRAME_SAMPLES as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    fn at(millis: u64) -> Mono {
        Mono::from_millis(1000 + millis)
    }

    #[test]
    fn one_stream_over_play_bridge_play() {
        let mut out = Outbound::new(7, u16::MAX, u32::MAX);
        let first = out.own(0, at(0));
        assert_eq!((first.marker, first.sequence, first.timestamp, first.ssrc), (true, 0, 159, 7));
        let second = out.own(0, at(20));
        assert_eq!((second.marker, second.sequence, second.timestamp), (false, 1, 319));
        // The other leg answers 100 ms later.
        let bridged = out.relayed(&inbound(99, 5000, 777), 8, at(120)).unwrap();
        assert_eq!((bridged.marker, bridged.sequence, bridged.timestamp, bridged.ssrc), (true, 2, 319 + 800, 7));
        let next = out.relayed(&inbound(99, 5001, 937), 8, at(140)).unwrap();
        assert_eq!((next.marker, next.sequence, next.timestamp), (false, 3, 319 + 960));
        let music = out.own(0, at(160));
        assert_eq!((music.marker, music.sequence, music.timestamp), (true, 4, 319 + 960 + 160));
    }

    #[test]
    fn loss_and_order_pass_through() {
        let mut out = Outbound::new(7, 0, 0);
        let sequences: Vec<u16> = [10, 11, 14, 13, 15]
            .into_iter()
            .map(|sequence| out.relayed(&inbound(1, sequence, u32::from(sequence) * 160), 0, at(0)).unwrap().sequence)
            .collect();
        assert_eq!(sequences, [1, 2, 5, 4, 6]);
    }

    #[test]
    fn what_is_older_than_the_switch_is_dropped() {
        let mut out = Outbound::new(7, 100, 0);
        out.own(0, at(0));
        assert_eq!(out.relayed(&inbound(1, 50, 0), 0, at(20)).unwrap().sequence, 102);
        assert_eq!(out.relayed(&inbound(1, 49, 0), 0, at(20)), None);
        assert_eq!(out.relayed(&inbound(1, 51, 160), 0, at(40)).unwrap().sequence, 103);
        assert_eq!(out.relayed(&inbound(1, 48, 0), 0, at(40)), None);
        assert_eq!(out.relayed(&inbound(1, 50, 0), 0, at(40)).unwrap().sequence, 102);
    }

    #[test]
    fn left_out_packets_leave_no_hole() {
        let mut out = Outbound::new(7, 0, 0);
        assert_eq!(out.relayed(&inbound(1, 10, 0), 0, at(0)).unwrap().sequence, 1);
        out.left_out();
        assert_eq!(out.relayed(&inbound(1, 12, 320), 0, at(40)).unwrap().sequence, 2);
    }

    #[test]
    fn a_long_stream_never_drops() {
        let mut out = Outbound::new(7, 0, 0);
        for step in 0..200_000u32 {
            let header = inbound(1, step as u16, step * 160);
            let sent = out.relayed(&header, 0, at(u64::from(step) * 20)).unwrap();
            assert_eq!(sent.sequence, (step as u16).wrapping_add(1));
        }
    }
}
