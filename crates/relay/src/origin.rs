//! Where a far end's RTP comes from: which packets are its own, and where ours go. The address in its description is
//! right, unless a NAT gives it another port or it moves without a word; then it is followed, but not by one packet:
//! whoever is behind the same NAT, or writes any sender's address into a packet, could take a call over.

use std::net::SocketAddr;
use std::ops::Range;
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

/// Two packets in a row of another stream, where the far end is, before that is taken for its own (RFC 3550, A.1).
const PROBATION: u8 = 2;
/// The same: how long its stream was silent before. A far end that changes its stream stops with the one before; between two
/// packets of one that goes on, nobody puts another.
const CHANGES_AFTER: Duration = Duration::from_millis(100);
/// The next packet of a stream is at most so many ahead (RFC 3550, A.1: one minute of loss at 50 a second).
const MAX_DROPOUT: u16 = 3000;
/// Or so many behind (RFC 3550, A.1).
const MAX_MISORDER: u16 = 100;

/// What is known of where RTP comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    signalled: SocketAddr,
    /// Ports at its address that are this relay's: whoever writes them into packets would have two legs send to each other for
    /// ever.
    ours: Range<u16>,
    /// Where it comes from, once it does.
    latched: Option<SocketAddr>,
    /// What came from there, and when the last of it.
    stream: Stream,
    heard: Mono,
    /// Of another stream from there.
    change: Option<Run>,
    /// From another port. Apart, so that whoever sends from one does not keep a far end from changing its stream.
    run: Option<Run>,
    /// From where it was said to be, while it is heard elsewhere. Apart for the same reason.
    back: Option<Run>,
}

/// A stream, and its newest packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Stream {
    ssrc: u32,
    sequence: u16,
}

/// What may become the far end's, one packet after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: SocketAddr,
    stream: Stream,
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
    pub(crate) fn new(signalled: SocketAddr, ours: Range<u16>) -> Self {
        let (stream, heard) = (Stream::default(), Mono::ZERO);
        Self { signalled, ours, latched: None, stream, heard, change: None, run: None, back: None }
    }

    pub(crate) fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    /// The source that it sends as, once it does.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.latched.map(|_| self.stream.ssrc)
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

    /// Judges an RTP packet. The far end is where it was said to be, from the first packet, or, after it was followed
    /// elsewhere, as soon as a stream comes from there; where it is, its stream goes on, or has ended before another begins:
    /// whoever can only write its address into packets knows neither source nor number. Back to where it was said to be a run
    /// takes it, of any source: that far an address in packets is believed.
    pub(crate) fn judge(&mut self, from: SocketAddr, header: &Header, now: Mono) -> Whose {
        let next = Stream { ssrc: header.ssrc, sequence: header.sequence };
        let goes_on = self.latched == Some(from) && self.stream.goes_on(next);
        if !goes_on && !self.begins(from, next, now) {
            return Whose::Stranger;
        }
        let before = self.latched.replace(from).unwrap_or(self.signalled);
        if !goes_on || self.stream.is_before(next) {
            self.stream = next;
        }
        (self.heard, self.change, self.run) = (now, None, None);
        if before == from {
            return Whose::FarEnd;
        }
        self.back = None;
        Whose::Moved(from)
    }

    /// Whether a stream that was not heard so far is the far end's from now on.
    fn begins(&mut self, from: SocketAddr, next: Stream, now: Mono) -> bool {
        if self.latched == Some(from) {
            let packets = Run::after(&mut self.change, from, next);
            return packets >= PROBATION && now.since(self.heard) >= CHANGES_AFTER;
        }
        if from == self.signalled {
            return self.latched.is_none() || self.returns(from, next);
        }
        self.follows(from, next, now)
    }

    /// Whether it is where it was said to be after all. A run takes it there, and no silence elsewhere keeps it away: it may
    /// be a neighbour behind the same NAT that was followed.
    fn returns(&mut self, from: SocketAddr, next: Stream) -> bool {
        Run::after(&mut self.back, from, next) >= RUN
    }

    /// Whether enough has come from another port while nothing came from where it was.
    fn follows(&mut self, from: SocketAddr, next: Stream, now: Mono) -> bool {
        if !self.is_near(from) || self.ours.contains(&from.port()) {
            return false;
        }
        let packets = Run::after(&mut self.run, from, next);
        let silence = match self.latched {
            None => Duration::ZERO,
            Some(_) if next.ssrc == self.stream.ssrc => MOVES_AFTER,
            Some(_) => REPLACED_AFTER,
        };
        packets >= RUN && now.since(self.heard) >= silence
    }
}

impl Stream {
    /// Whether a packet is one of this stream, a little later or earlier than the newest.
    fn goes_on(self, next: Stream) -> bool {
        let step = next.sequence.wrapping_sub(self.sequence);
        self.ssrc == next.ssrc && !(MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&step)
    }

    fn is_before(self, next: Stream) -> bool {
        (1..MAX_DROPOUT).contains(&next.sequence.wrapping_sub(self.sequence))
    }
}

