//! How the datagrams of one peer fare on their way: loss, delay variation, lateness.

use std::time::Duration;

use strowger_model::Mono;

use super::parcel::Head;

/// Clocks of two machines share no zero, so only differences count: the quickest recent datagram is the measure of others.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    clock: Option<Clock>,
    /// The number expected next, by lane.
    lanes: Vec<(u16, u32)>,
    pub(crate) lost: u64,
}

#[derive(Debug)]
struct Clock {
    /// Least transit of this window and the one before.
    base: u32,
    /// Least transit of this window.
    least: u32,
    window: Mono,
    last: u32,
    in_time: Mono,
    /// In µs, times 16 (RFC 3550, A.8).
    jitter16: u32,
}

/// A datagram this far behind the quickest is of no use: a far end's jitter buffer has played on.
const LATE: Duration = Duration::from_millis(60);

/// How long a quick datagram is the measure. Two clocks drift apart by 1 ms in it at 100 ppm, which is little beside `LATE`.
const WINDOW: Duration = Duration::from_secs(10);

/// When nothing was in time for so long the way has become longer (or the peer's clock another), and is measured anew.
const RELEARN: Duration = Duration::from_millis(500);

/// A step of the number beyond it is a new start of the sender, not loss: two seconds of 100 calls, and a chance of 1 in
/// 200 000 that a new start looks like loss.
const MAX_STEP: u32 = 10_000;

/// Media threads of one peer; beyond it loss is not counted.
const MAX_LANES: usize = 256;

/// Longest difference that enters the mean.
const MAX_DIFFERENCE_US: u32 = 1_000_000;

impl Passage {
    /// Notes a datagram; true if it is too late.
    pub(crate) fn arrive(&mut self, head: Head, at: Mono) -> bool {
        self.count(head);
        let transit = (at.0 as u32).wrapping_sub(head.stamp);
        self.clock.get_or_insert_with(|| Clock::new(transit, at)).judge(transit, at)
    }

    /// In µs.
    pub(crate) fn jitter(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| u64::from(clock.jitter16 >> 4))
    }

    fn count(&mut self, head: Head) {
        let packets = u32::from(head.packets);
        let next = head.number.wrapping_add(packets);
        let Some((_, expected)) = self.lanes.iter_mut().find(|(lane, _)| *lane == head.lane) else {
            if self.lanes.len() < MAX_LANES {
                self.lanes.push((head.lane, next));
            }
            return;
        };
        let ahead = head.number.wrapping_sub(*expected);
        let behind = expected.wrapping_sub(head.number);
        if ahead < MAX_STEP {
            self.lost += u64::from(ahead);
        } else if behind < MAX_STEP {
            // Overtaken by a later one, and counted as lost then.
            self.lost = self.lost.saturating_sub(u64::from(packets));
            return;
        }
        *expected = next;
    }
}

impl Clock {
    fn new(transit: u32, at: Mono) -> Self {
        Self { base: transit, least: transit, window: at, last: transit, in_time: at, jitter16: 0 }
    }

    fn judge(&mut self, transit: u32, at: Mono) -> bool {
        let difference = signed(transit, self.last).unsigned_abs().min(MAX_DIFFERENCE_US);
        self.jitter16 = self.jitter16 + difference - ((self.jitter16 + 8) >> 4);
        self.last = transit;
        if at.since(self.window) >= WINDOW {
            (self.base, self.least, self.window) = (self.least, transit, at);
        }
        for least in [&mut self.base, &mut self.least] {
            if signed(transit, *least) < 0 {
                *least = transit;
            }
        }
        if i64::from(signed(transit, self.base)) <= LATE.as_micros() as i64 {
            self.in_time = at;
            return false;
        }
        if at.since(self.in_time) < RELEARN {
            return true;
        }
        let jitter16 = self.jitter16;
        *self = Self { jitter16, ..Self::new(transit, at) };
        false
    }
}

fn signed(transit: u32, than: u32) -> i32 {
    transit.wrapping_sub(than) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u32, packets: u8, stamp: u32) -> Head {
        Head { packets, lane: 0, number, stamp }
    }

    #[test]
    fn gaps_are_loss_and_what_comes_after_all_is_not() {
        let mut passage = Passage::default();
        let mut lost = |number, packets| {
            passage.arrive(head(number, packets, 0), Mono(0));
            passage.lost
        };
        assert_eq!(lost(u32::MAX - 1, 2), 0);
        assert_eq!(lost(0, 3), 0);
        assert_eq!(lost(7, 2), 4);
        assert_eq!(lost(3, 2), 2, "two of the four were only overtaken");
        assert_eq!(lost(9, 1), 2);
        assert_eq!(lost(3_000_000_000, 1), 2, "a new start");
        assert_eq!(lost(3_000_000_002, 1), 3);
    }

    #[test]
    fn lanes_have_numbers_of_their_own() {
        let mut passage = Passage::default();
        for round in 0..5 {
            for lane in 0..1000 {
                let number = u32::from(lane) * 1000 + round;
                passage.arrive(Head { packets: 1, lane, number, stamp: 0 }, Mono(0));
            }
        }
        assert_eq!((passage.lost, passage.lanes.len()), (0, MAX_LANES));
    }

    /// Sends every 20 ms, each with a delay in ms; the peer's clock is far from ours and wraps.
    fn late(passage: &mut Passage, from_ms: u64, delays: &[u64]) -> Vec<bool> {
        let stamp = |sent_ms: u64| (sent_ms as u32).wrapping_mul(1000).wrapping_add(u32::MAX - 30_000);
        let arrive = |(step, delay): (usize, &u64)| {
            let sent = from_ms + step as u64 * 20;
            passage.arrive(head(0, 1, stamp(sent)), Mono::from_millis(1_000_000 + sent + delay))
        };
        delays.iter().enumerate().map(arrive).collect()
    }

    #[test]
    fn what_is_60_ms_behind_the_quickest_is_late() {
        let mut passage = Passage::default();
        assert_eq!(late(&mut passage, 0, &[30, 5, 64, 66, 100, 5]), [false, false, false, true, true, false]);
        assert!(passage.jitter() > 10_000, "{}", passage.jitter());
    }

    #[test]
    fn a_way_that_became_longer_is_measured_anew() {
        let mut passage = Passage::default();
        late(&mut passage, 0, &[1; 10]);
        let verdicts = late(&mut passage, 200, &[200; 50]);
        let dropped = verdicts.iter().filter(|late| **late).count();
        assert!((10..=25).contains(&dropped), "{dropped}");
        assert!(!verdicts[49] && !late(&mut passage, 1200, &[1])[0]);
    }

    #[test]
    fn drifting_clocks_make_nothing_late() {
        let mut passage = Passage::default();
        for step in 0..50_000u64 {
            let (sent, drift) = (step * 20_000, step * 4);
            assert!(!passage.arrive(head(0, 1, sent as u32), Mono(sent + drift)), "{step}");
        }
    }
}
