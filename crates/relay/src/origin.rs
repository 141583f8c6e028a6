//! Where a far end's RTP comes from: which packets are its own, and where ours go. The address in its description is
//! right, unless a NAT gives it another port or it moves without a word; then it is followed, but not by one packet:
//! whoever is behind the same NAT, or writes any sender's address into a packet, could take a call over.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_audio::rtp::Header;
use strowger_model::Mono;

/// Packets of one source in a row before it is followed: 80 ms, in which a spray over all ports has gone by (the probation
/// of RFC 3550, A.1, has two; RFC 7362, section 4, says what latching on the first costs).
const RUN: u8 = 4;
/// Two packets in a row have sequence numbers no further apart: some may be lost between.
const MAX_STEP: u16 = 10;
/// A stream that goes on elsewhere has been silent where it was for so long: ten packets, more than jitter.
const MOVES_AFTER: Duration = Duration::from_millis(200);
/// The same of another stream: far ends that suppress silence leave gaps.
const REPLACED_AFTER: Duration = Duration::from_secs(1);

/// What is known of where RTP comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    signalled: SocketAddr,
    /// Where it comes from, once it does.
    latched: Option<SocketAddr>,
    /// What came from there last, and when.
    ssrc: u32,
    heard: Mono,
    run: Option<Run>,
}

/// What comes from another port, one packet after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    packets: u8,
}

/// Whose a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    Stranger,
    FarEnd,
    /// The far end's, from somewhere else than before, or than was said.
    Moved(SocketAddr),
}

impl Origin {
    pub(crate) fn new(signalled: SocketAddr) -> Self {
        Self { signalled, latched: None, ssrc: 0, heard: Mono::ZERO, run: None }
    }