impl Run {
    /// Adds a packet, and says how many there are in a row now.
    fn after(run: &mut Option<Run>, from: SocketAddr, next: Stream) -> u8 {
        let goes_on = |run: &Run| {
            let step = next.sequence.wrapping_sub(run.stream.sequence);
            (run.from, run.stream.ssrc) == (from, next.ssrc) && (1..=MAX_STEP).contains(&step)
        };
        let packets = run.filter(goes_on).map_or(0, |run| run.packets).saturating_add(1);
        *run = Some(Run { from, stream: next, packets });
        packets
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
            Self { origin: Origin::new(at(4000), 20_000..30_000), now: 1000 }
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
        assert_eq!(bench.strangers(at(4000), 1, 7), u16::from(RUN) - 1, "who came first is not believed for ever");
        assert_eq!(bench.hears(at(5000), 9, 200), Whose::Stranger);
        assert_eq!(bench.origin.addr(), at(4000));
    }

    /// Somebody who wrote the signalled address into one packet took the voice of everybody behind a NAT.
    #[test]
    fn one_packet_from_the_signalled_address_takes_nothing_back() {
        let mut bench = Bench::new();
        bench.strangers(at(5000), 7, 100);
        for frame in 0..200 {
            assert_eq!(bench.hears(at(5000), 7, 104 + frame), Whose::FarEnd);
            // Of a source each, of one but out of order, and of the far end's, the last of them twice.
            let (ssrc, sequence) = [(u32::from(frame), 1), (9, frame * 31), (7, 90), (7, 90)][usize::from(frame % 4)];
            assert_eq!(bench.judges(at(4000), ssrc, sequence), Whose::Stranger);
        }
        assert_eq!(bench.origin.addr(), at(5000));
    }

    /// Also while a neighbour goes on to send from where the leg was followed, and others from elsewhere.
    #[test]
    fn a_far_end_goes_back_to_where_it_was_said_to_be() {
        for ssrc in [7, 8] {
            let mut bench = Bench::new();
            bench.strangers(at(5000), 7, 100);
            let heard: Vec<_> = (0..10)
                .map(|frame| {
                    bench.judges(at(5000), 7, 104 + frame);
                    bench.judges(at(6000), 9, frame);
                    bench.hears(at(4000), ssrc, 110 + frame)
                })
                .collect();
            assert_eq!(heard.iter().position(|whose| *whose == Whose::Moved(at(4000))), Some(usize::from(RUN) - 1));
        }
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
        assert_eq!(bench.strangers(at(29_999), 1, 1), 100, "a leg of this relay is no far end");
        assert_eq!(bench.strangers(at(30_000), 1, 1), u16::from(RUN) - 1);
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
        assert_eq!(bench.strangers(at(4000), 7, 90), u16::from(RUN) - 1);
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

    /// Somebody who writes the far end's own address into packets was heard in its place: 100 of 100.
    #[test]
    fn where_the_far_end_is_only_its_own_stream_is_heard() {
        let mut bench = Bench::new();
        for frame in 0..200_u16 {
            assert_eq!(bench.hears(at(4000), 7, frame), Whose::FarEnd);
            for copy in 0..10 {
                assert_eq!(bench.judges(at(4000), 8, frame * 10 + copy), Whose::Stranger, "another source");
            }
            for copy in 0..10 {
                assert_eq!(bench.judges(at(4000), 7, 30_000 + frame * 10 + copy), Whose::Stranger, "other numbers");
            }
        }
    }

    #[test]
    fn a_stream_goes_on_with_losses_and_disorder_and_round_the_end_of_its_numbers() {
        let mut bench = Bench::new();
        for sequence in [65_000, 65_002, 65_001, 65_001, 65_535, 0, 65_534, 2999, 2900, 5998] {
            assert_eq!(bench.hears(at(4000), 7, sequence), Whose::FarEnd, "{sequence}");
        }
        assert_eq!(bench.judges(at(4000), 7, 5997 - MAX_MISORDER), Whose::Stranger, "too old");
        assert_eq!(bench.judges(at(4000), 7, 5998 + MAX_DROPOUT), Whose::Stranger, "too new");
    }

    #[test]
    fn a_far_end_that_changes_its_stream_is_heard_again_once_the_old_one_has_ended() {
        // At once; with numbers that begin anew; and after a pause.
        for (ssrc, first, pause) in [(8, 500, 0), (7, 40_000, 0), (8, 500, 60_000)] {
            let mut bench = Bench::new();
            bench.hears(at(4000), 7, 1);
            bench.now += pause;
            let heard: Vec<_> = (0..6).map(|at_frame| bench.hears(at(4000), ssrc, first + at_frame)).collect();
            let dropped = if pause == 0 { (CHANGES_AFTER.as_millis() as u64 / FRAME_MS) as usize - 1 } else { 1 };
            assert_eq!(heard.iter().position(|whose| *whose == Whose::FarEnd), Some(dropped));
            assert!(heard[dropped..].iter().all(|whose| *whose == Whose::FarEnd));
        }
    }

    #[test]
    fn who_sends_from_another_port_does_not_hold_up_a_change_of_stream() {
        let mut bench = Bench::new();
        bench.hears(at(4000), 7, 1);
        let heard: Vec<_> = (0..10)
            .map(|frame| {
                bench.judges(at(5000), 9, frame * 2);
                bench.hears(at(4000), 8, frame)
            })
            .collect();
        assert_eq!(heard.last(), Some(&Whose::FarEnd));
    }
}
