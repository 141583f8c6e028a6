//! Which addresses are this machine's, asked of the kernel's routes: it delivers to itself what goes there.

use std::net::{IpAddr, UdpSocket};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// `nlmsghdr` (netlink(7)), in bytes.
const HEAD_BYTES: usize = 16;
/// `rtmsg` (rtnetlink(7)), in bytes.
const ROUTE_BYTES: usize = 12;
/// Where in an answer the route's type stands.
const TYPE_AT: usize = HEAD_BYTES + 7;
/// Message types, a flag, an attribute and a route's type of `linux/netlink.h` and `linux/rtnetlink.h`.
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const RTA_DST: u16 = 1;
const RTN_LOCAL: u8 = 2;

/// Whether an address is this machine's now: addresses come and go (a virtual one with its master), and a socket may be bound
/// to any where `net.ipv4.ip_nonlocal_bind` allows that, so that a bind proves little. Where a sandbox keeps the routes from us
/// (systemd's `RestrictAddressFamilies`) it is what there is. Not the unspecified address, which the kernel takes for this
/// machine.
pub(crate) fn has(ip: IpAddr) -> bool {
    !ip.is_unspecified() && route_type(ip).map_or_else(|_| is_bound_to(ip), |kind| kind == Some(RTN_LOCAL))
}

fn is_bound_to(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// As `ip route get` asks; none if nothing goes there.
fn route_type(ip: IpAddr) -> Result<Option<u8>, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&kernel, &question(ip), SendFlags::empty())?;
    // The kernel answers before `send` is over.
    let mut answer = [0; 1024];
    let (_, length) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    let is_route = length > TYPE_AT && answer[4..6] == RTM_NEWROUTE.to_ne_bytes();
    Ok(is_route.then_some(answer[TYPE_AT]))
}

fn question(ip: IpAddr) -> Vec<u8> {
    let (family, address) = match ip {
        IpAddr::V4(ip) => (AddressFamily::INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AddressFamily::INET6, ip.octets().to_vec()),
    };
    let attribute_bytes = 4 + address.len();
    let length = (HEAD_BYTES + ROUTE_BYTES + attribute_bytes) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(RTM_GETROUTE.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    // Number and sender: one question, one answer.
    bytes.extend([0; 8]);
    bytes.extend([family.as_raw() as u8, (address.len() * 8) as u8]);
    bytes.extend([0; ROUTE_BYTES - 2]);
    bytes.extend((attribute_bytes as u16).to_ne_bytes());
    bytes.extend(RTA_DST.to_ne_bytes());
    bytes.extend(address);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to know it say the same of these.
    #[test]
    fn without_routes_a_bind_tells() {
        assert!(is_bound_to("127.0.0.1".parse().unwrap()) && !is_bound_to("192.0.2.9".parse().unwrap()));
    }

    #[test]
    fn loopback_and_our_own_address_are_this_machines_and_others_are_not() {
        for own in ["127.0.0.1", "127.0.0.9", "::1"] {
            assert!(has(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.9", "2001:db8::9", "255.255.255.255", "224.0.0.1", "0.0.0.0"] {
            assert!(!has(other.parse().unwrap()), "{other}");
        }
        // From where we would speak to somebody far away, if there is a way.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.9:9").is_ok() {
            let own = socket.local_addr().unwrap().ip();
            assert!(has(own), "{own}");
        }
    }
}