    pub(crate) fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    /// Where it is to be heard.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.latched.unwrap_or(self.signalled)
    }

    /// Whether it may be the far end at all: a NAT changes ports, and no more.
    pub(crate) fn is_near(&self, from: SocketAddr) -> bool {
        from.ip() == self.signalled.ip()
    }

    /// Whether it comes from where the far end is.
    pub(crate) fn is_there(&self, from: SocketAddr) -> bool {
        from == self.signalled || Some(from) == self.latched
    }

    /// Judges an RTP packet. What was said always counts, also after the far end was followed elsewhere.
    pub(crate) fn judge(&mut self, from: SocketAddr, header: &Header, now: Mono) -> Whose {
        if !self.is_there(from) && !self.follows(from, header, now) {
            return Whose::Stranger;
        }
        let before = self.latched.replace(from).unwrap_or(self.signalled);
        (self.ssrc, self.heard, self.run) = (header.ssrc, now, None);
        if before == from { Whose::FarEnd } else { Whose::Moved(from) }
    }

    /// Whether enough has come from another port while nothing came from where it was.
    fn follows(&mut self, from: SocketAddr, header: &Header, now: Mono) -> bool {
        if !self.is_near(from) {
            return false;
        }
        let goes_on = |run: &Run| {
            let step = header.sequence.wrapping_sub(run.sequence);
            (run.from, run.ssrc) == (from, header.ssrc) && (1..=MAX_STEP).contains(&step)
        };
        let packets = self.run.filter(goes_on).map_or(0, |run| run.packets).saturating_add(1);
        self.run = Some(Run { from, ssrc: header.ssrc, sequence: header.sequence, packets });
        let silence = match self.latched {
            None => Duration::ZERO,
            Some(_) if header.ssrc == self.ssrc => MOVES_AFTER,
            Some(_) => REPLACED_AFTER,
        };
        packets >= RUN && now.since(self.heard) >= silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_MS: u64 = 20;

    /// Packets on a bench, whose clock goes on by a frame with each.
    struct Bench {
        origin: Origin,
        now: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self { origin: Origin::new(at(4000)), now: 1000 }
        }

        fn hears(&mut self, from: SocketAddr, ssrc: u32, sequence: u16) -> Whose {
            self.now += FRAME_MS;
            self.judges(from, ssrc, sequence)
        }

        fn judges(&mut self, from: SocketAddr, ssrc: u32, sequence: u16) -> Whose {
            let header = Header { marker: false, payload_type: 8, sequence, timestamp: 0, ssrc };
            self.origin.judge(from, &header, Mono::from_millis(self.now))
        }

        /// How many packets of a stream are dropped before it is followed.
        fn strangers(&mut self, from: SocketAddr, ssrc: u32, first: u16) -> u16 {
            for dropped in 0..100 {
                match self.hears(from, ssrc, first.wrapping_add(dropped)) {
                    Whose::Stranger => {}
                    Whose::Moved(to) => {
                        assert_eq!((to, self.origin.addr()), (from, from));
                        return dropped;
                    }
                    Whose::FarEnd => panic!("nobody has followed it"),
                }
            }
            100
        }
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn the_signalled_address_is_believed_at_once_and_always() {
        let mut bench = Bench::new();
        assert_eq!(bench.hears(at(4000), 1, 7), Whose::FarEnd);
        assert_eq!(bench.origin.latched(), Some(at(4000)));
        let mut bench = Bench::new();
        bench.strangers(at(5000), 9, 100);
        assert_eq!(bench.hears(at(4000), 1, 7), Whose::Moved(at(4000)), "who came first is not believed for ever");
        assert_eq!(bench.hears(at(5000), 9, 200), Whose::Stranger);
        assert_eq!(bench.origin.addr(), at(4000));
    }

    /// One packet from the right address and a wrong port took a call's voice away for good.
    #[test]
    fn one_packet_or_a_spray_takes_nothing_over() {
        let mut bench = Bench::new();
        for (port, ssrc, sequence) in
            [(5000, 1, 1), (5001, 1, 2), (5000, 1, 3), (5000, 2, 4), (5000, 2, 4), (5000, 2, 60)]
        {
            assert_eq!(bench.hears(at(port), ssrc, sequence), Whose::Stranger);
        }
        assert_eq!(bench.origin.latched(), None);
        let elsewhere = SocketAddr::from(([192, 0, 2, 8], 4000));
        assert_eq!(bench.strangers(elsewhere, 1, 1), 100, "another address is nobody's, however long it sends");
    }

    #[test]
    fn behind_a_nat_a_far_end_is_found_after_a_few_packets() {
        for first in [1, u16::MAX - 1] {
            assert_eq!(Bench::new().strangers(at(40_404), 7, first), u16::from(RUN) - 1);
        }
        let mut bench = Bench::new();
        // With loss.
        let heard = [1, 3, 4, 9].map(|sequence| bench.hears(at(40_404), 7, sequence));
        assert_eq!(heard.last(), Some(&Whose::Moved(at(40_404))));
    }

    #[test]
    fn a_far_end_that_moves_is_followed_and_may_move_back() {
        let mut bench = Bench::new();
        assert_eq!(bench.hears(at(4000), 7, 1), Whose::FarEnd);
        let moves = (MOVES_AFTER.as_millis() as u64 / FRAME_MS) as u16;
        assert_eq!(bench.strangers(at(5000), 7, 2), moves - 1);
        assert_eq!(bench.strangers(at(6000), 7, 20), moves - 1);
        let replaced = (REPLACED_AFTER.as_millis() as u64 / FRAME_MS) as u16;
        assert_eq!(bench.strangers(at(5000), 8, 30), replaced - 1, "another stream has to wait for longer");
        assert_eq!(bench.hears(at(4000), 7, 90), Whose::Moved(at(4000)));
    }

    #[test]
    fn while_the_far_end_speaks_nobody_takes_over() {
        let mut bench = Bench::new();
        for frame in 0..200 {
            assert_eq!(bench.hears(at(4000), 7, frame), Whose::FarEnd);
            // Ten for each of its own, and its own stream copied.
            for copy in 0..10 {
                assert_eq!(bench.judges(at(5000), 7, frame * 10 + copy), Whose::Stranger);
            }
        }
    }
}
