//! When something is sent again and when it is given up (RFC 3261 section 17 and its table 4).
//!
//! These are the only transaction machines of the product. sipx-sip has some, but they can neither be built from a
//! committed row nor be told apart from a layer that owns all of a node's traffic; what a leg needs of them is one
//! repetition with a limit.

use std::time::Duration;

use strowger_model::Mono;

/// Estimate of a round trip; the first repetition comes after it (RFC 3261 section 17.1.1.1).
pub(super) const T1: Duration = Duration::from_millis(500);
/// Longest time between repetitions of a 2xx, a refusal or a request that is no INVITE (section 17.1.2.2).
pub(super) const T2: Duration = Duration::from_secs(4);
/// 64*T1: timers B, F and H, and the wait for an ACK to a 2xx (section 13.3.1.4).
pub(super) const PATIENCE: Duration = Duration::from_secs(32);
/// How long an ended leg should be kept: repeats of its last messages may arrive for 64*T1 (timers D, J, L).
pub const LINGER: Duration = PATIENCE;

/// A message that is sent again at doubling intervals until it is answered or given up.
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
    pub(super) fn of_invite(now: Mono) -> Repeat {
        Repeat { next: now + T1, interval: T1, longest: PATIENCE, until: now + PATIENCE }
    }

    /// Timers E and F, G and H, and those of a 2xx: doubling up to T2.
    pub(super) fn up_to_t2(now: Mono) -> Repeat {
        Repeat { longest: T2, ..Repeat::of_invite(now) }
    }

    /// The same, with the first repetition at once: an adopter does not know when the last one was sent.
    pub(super) fn resumed(now: Mono) -> Repeat {
        Repeat { next: now, ..Repeat::up_to_t2(now) }
    }

    /// No repetition, only the end.
    pub(super) fn wait(now: Mono) -> Repeat {
        Repeat { next: Mono::MAX, ..Repeat::of_invite(now) }
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
        assert_eq!(times(Repeat::of_invite(Mono::ZERO)), [500, 1500, 3500, 7500, 15_500, 31_500, 32_000]);
    }

    #[test]
    fn others_stop_doubling_at_t2() {
        let all = times(Repeat::up_to_t2(Mono::ZERO));
        assert_eq!(all[..6], [500, 1500, 3500, 7500, 11_500, 15_500]);
        assert_eq!(all.last(), Some(&32_000));
    }

    #[test]
    fn waiting_repeats_nothing() {
        assert_eq!(times(Repeat::wait(Mono::ZERO)), [32_000]);
    }
}
