//! Networks of addresses, as operators write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with the bits of it that count (CIDR, RFC 4632 section 3.1; RFC 4291 section 2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    /// Its first address.
    first: IpAddr,
    /// Leading bits that all of its addresses have: 0 to 32, or 128.
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotANetwork {
    /// Neither an address nor one with a slash and a number.
    #[error("it is neither an IP address nor one with the number of its leading bits behind a slash")]
    Form,
    /// More bits than the address has.
    #[error("an address of its kind has {0} bits")]
    Bits(u8),
    /// An address within the network, where its first one belongs: one of both is a slip of the keyboard.
    #[error("its first address is {0}")]
    Within(Network),
}

impl Network {
    /// Whether the address lies in it; one of IPv4 that is written as IPv6 counts as what it is.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && masked(ip, self.bits) == self.first
    }
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            IpAddr::from((u32::from(ip) & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).to_be_bytes())
        }
        IpAddr::V6(ip) => {
            IpAddr::from((u128::from(ip) & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).to_be_bytes())
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let ip: IpAddr = address.parse().map_err(|_| NotANetwork::Form)?;
        if ip != ip.to_canonical() {
            // One of IPv4 in the form of IPv6: its bits would be counted otherwise.
            return Err(NotANetwork::Form);
        }
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| NotANetwork::Form))?;
        if bits > all {
            return Err(NotANetwork::Bits(all));
        }
        let network = Network { first: masked(ip, bits), bits };
        if network.first == ip { Ok(network) } else { Err(NotANetwork::Within(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_a_network_or_does_not() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.6/31", "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("fd00::/8", "fd12::1", "10.0.0.1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ];
        for (network, within, outside) in cases {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(within.parse().unwrap()), "{within} in {network}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside} in {network}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        let cases = [
            ("", NotANetwork::Form),
            ("inside", NotANetwork::Form),
            ("::ffff:10.0.0.0/104", NotANetwork::Form),
            ("10.0.0.0/", NotANetwork::Form),
            ("10.0.0.0/-1", NotANetwork::Form),
            ("10.0.0.0/33", NotANetwork::Bits(32)),
            ("fd00::/129", NotANetwork::Bits(128)),
            ("10.1.2.3/8", NotANetwork::Within("10.0.0.0/8".parse().unwrap())),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Network>(), Err(why), "{text}");
        }
    }
}
