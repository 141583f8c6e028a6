//! Limits of the shell, each with its unit and reason.

use std::time::Duration;

/// How long an INVITE waits for its `Admit` to be committed before it is answered 503: longer than a shard whose leader
/// died is without one, also on a machine that has no time, because a call refused is refused for good. Far ends
/// repeat an INVITE for 32 s (RFC 3261 17.1.1.2), and proxies that try the next node meanwhile find the same call.
pub const ADMIT: Duration = Duration::from_secs(5);
/// A call's proposals are repeated this long: longer than any election, and than the duties they belong to.
pub const PROPOSE: Duration = Duration::from_secs(30);
/// How long a pacer waits for what came of a dial; an election takes less. Its next round waits as long.
pub const DIAL: Duration = Duration::from_secs(2);
/// How long duties performed are gathered for one entry: said one by one they were 1.4 entries more a call at 200
/// calls/s. An agent without wrap-up is taken that much longer, for his hang-up is one of them.
pub const GATHER: Duration = Duration::from_millis(50);
/// How long a message for a row that is not applied here yet is kept.
pub const HOLD: Duration = Duration::from_millis(1500);
/// How long a node remembers what it passed on over TCP, where no far end says it again: a death is noticed within
/// 1.2 s, and its calls are adopted within one more election at the worst.
pub const STAND_BY: Duration = Duration::from_secs(6);
/// Messages kept at once, per kind. Far ends repeat what is dropped beyond it.
pub const MOST_KEPT: usize = 10_000;
/// Bytes on the wire of those messages: 10 000 of 2 KB each are 20 MB, but over TCP one may have 64 KB.
pub const MOST_KEPT_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{courier, vitals};

    /// Each of these is chosen by the others: whoever changes one of them looks here.
    #[test]
    fn who_waits_for_somebody_waits_longer_than_that_one() {
        let noticed = vitals::SILENT_AFTER;
        assert!(HOLD > noticed, "a row lags no longer than a death is noticed");
        assert!(ADMIT > 2 * noticed && ADMIT < Duration::from_secs(32), "an election, and no far end has given up");
        assert!(STAND_BY > ADMIT, "a death, and an election");
        assert!(PROPOSE > ADMIT && PROPOSE < Duration::from_secs(32));
        assert!(DIAL > noticed && DIAL < ADMIT);
        assert!(GATHER < Duration::from_millis(100), "an agent without wrap-up waits that long");
        assert!(courier::PAUSE < courier::ANSWER && courier::ANSWER < courier::GONE / 4, "some are lost, none is gone");
    }
}
