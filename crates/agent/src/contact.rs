//! Where a phone may ask to be called. A Contact is text of whoever has an agent's password: dialled as it stands, it would
//! have the cluster call numbers at a carrier, in the cluster's name, or connect to what only the cluster can reach. RFC
//! 3261 section 10.3 leaves it to the registrar what it takes.

use std::net::{IpAddr, SocketAddr};

use strowger_model::Far;
use strowger_model::config::Trunk;
use strowger_sip::{Contacts, literal};

/// What no Contact names.
#[derive(Clone, Copy, Debug)]
pub struct OffLimits<'a> {
    /// Where this cluster's own SIP is.
    pub ours: &'a [SocketAddr],
    /// Carriers.
    pub trunks: &'a [Trunk],
}

/// Why a Contact is refused, as the phone's owner is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum ForbiddenContact {
    #[error("the Contact names this server: give the phone an address of its own")]
    Ourselves,
    #[error("the Contact names a carrier's address: give the phone an address of its own")]
    Trunk,
    #[error("the Contact names an address that nobody else reaches: have the phone find out its own")]
    Unreachable,
}

impl OffLimits<'_> {
    /// Whether phones that register from `source` may be called there. An address behind a NAT, which differs from where
    /// packets come from, is fine: packets go to where they come from. So is a name, which nobody resolves.
    pub fn check(&self, asked: &Contacts, source: Far) -> Result<(), ForbiddenContact> {
        let Contacts::List(list) = asked else { return Ok(()) };
        // Whoever goes may say that it was anywhere.
        list.iter().filter(|contact| contact.expires > 0).try_for_each(|contact| self.check_one(&contact.uri, source))
    }

    fn check_one(&self, uri: &str, source: Far) -> Result<(), ForbiddenContact> {
        let Some(Far { addr, .. }) = literal(uri, source.transport) else { return Ok(()) };
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let is_its_own = addr.ip() == source.addr.ip().to_canonical();
        // On one machine, as in tests, all have one IP address: there the port tells them apart.
        let is = |other: SocketAddr| other.ip().to_canonical() == addr.ip() && other.port() == addr.port();
        if self.ours.iter().any(|own| is(*own)) {
            return Err(ForbiddenContact::Ourselves);
        }
        let is_trunk = |trunk: &Trunk| {
            let is_there = |ip: IpAddr| !is_its_own && ip.to_canonical() == addr.ip();
            let called = trunk.destination.is_some_and(|to| is(to.addr) || is_there(to.addr.ip()));
            called || trunk.sources.iter().any(|source| is_there(source.ip))
        };
        if self.trunks.iter().any(is_trunk) {
            return Err(ForbiddenContact::Trunk);
        }
        if is_its_own || !is_nobodys(addr.ip()) { Ok(()) } else { Err(ForbiddenContact::Unreachable) }
    }
}

/// An address that means the machine or the wire it is used on, or everybody.
fn is_nobodys(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::TrunkId;
    use strowger_model::config::Source;
    use strowger_sip::Contact;

    use super::*;

    fn trunk() -> Trunk {
        Trunk {
            id: TrunkId(1),
            name: "carrier".to_owned(),
            sources: vec![Source { ip: [192, 0, 2, 10].into(), port: None }],
            max_calls_per_second: 1,
            max_calls: 1,
            destination: Some(Far::udp(([192, 0, 2, 11], 5060))),
            max_dials_per_second: 1,
            site: String::new(),
        }
    }

    fn judged(uri: &str, source: Far, expires: u32) -> Result<(), ForbiddenContact> {
        let ours = ["192.0.2.1:5060".parse().unwrap(), "127.0.0.1:5060".parse().unwrap()];
        let contact = Contact { uri: uri.to_owned(), instance: None, q: 1000, expires };
        OffLimits { ours: &ours, trunks: &[trunk()] }.check(&Contacts::List(vec![contact]), source)
    }

    #[test]
    fn a_phone_is_called_where_it_is_and_not_at_a_carrier_at_ours_or_inside() {
        use ForbiddenContact::*;
        let phone = Far::udp(([203, 0, 113, 21], 40_000));
        for (uri, expected) in [
            ("sip:1001@203.0.113.21:5062", Ok(())),
            ("sip:1001@203.0.113.21:5062;transport=tcp", Ok(())),
            ("sip:1001@10.0.0.5:5062", Ok(())),
            ("sip:1001@phone.example", Ok(())),
            ("sip:+88213000001@192.0.2.10:24510;transport=tcp", Err(Trunk)),
            ("sip:+88213000001@192.0.2.10", Err(Trunk)),
            ("sip:+88213000001@192.0.2.11:5061", Err(Trunk)),
            ("sip:1001@192.0.2.1", Err(Ourselves)),
            ("sip:1001@192.0.2.1:5060;transport=tcp", Err(Ourselves)),
            ("sip:1001@127.0.0.200:24777;transport=tcp", Err(Unreachable)),
            ("sip:1001@0.0.0.0", Err(Unreachable)),
            ("sip:1001@169.254.169.254:80;transport=tcp", Err(Unreachable)),
            ("sip:1001@224.0.0.1", Err(Unreachable)),
            ("sip:1001@255.255.255.255", Err(Unreachable)),
            ("sip:1001@[::1]:5062", Err(Unreachable)),
            ("sip:1001@[::ffff:127.0.0.1]:5062", Err(Unreachable)),
            ("sip:1001@[fe80::1]:5062", Err(Unreachable)),
        ] {
            assert_eq!(judged(uri, phone, 600), expected, "{uri}");
        }
        assert_eq!(judged("sip:1001@192.0.2.10", phone, 0), Ok(()), "it goes, wherever it was");
    }

    /// A cluster, a carrier and phones on one machine: the ports tell them apart.
    #[test]
    fn loopback_is_for_who_comes_from_there() {
        let phone = Far::udp(([127, 0, 0, 1], 40_000));
        assert_eq!(judged("sip:1001@127.0.0.1:5062", phone, 600), Ok(()));
        assert_eq!(judged("sip:1001@127.0.0.2:5062", phone, 600), Err(ForbiddenContact::Unreachable), "another's");
        assert_eq!(judged("sip:1001@127.0.0.1", phone, 600), Err(ForbiddenContact::Ourselves));
        let beside_the_carrier = Far::udp(([192, 0, 2, 11], 40_000));
        assert_eq!(judged("sip:1001@192.0.2.11:5062", beside_the_carrier, 600), Ok(()));
        assert_eq!(judged("sip:+882@192.0.2.11", beside_the_carrier, 600), Err(ForbiddenContact::Trunk));
    }
}
