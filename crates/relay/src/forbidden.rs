//! Where no media is sent, whatever a description says. Whoever calls writes the address that we send to, so it must not be
//! one of ours, where packets would go round for ever, nor one that only we reach.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use strowger_model::Network;

use crate::engine::Options;
use crate::machine;

#[derive(Clone, Debug)]
pub(crate) struct Forbidden {
    /// Where media sockets are bound, and what far ends are told.
    own: [IpAddr; 2],
    /// Other relays of the cluster: two that are pointed at each other send for ever, too.
    others: Vec<IpAddr>,
    /// Of all legs, also of the others': relays of a cluster are set up alike.
    ports: Range<u16>,
    networks: Vec<Network>,
}

impl Forbidden {
    pub(crate) fn new(options: &Options) -> Self {
        let own = [options.address, options.advertise.unwrap_or(options.address)].map(|ip| ip.to_canonical());
        let others = options.others.iter().map(IpAddr::to_canonical).collect();
        Self { own, others, ports: options.ports.clone(), networks: options.refused.clone() }
    }

    /// Asked when a far end says where it is, never of a packet.
    pub(crate) fn covers(&self, to: SocketAddr) -> bool {
        let ip = to.ip().to_canonical();
        // Nowhere is nobody's: so old far ends say hold (RFC 3264, 8.4). That nothing is sent there is the order's to judge.
        if ip.is_unspecified() || to.port() == 0 {
            return false;
        }
        // A relay that is known to far ends by a loopback address is one of a test or a demonstration.
        let loops_back = ip.is_loopback() && !self.own[1].is_loopback();
        let is_others = self.others.contains(&ip) && self.ports.contains(&to.port());
        loops_back
            || is_others
            || self.ours(ip).contains(&to.port())
            || self.networks.iter().any(|network| network.contains(ip))
    }

    /// The ports of an address that are our legs': none of an address that is not ours.
    pub(crate) fn ours(&self, ip: IpAddr) -> Range<u16> {
        let ip = ip.to_canonical();
        let is_own = self.own.contains(&ip) || self.own[0].is_unspecified() && machine::has(ip);
        if is_own && !ip.is_unspecified() { self.ports.clone() } else { 0..0 }
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::RelayId;

    use super::*;
    use crate::engine::Limits;

    fn relay(address: &str, advertise: Option<&str>, refused: &[&str]) -> Forbidden {
        Forbidden::new(&Options {
            id: RelayId(1),
            address: address.parse().unwrap(),
            advertise: advertise.map(|ip| ip.parse().unwrap()),
            ports: 20_000..30_000,
            others: vec!["192.0.2.77".parse().unwrap()],
            refused: refused.iter().map(|network| network.parse().unwrap()).collect(),
            threads: 1,
            limits: Limits::default(),
        })
    }

    fn covered(forbidden: &Forbidden, addresses: &[&str]) -> Vec<bool> {
        addresses.iter().map(|to| forbidden.covers(to.parse().unwrap())).collect()
    }

    #[test]
    fn own_ports_are_closed_by_every_name_that_the_relay_has() {
        let relay = relay("192.0.2.5", Some("203.0.113.5"), &[]);
        let own = ["192.0.2.5:20000", "192.0.2.5:29999", "203.0.113.5:20000", "[::ffff:192.0.2.5]:20001"];
        assert_eq!(covered(&relay, &own), [true; 4]);
        // A phone, or a switch, on the same machine.
        let others = ["192.0.2.5:19999", "192.0.2.5:30000", "203.0.113.6:20000", "192.0.2.6:20000"];
        assert_eq!(covered(&relay, &others), [false; 4]);
    }

    /// Somebody who wrote another relay's address into a description had the two send to each other for ever.
    #[test]
    fn relays_are_not_pointed_at_each_other() {
        let relay = relay("192.0.2.5", None, &[]);
        assert_eq!(covered(&relay, &["192.0.2.77:20000", "192.0.2.77:29999", "[::ffff:192.0.2.77]:20001"]), [true; 3]);
        // A phone on the same machine, and another machine.
        assert_eq!(covered(&relay, &["192.0.2.77:19999", "192.0.2.77:30000", "192.0.2.78:20000"]), [false; 3]);
        // That is no leg of this relay: a NAT may give a far end there any port.
        assert_eq!(relay.ours("192.0.2.77".parse().unwrap()), 0..0);
    }

    #[test]
    fn who_listens_everywhere_knows_the_machines_addresses() {
        let relay = relay("0.0.0.0", Some("127.0.0.1"), &[]);
        assert_eq!(covered(&relay, &["127.0.0.1:20000", "127.0.0.9:20000", "127.0.0.9:30000"]), [true, true, false]);
        assert_eq!(covered(&relay, &["192.0.2.9:20000"]), [false], "another machine's");
    }

    /// Who holds by an address of zero was hung up on by a relay that listens everywhere.
    #[test]
    fn nowhere_is_never_closed() {
        let relay = relay("0.0.0.0", Some("192.0.2.5"), &["0.0.0.0/8", "::/8", "192.0.2.0/24"]);
        let nowhere = ["0.0.0.0:20000", "[::]:20000", "[::ffff:0.0.0.0]:20000", "192.0.2.9:0"];
        assert_eq!(covered(&relay, &nowhere), [false; 4]);
        assert_eq!(relay.ours("0.0.0.0".parse().unwrap()), 0..0);
        assert_eq!(covered(&relay, &["0.0.0.1:20000", "192.0.2.9:4000"]), [true; 2], "networks stay closed");
    }

    #[test]
    fn loopback_is_closed_unless_the_relay_is_there() {
        let loopback = ["127.0.0.1:4000", "127.0.0.99:4000", "[::1]:4000", "[::ffff:127.0.0.1]:4000"];
        assert_eq!(covered(&relay("192.0.2.5", None, &[]), &loopback), [true; 4]);
        assert_eq!(covered(&relay("0.0.0.0", Some("192.0.2.5"), &[]), &loopback), [true; 4]);
        assert_eq!(covered(&relay("127.0.0.1", None, &[]), &loopback), [false; 4]);
    }

    #[test]
    fn configured_networks_are_closed() {
        let relay = relay("192.0.2.5", None, &["10.0.0.0/8", "fd00::/8"]);
        let to = ["10.1.2.3:4000", "[::ffff:10.1.2.3]:4000", "[fd00::1]:4000", "11.0.0.1:4000", "[2001:db8::1]:4000"];
        assert_eq!(covered(&relay, &to), [true, true, true, false, false]);
    }
}
