//! RTP ports: bound once, used again and again.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// A port rests this long after a call, so that what is still on the way to it meets no other call.
const REST: Duration = Duration::from_secs(2);

pub(super) struct PortPool {
    ip: IpAddr,
    untried: std::iter::StepBy<RangeInclusive<u16>>,
    slots: Vec<SocketAddr>,
    free: VecDeque<(Instant, usize)>,
}

pub(super) struct Taken {
    pub slot: usize,
    pub address: SocketAddr,
    pub new_socket: Option<UdpSocket>,
}

impl PortPool {
    pub fn new(ip: IpAddr, ports: RangeInclusive<u16>) -> Self {
        let even = ports.start().next_multiple_of(2)..=*ports.end();
        Self { ip, untried: even.step_by(2), slots: Vec::new(), free: VecDeque::new() }
    }

    pub fn take(&mut self, now: Instant) -> io::Result<Taken> {
        if self.free.front().is_some_and(|(rested_at, _)| *rested_at <= now)
            && let Some((_, slot)) = self.free.pop_front()
        {
            return Ok(Taken { slot, address: self.slots[slot], new_socket: None });
        }
        // Even ports only: the odd one above is where RTCP would go, and no other leg should get it.
        for port in self.untried.by_ref() {
            let address = SocketAddr::new(self.ip, port);
            let Ok(socket) = UdpSocket::bind(address) else { continue };
            socket.set_nonblocking(true)?;
            self.slots.push(address);
            return Ok(Taken { slot: self.slots.len() - 1, address, new_socket: Some(socket) });
        }
        Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no RTP port left in the phones' range"))
    }

    pub fn give_back(&mut self, slot: usize, now: Instant) {
        self.free.push_back((now + REST, slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_even_and_rest_before_they_are_used_again() {
        let mut pool = PortPool::new("127.0.0.1".parse().unwrap(), 19_001..=19_999);
        let now = Instant::now();
        let first = pool.take(now).unwrap();
        assert_eq!(first.address.port() % 2, 0);
        pool.give_back(first.slot, now);
        assert_ne!(pool.take(now).unwrap().slot, first.slot);
        assert_eq!(pool.take(now + REST).unwrap().slot, first.slot);
    }
}
