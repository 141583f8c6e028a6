//! How fast what is bound for one agent may change. Each change is an entry in every node's log: phones that change without
//! end, by a fault or because somebody has a password, must not fill it.

use std::time::Duration;

use strowger_model::Mono;
use strowger_table::limit::BINDINGS;

/// Changes at once: all phones of an agent go and come back when the power does, and some of them twice.
const BURST: u32 = 4 * BINDINGS as u32;
/// Time that brings one more. As many phones as may be, each of which asks for the shortest time there is (60 s), refresh
/// together every 24 s: that is one in 3 s.
const EACH: Duration = Duration::from_secs(2);

/// Changes of one agent's phones. Only an owner's memory: the next begins without.
#[derive(Debug, Default)]
pub struct Pace {
    /// When all that was taken is made up for.
    even: Option<Mono>,
    is_slowed: bool,
}

/// Too many changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooFast {
    /// After so long there is room for these.
    pub wait: Duration,
    /// The first since some were taken: said once.
    pub is_news: bool,
}

impl Pace {
    /// Takes so many changes, or none of them.
    pub fn take(&mut self, changes: usize, now: Mono) -> Result<(), TooFast> {
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        let even = self.even.unwrap_or(now).max(now) + EACH.saturating_mul(changes);
        let wait = even.since(now).saturating_sub(EACH * BURST);
        if changes > 0 && !wait.is_zero() {
            let is_news = !std::mem::replace(&mut self.is_slowed, true);
            return Err(TooFast { wait, is_news });
        }
        if changes > 0 {
            (self.even, self.is_slowed) = (Some(even), false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{AgentId, Far, LogTime};
    use strowger_sip::{Contact, Contacts};

    use super::*;
    use crate::wanted;

    fn at(ms: u64) -> Mono {
        Mono(1) + Duration::from_millis(ms)
    }

    /// One agent's password made 3000 entries in four seconds, and calls wait behind them.
    #[test]
    fn thousands_of_changing_contacts_are_few_entries() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut pace = Pace::default();
        let mut entries = 0;
        for number in 0..3000 {
            let contact = Contact { uri: format!("sip:{number}@192.0.2.9"), instance: None, q: 1000, expires: 3600 };
            let commands = wanted(AgentId(7), &[], &Contacts::List(vec![contact]), source, LogTime::ZERO);
            entries += pace.take(commands.len(), at(number * 4 / 3)).map_or(0, |()| commands.len());
        }
        assert_eq!(entries, 33, "those at once, and one in two seconds");
    }

    #[test]
    fn phones_that_refresh_as_often_as_they_may_are_never_slowed() {
        let mut pace = Pace::default();
        for round in 0..100 {
            for phone in 0..BINDINGS as u64 {
                assert_eq!(pace.take(1, at(24_000 * round + phone)), Ok(()), "round {round}");
            }
        }
    }

    #[test]
    fn who_is_too_fast_is_told_when_to_come_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(BURST as usize - 1, at(0)), Ok(()));
        let too_fast = |wait_s, is_news| Err(TooFast { wait: Duration::from_secs(wait_s), is_news });
        assert_eq!(pace.take(3, at(0)), too_fast(4, true), "all or none");
        assert_eq!(pace.take(3, at(1000)), too_fast(3, false), "and is said once");
        assert_eq!(pace.take(0, at(1000)), Ok(()), "a refresh that changes nothing");
        assert_eq!(pace.take(3, at(1000)), too_fast(3, false));
        assert_eq!(pace.take(3, at(4000)), Ok(()));
        assert_eq!(pace.take(1, at(4000)), too_fast(2, true));
        assert_eq!(pace.take(usize::MAX, at(4000)).map_err(|fault| fault.wait > EACH), Err(true));
    }
}
