//! How many may prove themselves at a time. A handshake costs half a millisecond and some kilobytes before anybody is known,
//! and its answer is three times as long as the question: so who only says where it is gets a few, and beyond them has to
//! show that it is there (Retry: RFC 9000, 8.1.2), which costs us nothing and answers less than was asked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Open handshakes with addresses that nobody has shown to be right: a cluster that starts has as many at once.
const UNPROVEN: usize = 32;
/// With one address that was: as many processes as may be behind it, each with two connections.
const OF_ONE: usize = 64;
/// With all that were: some megabytes.
const PROVEN: usize = 512;

/// The open ones.
#[derive(Default)]
pub struct Handshakes {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    unproven: usize,
    proven: usize,
    of: BTreeMap<IpAddr, usize>,
}

/// Why a handshake does not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotNow {
    /// The dialler has to show first that it is where it says.
    Unproven,
    /// There is no room; it comes again by itself.
    Full,
}

/// A handshake, until it has come to something.
pub struct Handshake {
    of: Arc<Handshakes>,
    from: IpAddr,
    proven: bool,
}

impl Handshakes {
    /// Whether a handshake may begin. Who said its address without a proof is held against nobody's share: it may be
    /// another's.
    pub fn begin(self: &Arc<Self>, from: IpAddr, proven: bool) -> Result<Handshake, NotNow> {
        self.lock().begin(from, proven)?;
        Ok(Handshake { of: self.clone(), from, proven })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn begin(&mut self, from: IpAddr, proven: bool) -> Result<(), NotNow> {
        if !proven {
            if self.unproven >= UNPROVEN {
                return Err(NotNow::Unproven);
            }
            self.unproven += 1;
            return Ok(());
        }
        let of = self.of.get(&from).copied().unwrap_or_default();
        if self.proven >= PROVEN || of >= OF_ONE {
            return Err(NotNow::Full);
        }
        self.proven += 1;
        self.of.insert(from, of + 1);
        Ok(())
    }

    fn end(&mut self, from: IpAddr, proven: bool) {
        if !proven {
            self.unproven -= 1;
            return;
        }
        self.proven -= 1;
        match self.of.get_mut(&from) {
            Some(of) if *of > 1 => *of -= 1,
            _ => drop(self.of.remove(&from)),
        }
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.of.lock().end(self.from, self.proven);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn who_shows_no_address_is_one_of_few_and_then_has_to() {
        let all = Arc::new(Handshakes::default());
        let mut open: Vec<Handshake> = (0..UNPROVEN as u8).filter_map(|last| all.begin(ip(last), false).ok()).collect();
        assert_eq!(open.len(), UNPROVEN);
        assert_eq!(all.begin(ip(1), false).err(), Some(NotNow::Unproven), "whoever it says it is");
        assert!(all.begin(ip(1), true).is_ok(), "who has shown it comes in meanwhile");
        drop(open.pop());
        assert!(all.begin(ip(1), false).is_ok());
    }

    #[test]
    fn an_address_has_its_share_and_all_have_theirs() {
        let all = Arc::new(Handshakes::default());
        let take =
            |last, most: usize| -> Vec<Handshake> { (0..most).map_while(|_| all.begin(ip(last), true).ok()).collect() };
        let mut open = vec![take(0, OF_ONE + 1)];
        assert_eq!(open[0].len(), OF_ONE);
        assert_eq!(all.begin(ip(0), true).err(), Some(NotNow::Full));
        for last in 1..(PROVEN / OF_ONE) as u8 {
            open.push(take(last, OF_ONE));
        }
        assert_eq!(all.begin(ip(200), true).err(), Some(NotNow::Full));
        open.pop();
        assert!(all.begin(ip(200), true).is_ok());
        drop(open);
        let left = all.lock();
        assert_eq!((left.proven, left.unproven, left.of.len()), (0, 0, 0), "nothing is remembered of who is gone");
    }
}
