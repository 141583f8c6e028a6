//! UDP sockets for media: never blocking, small buffers, marked as voice.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto, socket_with, sockopt,
};

/// Receive buffer asked of the kernel, in bytes, which doubles it and counts about 800 for a voice packet: 1.6 s of one
/// stream, so that a pause of the thread loses nothing, and 8000 sockets cannot hold much of the machine's memory.
const RECEIVE_BUFFER_BYTES: usize = 32 * 1024;

/// DSCP EF in the upper six bits: telephony (RFC 4594, 4.1).
const EXPEDITED_FORWARDING: u8 = 46 << 2;

/// Longest datagram read, in bytes: voice packets have 172, an Ethernet frame ends at 1500. Longer ones are cut.
pub(crate) const DATAGRAM_BYTES: usize = 2048;

#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, Errno> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = socket_with(family, SocketType::DGRAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_recv_buffer_size(&fd, RECEIVE_BUFFER_BYTES)?;
        // A network that ignores or forbids the mark still carries the packets.
        let _ = match address.ip() {
            IpAddr::V4(_) => sockopt::set_ip_tos(&fd, EXPEDITED_FORWARDING),
            IpAddr::V6(_) => sockopt::set_ipv6_tclass(&fd, u32::from(EXPEDITED_FORWARDING)),
        };
        bind(&fd, &address)?;
        Ok(Self(fd))
    }

    /// One datagram, or nothing if none waits.
    pub(crate) fn receive(&self, buffer: &mut [u8; DATAGRAM_BYTES]) -> Option<(usize, SocketAddr)> {
        let (length, _, from) = recvfrom(&self.0, &mut buffer[..], RecvFlags::empty()).ok()?;
        Some((length, SocketAddr::try_from(from?).ok()?))
    }

    /// Whether the kernel took it.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        sendto(&self.0, bytes, SendFlags::empty(), &to).is_ok()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
