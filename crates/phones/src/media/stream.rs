//! Counts what arrives, by sequence number.

use crate::report::RtpCounts;

/// A jump further than this (a minute of packets) is a sender that started anew, not a loss.
const RESTART: i32 = 3_000;
/// How far back a late packet can still be told from a repeated one.
const REMEMBERED: i32 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next packet in order.
    Next,
    /// In order, but others are missing before it, or it begins a stream.
    AfterHole,
    /// Late or a repetition: its audio has no place any more.
    Late,
}

#[derive(Default)]
pub(super) struct Stream {
    current: Option<Current>,
    received: u64,
    lost_before: u64,
    out_of_order: u64,
    duplicates: u64,
    streams: u32,
}

struct Current {
    ssrc: u32,
    highest: u16,
    expected: u64,
    unique: u64,
    /// Bit n: the packet n before the highest has been seen.
    seen: u128,
}

impl Stream {
    pub fn receive(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        self.received += 1;
        let Some(current) = self.current.as_mut().filter(|current| current.ssrc == ssrc) else {
            return self.begin(ssrc, sequence);
        };
        let ahead = i32::from(sequence.wrapping_sub(current.highest) as i16);
        if ahead.abs() > RESTART {
            return self.begin(ssrc, sequence);
        }
        if ahead > 0 {
            current.highest = sequence;
            current.expected += ahead as u64;
            current.unique += 1;
            current.seen = if ahead < REMEMBERED { current.seen << ahead | 1 } else { 1 };
            return if ahead == 1 { Arrival::Next } else { Arrival::AfterHole };
        }
        let bit = if -ahead < REMEMBERED { 1u128 << -ahead } else { 0 };
        if current.seen & bit != 0 {
            self.duplicates += 1;
            return Arrival::Late;
        }
        current.seen |= bit;
        // Older than the stream's first packet: it was not expected either.
        if (-ahead) as u64 >= current.expected {
            current.expected += 1;
        }
        current.unique += 1;
        self.out_of_order += 1;
        Arrival::Late
    }

    pub fn count_into(&self, counts: &mut RtpCounts) {
        counts.received = self.received;
        counts.lost = self.lost_before + self.current.as_ref().map_or(0, Current::lost);
        counts.out_of_order = self.out_of_order;
        counts.duplicates = self.duplicates;
        counts.streams = self.streams;
    }

    fn begin(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        self.lost_before += self.current.as_ref().map_or(0, Current::lost);
        self.current = Some(Current { ssrc, highest: sequence, expected: 1, unique: 1, seen: 1 });
        self.streams += 1;
        Arrival::AfterHole
    }
}

impl Current {
    fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sequence: &[(u32, u16)]) -> RtpCounts {
        let mut stream = Stream::default();
        for &(ssrc, number) in sequence {
            stream.receive(ssrc, number);
        }
        let mut counts = RtpCounts::default();
        stream.count_into(&mut counts);
        counts
    }

    #[test]
    fn a_straight_stream_over_the_wrap_loses_nothing() {
        let packets: Vec<_> = (0..100u16).map(|n| (1, n.wrapping_add(65_500))).collect();
        let counts = counts(&packets);
        assert_eq!((counts.received, counts.lost, counts.out_of_order, counts.streams), (100, 0, 0, 1));
    }

    #[test]
    fn holes_late_ones_and_repetitions_are_told_apart() {
        let counts = counts(&[(1, 10), (1, 11), (1, 14), (1, 13), (1, 14), (1, 15)]);
        assert_eq!((counts.received, counts.lost, counts.out_of_order, counts.duplicates), (6, 1, 1, 1));
    }

    #[test]
    fn a_new_sender_is_a_new_count() {
        let counts = counts(&[(1, 10), (1, 12), (2, 40_000), (2, 40_001), (2, 5)]);
        assert_eq!((counts.lost, counts.streams), (1, 3));
    }
}
