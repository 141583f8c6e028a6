//! Where somebody dials from whose certificate and this process's are not trusted on both sides: a node that was founded
//! apart, or a stranger. Anybody who reaches the port can be noted, so there is a bound in number and in time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Addresses that are remembered: a cluster has fewer, and strangers shall not fill the memory.
const MOST: usize = 32;
/// How long one is remembered. A process that belongs here dials again within 2 s (a second's pause, and as much for an
/// attempt); who was silent for so long has been set right or taken away, or was a stranger who looked in once.
const KEPT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Distrusted {
    /// When it dialled last.
    last: BTreeMap<IpAddr, Instant>,
}

impl Distrusted {
    /// It dialled. If too many are known, the one that was silent longest makes room.
    pub fn note(&mut self, from: IpAddr, now: Instant) {
        self.last.retain(|_, at| now.duration_since(*at) < KEPT);
        self.last.insert(from, now);
        if self.last.len() > MOST
            && let Some(oldest) = self.last.iter().min_by_key(|(_, at)| **at).map(|(from, _)| *from)
        {
            self.last.remove(&oldest);
        }
    }

    /// Both sides trust each other now.
    pub fn forget(&mut self, from: IpAddr) {
        self.last.remove(&from);
    }

    pub fn all(&self, now: Instant) -> Vec<IpAddr> {
        self.last.iter().filter(|(_, at)| now.duration_since(**at) < KEPT).map(|(from, _)| *from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// A node whose certificate was exchanged and whose address then was another's was named for ever.
    #[test]
    fn who_dials_no_more_is_forgotten() {
        let (mut distrusted, begin) = (Distrusted::default(), Instant::now());
        distrusted.note(at(1), begin);
        distrusted.note(at(2), begin + KEPT / 2);
        let just = KEPT - Duration::from_millis(1);
        assert_eq!(distrusted.all(begin + just), [at(1), at(2)]);
        assert_eq!(distrusted.all(begin + KEPT), [at(2)]);
        distrusted.note(at(2), begin + KEPT);
        assert_eq!(distrusted.last.len(), 1);
        assert_eq!(distrusted.all(begin + KEPT + just), [at(2)], "it dials on");
        distrusted.forget(at(2));
        assert!(distrusted.all(begin + KEPT).is_empty());
    }

    #[test]
    fn few_are_remembered_and_a_peer_that_dials_on_is_among_them() {
        let (mut distrusted, begin) = (Distrusted::default(), Instant::now());
        for stranger in 1..=u8::MAX {
            let now = begin + Duration::from_millis(u64::from(stranger));
            distrusted.note(at(stranger), now);
            distrusted.note(at(0), now);
            assert!(distrusted.all(now).len() <= MOST);
        }
        assert_eq!(distrusted.last.len(), MOST);
        assert!(distrusted.last.contains_key(&at(0)));
    }
}
