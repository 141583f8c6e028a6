//! Ports of loopback that no other test takes: blocks below the range from which the kernel gives ports to others, each
//! claimed by holding its last port.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

const FIRST: u16 = 10_000;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 24;
const PHONE_MEDIA: u16 = 14_000;
const PHONE_MEDIA_BLOCK: u16 = 240;
const RELAY_MEDIA: u16 = 20_000;
const RELAY_MEDIA_BLOCK: u16 = 400;

pub struct Block {
    at: u16,
    _claim: UdpSocket,
}

impl Block {
    pub fn claim() -> Block {
        // Tests that start at the same time begin their search at different places.
        let start = (std::process::id() % u32::from(BLOCKS)) as u16;
        (0..BLOCKS)
            .map(|step| (start + step) % BLOCKS)
            .find_map(|at| {
                let claim = UdpSocket::bind(at_port(FIRST + at * BLOCK + BLOCK - 1)).ok()?;
                let block = Block { at, _claim: claim };
                (block.first()..block.first() + BLOCK - 1).all(is_free).then_some(block)
            })
            .expect("a block of free ports")
    }

    pub fn first(&self) -> u16 {
        FIRST + self.at * BLOCK
    }

    fn nth(&self, at: u16) -> SocketAddr {
        at_port(self.first() + at)
    }

    pub fn shared(&self) -> SocketAddr {
        self.nth(0)
    }

    pub fn own(&self, number: u16) -> SocketAddr {
        self.nth(10 + number)
    }

    pub fn link(&self, number: u16) -> SocketAddr {
        self.nth(20 + number)
    }

    pub fn http(&self, number: u16) -> SocketAddr {
        self.nth(30 + number)
    }

    pub fn relay_link(&self) -> SocketAddr {
        self.nth(40)
    }

    pub fn relay_http(&self) -> SocketAddr {
        self.nth(41)
    }

    pub fn sbc(&self) -> SocketAddr {
        self.nth(45)
    }

    pub fn carrier(&self) -> SocketAddr {
        self.nth(46)
    }

    /// First ports of callers and of agents.
    pub fn phones(&self, sockets: u16) -> (u16, u16) {
        (self.first() + 50, self.first() + 50 + sockets)
    }

    pub fn phone_media(&self) -> RangeInclusive<u16> {
        let first = PHONE_MEDIA + self.at * PHONE_MEDIA_BLOCK;
        first..=first + PHONE_MEDIA_BLOCK - 2
    }

    pub fn relay_media(&self) -> RangeInclusive<u16> {
        let first = RELAY_MEDIA + self.at * RELAY_MEDIA_BLOCK;
        first..=first + RELAY_MEDIA_BLOCK - 1
    }
}

fn at_port(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind(at_port(port)).is_ok() && TcpListener::bind(at_port(port)).is_ok()
}
