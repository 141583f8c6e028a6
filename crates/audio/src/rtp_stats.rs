//! How well a stream arrives (RFC 3550, appendix A.1, A.3 and A.8).

use crate::rtcp::Reception;
use crate::rtp::Header;

/// Counts one incoming stream. A change of SSRC starts the sequence anew and keeps the sums.
///
/// The probation of A.1 is left out: who may send is decided before a packet gets here, and the first packet of an answer
/// must be heard.
#[derive(Clone, Debug, Default)]
pub struct RtpStats {
    source: Option<Source>,
    /// Sums over earlier sources of this leg.
    earlier_expected: u64,
    received: u64,
    late: u64,
    expected_prior: u64,
    received_prior: u64,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    first: u32,
    /// Highest sequence number, with the count of its wraps above 16 bits.
    highest: u32,
    /// Where the sequence seems to have jumped to: believed when the next packet agrees.
    jump: Option<u16>,
    transit: u32,
    /// In units of the RTP clock, times 16 (A.8).
    jitter16: u32,
}

/// What a packet was, seen from its sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The newest so far.
    Next,
    /// Out of order or twice.
    Late,
    /// Far off: counted only when the next one follows it.
    Astray,
    /// The first of a source or of a restarted sequence.
    First,
}

/// A gap up to this many packets is loss, beyond it a restart (A.1): a minute at 50 packets a second.
const MAX_DROPOUT: u16 = 3000;
/// A packet up to this many behind the newest is late; beyond, it is astray or the source has jumped (RFC 3550, A.1).
pub const MAX_MISORDER: u16 = 100;

impl RtpStats {
    /// Counts a packet. `arrival` is the time of arrival in units of the RTP clock, from any start.
    pub fn receive(&mut self, header: &Header, arrival: u32) -> Arrival {
        let outcome = match &mut self.source {
            Some(source) if source.ssrc == header.ssrc => source.receive(header),
            _ => Arrival::First,
        };
        match outcome {
            Arrival::Astray => return outcome,
            Arrival::First => {
                self.earlier_expected = self.expected();
                self.source = Some(Source::new(header, arrival));
            }
            Arrival::Late => self.late += 1,
            Arrival::Next => self.source.iter_mut().for_each(|source| source.age(header, arrival)),
        }
        self.received += 1;
        outcome
    }

    /// Of the source heard last; none before the first packet.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Packets of all sources, late ones among them, astray ones not.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Out of order or twice.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Sent, as the sequence numbers say.
    pub fn expected(&self) -> u64 {
        self.earlier_expected + self.source.as_ref().map_or(0, |source| u64::from(source.highest - source.first) + 1)
    }

    /// Expected and not received; duplicates may hide some (A.3).
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Mean deviation of the transit time, in units of the RTP clock.
    pub fn jitter(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| source.jitter16 >> 4)
    }

    /// The report block for RTCP; the fraction lost covers the time since the call before. No block without a packet.
    pub fn report(&mut self) -> Option<Reception> {
        let expected = self.expected();
        let source = self.source.as_ref()?;
        let expected_now = expected - self.expected_prior;
        let received_now = self.received - self.received_prior;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        let reception = Reception {
            ssrc: source.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: (expected as i64 - self.received as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: source.highest,
            jitter: source.jitter16 >> 4,
            last_sr: 0,
            delay_since_last_sr: 0,
        };
        (self.expected_prior, self.received_prior) = (expected, self.received);
        Some(reception)
    }
}

impl Source {
    fn new(header: &Header, arrival: u32) -> Self {
        let first = u32::from(header.sequence);
        let transit = arrival.wrapping_sub(header.timestamp);
        Self { ssrc: header.ssrc, first, highest: first, jump: None, transit, jitter16: 0 }
    }

    fn receive(&mut self, header: &Header) -> Arrival {
        let ahead = header.sequence.wrapping_sub(self.highest as u16);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.jump = None;
            Arrival::Next
        } else if ahead == 0 || ahead > u16::MAX - MAX_MISORDER {
            Arrival::Late
        } else if self.jump == Some(header.sequence) {
            Arrival::First
        } else {
            self.jump = Some(header.sequence.wrapping_add(1));
            Arrival::Astray
        }
    }

    fn age(&mut self, header: &Header, arrival: u32) {
        let transit = arrival.wrapping_sub(header.timestamp);
        let difference = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        // A.8, with the rounding of its integer form. A clock that restarted would swamp the mean for minutes.
        if difference < crate::RATE_HZ * 10 {
            self.jitter16 = self.jitter16 + difference - ((self.jitter16 + 8) >> 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    fn feed(stats: &mut RtpStats, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            let timestamp = u32::from(sequence) * 160;
            stats.receive(&packet(1, sequence, timestamp), timestamp);
        }
    }

    #[test]
    fn counts_loss_over_a_wrap() {
        let mut stats = RtpStats::default();
        feed(&mut stats, (65_000..=65_535).chain(0..464).filter(|sequence| sequence % 10 != 0));
        assert_eq!((stats.expected(), stats.received()), (999, 899));
        assert_eq!(stats.lost(), 100);
        let report = stats.report().unwrap();
        assert_eq!((report.highest_sequence, report.cumulative_lost), (65_536 + 463, 100));
        assert_eq!(report.fraction_lost, 25); // 100 of 999, times 256
        feed(&mut stats, 464..564);
        let report = stats.report().unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 100));
    }

    #[test]
    fn late_and_double_packets_are_no_loss() {
        let mut stats = RtpStats::default();
        feed(&mut stats, [10, 12, 11, 11, 13]);
        assert_eq!((stats.expected(), stats.received(), stats.late(), stats.lost()), (4, 5, 2, 0));
        assert_eq!(stats.report().unwrap().cumulative_lost, -1);
    }

    #[test]
    fn a_restart_is_believed_at_its_second_packet() {
        let mut stats = RtpStats::default();
        feed(&mut stats, 0..10);
        assert_eq!(stats.receive(&packet(1, 30_000, 0), 0), Arrival::Astray);
        assert_eq!(stats.receive(&packet(1, 10, 0), 0), Arrival::Next);
        assert_eq!(stats.receive(&packet(1, 40_000, 0), 0), Arrival::Astray);
        assert_eq!(stats.receive(&packet(1, 40_001, 0), 0), Arrival::First);
        assert_eq!((stats.expected(), stats.received(), stats.lost()), (12, 12, 0));
    }

    #[test]
    fn a_new_source_keeps_the_sums() {
        let mut stats = RtpStats::default();
        feed(&mut stats, [1, 2, 4]);
        assert_eq!(stats.receive(&packet(9, 500, 0), 0), Arrival::First);
        assert_eq!((stats.expected(), stats.received(), stats.lost(), stats.ssrc()), (5, 4, 1, Some(9)));
    }

    #[test]
    fn jitter_follows_the_formula() {
        let mut stats = RtpStats::default();
        // Every second packet comes 80 units late: |D| is 80 each time, and J runs towards 80.
        for step in 0..200u16 {
            let timestamp = u32::from(step) * 160;
            let late = if step % 2 == 1 { 80 } else { 0 };
            stats.receive(&packet(1, step, timestamp), timestamp + late);
            if step == 1 {
                assert_eq!(stats.jitter(), 5); // 80 / 16
            }
        }
        assert!((75..=80).contains(&stats.jitter()), "{}", stats.jitter());
        let mut even = RtpStats::default();
        feed(&mut even, 0..100);
        assert_eq!(even.jitter(), 0);
    }
}
