//! The ports of one media thread: pairs of an even RTP and the next odd RTCP port (RFC 3550, 11).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use rustix::io::Errno;
use strowger_media::Refusal;
use strowger_model::CallId;

use crate::socket::Socket;

/// Free pairs, longest unused first: late packets of a call that ended do not meet the next call.
pub(crate) struct Ports {
    address: IpAddr,
    free: VecDeque<u16>,
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) rtp: Socket,
    pub(crate) rtcp: Socket,
    /// The even one.
    pub(crate) port: u16,
}

/// Pairs tried for one leg before giving up: each costs about 5 µs of a thread that forwards packets meanwhile.
const MAX_TRIES: usize = 256;

impl Ports {
    /// Part `part` of `parts` of a range. `start` is random: a restarted relay begins elsewhere.
    pub(crate) fn new(address: IpAddr, range: &Range<u16>, part: usize, parts: usize, start: u32) -> Self {
        let mut free: VecDeque<u16> = pairs(range).skip(part).step_by(parts).collect();
        if !free.is_empty() {
            let length = free.len();
            free.rotate_left(start as usize % length);
        }
        Self { address, free }
    }

    /// Opens the next free pair for a leg of that call; ports that somebody else holds are passed over.
    pub(crate) fn open(&mut self, call: CallId) -> Result<Pair, Refusal> {
        for _ in 0..self.free.len().min(MAX_TRIES) {
            let Some(port) = self.free.pop_front() else { break };
            match self.bind(port) {
                Ok(pair) => return Ok(pair),
                Err(fault) => {
                    self.free.push_back(port);
                    if fault != Errno::ADDRINUSE {
                        tracing::warn!(%call, %fault, address = %self.address, port, "no socket for a leg");
                        return Err(Refusal::NoSockets);
                    }
                }
            }
        }
        Err(Refusal::NoPorts)
    }

    pub(crate) fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    fn bind(&self, port: u16) -> Result<Pair, Errno> {
        let rtp = Socket::bind(SocketAddr::new(self.address, port))?;
        let rtcp = Socket::bind(SocketAddr::new(self.address, port + 1))?;
        Ok(Pair { rtp, rtcp, port })
    }
}

/// The even ports of a range whose odd neighbour lies in it too.
pub(crate) fn pairs(range: &Range<u16>) -> impl Iterator<Item = u16> + use<> {
    let first = range.start.max(2).next_multiple_of(2);
    (first..range.end.saturating_sub(1)).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_whole() {
        assert_eq!(pairs(&(20_001..20_007)).collect::<Vec<_>>(), [20_002, 20_004]);
        assert_eq!(pairs(&(20_000..20_001)).count(), 0);
        assert_eq!(pairs(&(20_000..20_002)).count(), 1);
        assert_eq!(pairs(&(0..4)).collect::<Vec<_>>(), [2]);
        assert_eq!(pairs(&(65_530..u16::MAX)).last(), Some(65_532));
    }

    #[test]
    fn threads_share_no_port_and_leave_none_out() {
        let range = 30_000..30_020;
        let parts = (0..3).map(|part| Ports::new(IpAddr::from([127, 0, 0, 1]), &range, part, 3, 7));
        let mut all: Vec<u16> = parts.flat_map(|ports| ports.free).collect();
        all.sort_unstable();
        assert_eq!(all, pairs(&range).collect::<Vec<_>>());
    }
}
