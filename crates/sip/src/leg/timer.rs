//! When something is sent again and when it is given up (RFC 3261 section 17 and its table 4).
//!
//! These are the only transaction machines of the product. sipx-sip has some, but they can neither be built from a
//! committed row nor be told apart from a layer that owns all of a node's traffic; what a leg needs of them is one
//! repetition with a limit.

use std::time::Duration;

use strowger_model::{Mono, Transport};

/// Estimate of a round trip; the first repetition comes after it (RFC 3261 section 17.1.1.1).
pub(super) const T1: Duration = Duration::from_millis(500);
/// Longest time between repetitions of a 2xx, a refusal or a request that is no INVITE (section 17.1.2.2).
pub(super) const T2: Duration = Duration::from_secs(4);
/// 64*T1: timers B, F and H, and the wait for an ACK to a 2xx (section 13.3.1.4).
pub(super) const PATIENCE: Duration = Duration::from_secs(32);
/// How long an ended leg should be kept: repeats of its last messages may arrive for 64*T1 (timers D, J, L).
pub const LINGER: Duration = PATIENCE;

/// A message that is sent again at doubling intervals until it is answered or given up. Over TCP only the end is left
/// (timers A, E and G are for unreliable transports), but for a 2xx, which a proxy may lose on its further way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    next: Mono,
    interval: Duration,
    longest: Duration,
    until: Mono,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Nothing,
    Again,
    GiveUp,
}

impl Repeat {
    /// Timers A and B: doubling without bound.
    pub(super) fn of_invite(now: Mono, over: Transport) -> Repeat {
        if over.is_reliable() { Repeat::wait(now) } else { Repeat::doubling(now, PATIENCE) }
    }

    /// Timers E and F, G and H: doubling up to T2.
    pub(super) fn up_to_t2(now: Mono, over: Transport) -> Repeat {
        if over.is_reliable() { Repeat::wait(now) } else { Repeat::doubling(now, T2) }
    }

    /// Of a 2xx to an INVITE: over any transport, until the ACK (RFC 3261 section 13.3.1.4).
    pub(super) fn of_success(now: Mono) -> Repeat {
        Repeat::doubling(now, T2)
    }

    /// The same, beginning at once: an adopter does not know when it was sent last, nor over TCP whether the line
    /// broke before it arrived.
    pub(super) fn resumed(self, now: Mono) -> Repeat {
        Repeat { next: now, ..self }
    }

    /// No repetition, only the end.
    pub(super) fn wait(now: Mono) -> Repeat {
        Repeat { next: Mono::MAX, interval: PATIENCE, longest: PATIENCE, until: now + PATIENCE }
    }

    fn doubling(now: Mono, longest: Duration) -> Repeat {
        debug_assert!(T1 <= longest && longest <= PATIENCE, "it doubles to its longest, and is given up");
        Repeat { next: now + T1, interval: T1, longest, until: now + PATIENCE }
    }

    pub(super) fn deadline(&self) -> Mono {
        self.next.min(self.until)
    }

    pub(super) fn due(&mut self, now: Mono) -> Due {
        if now >= self.until {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(self.longest);
        self.next = now + self.interval;
        debug_assert!(self.interval >= T1 && self.interval <= self.longest, "never more often than a round trip");
        Due::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(mut repeat: Repeat) -> Vec<u64> {
        let mut out = Vec::new();
        loop {
            let now = repeat.deadline();
            match repeat.due(now) {
                Due::Again => out.push(now.0 / 1000),
                Due::GiveUp => {
                    out.push(now.0 / 1000);
                    return out;
                }
                Due::Nothing => panic!("due at its own deadline"),
            }
        }
    }

    #[test]
    fn an_invite_doubles_to_the_end() {
        assert_eq!(
            times(Repeat::of_invite(Mono::ZERO, Transport::Udp)),
            [500, 1500, 3500, 7500, 15_500, 31_500, 32_000]
        );
    }

    #[test]
    fn others_stop_doubling_at_t2() {
        let all = times(Repeat::up_to_t2(Mono::ZERO, Transport::Udp));
        assert_eq!(all[..6], [500, 1500, 3500, 7500, 11_500, 15_500]);
        assert_eq!(all.last(), Some(&32_000));
        assert_eq!(times(Repeat::of_success(Mono::ZERO)), all);
    }

    #[test]
    fn over_tcp_nothing_is_repeated_but_by_an_adopter_once() {
        for repeat in [Repeat::of_invite(Mono::ZERO, Transport::Tcp), Repeat::up_to_t2(Mono::ZERO, Transport::Tcp)] {
            assert_eq!(times(repeat), [32_000]);
            assert_eq!(times(repeat.resumed(Mono::ZERO)), [0, 32_000]);
        }
    }

    #[test]
    fn waiting_repeats_nothing() {
        assert_eq!(times(Repeat::wait(Mono::ZERO)), [32_000]);
    }
}
