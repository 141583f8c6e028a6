//! What a leg asks of a URI: the address packets can be sent to without a resolver.

use std::net::SocketAddr;

use bytes::Bytes;
use sipx_sip::{Host, Uri};
use strowger_model::{Far, Transport};

use crate::number;
use crate::text::parameter;

/// Port of SIP over UDP and TCP when a URI or Via names none (RFC 3261 section 19.1.2).
pub(crate) const DEFAULT_PORT: u16 = 5060;

/// Where requests for `uri` go when its host is an address. A name needs a resolver (RFC 3263), which pure code
/// has not: the caller then falls back on the address the far end's packets come from. `unnamed` is the transport if
/// the URI names none that we speak: RFC 3263 section 4.1 would take UDP, but who speaks TCP to us and forgets to say
/// so in its Contact often listens on nothing else.
pub fn literal(uri: &str, unnamed: Transport) -> Option<Far> {
    let uri = Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).ok()?;
    let Host::Ip(ip) = uri.host()? else { return None };
    let transport = match uri.transport() {
        Some(name) if name.eq_ignore_ascii_case(b"tcp") => Transport::Tcp,
        Some(name) if name.eq_ignore_ascii_case(b"udp") => Transport::Udp,
        _ => unnamed,
    };
    Some(Far { transport, addr: SocketAddr::new(*ip, uri.port().unwrap_or(DEFAULT_PORT)), line: None })
}

/// Where a phone is reached that registered `contact` from `source`: on the host that its packets come from, whatever host
/// it names. There what it says of the transport counts; else its packets lead back by the way they came, which a NAT has
/// open. The Contact's port is for when a line is gone.
pub fn reach(contact: &str, source: Far) -> Far {
    match literal(contact, source.transport) {
        Some(named) if named.addr.ip().to_canonical() != source.addr.ip().to_canonical() => source,
        Some(named) if named.transport != source.transport => named,
        Some(named) if source.transport == Transport::Tcp => Far { addr: named.addr, ..source },
        _ => source,
    }
}

/// Whether a phone that registered `contact` and sends from `at` is where it says it is: then no NAT is between.
pub fn names(contact: &str, at: Far) -> bool {
    literal(contact, at.transport).is_some_and(|named| (named.transport, named.addr) == (at.transport, at.addr))
}

/// Parameters that make another address of a URI where only one of two has them; all others do not count where one of two
/// lacks them (RFC 3261 section 19.1.4), and are left out here.
const TELLING: [&str; 5] = ["transport", "user", "method", "ttl", "maddr"];

/// What is the same for two Contacts that are one address, and text as it stands for what is no SIP URI.
pub fn identity(uri: &str) -> String {
    let Ok(parsed) = Uri::parse(Bytes::copy_from_slice(uri.as_bytes())) else { return uri.to_owned() };
    let Some(host) = parsed.host() else { return uri.to_owned() };
    let scheme = String::from_utf8_lossy(parsed.scheme().as_bytes()).into_owned();
    let mut out = format!("{scheme}:{}@{}", number::user(&parsed), host.to_string().to_ascii_lowercase());
    if let Some(port) = parsed.port() {
        out += &format!(":{port}");
    }
    // Whatever their order, and in whatever case.
    for name in TELLING {
        let address = uri.rsplit_once('@').map_or(uri, |(_, address)| address);
        if let Some(value) = parameter(address, name) {
            out += &format!(";{name}={}", value.to_ascii_lowercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::{Line, NodeId};

    #[test]
    fn only_literals_have_an_address() {
        let udp = |uri| literal(uri, Transport::Udp);
        assert_eq!(udp("sip:a@192.0.2.1:5080;lr"), Some(Far::udp(([192, 0, 2, 1], 5080))));
        assert_eq!(udp("sip:192.0.2.1"), Some(Far::udp(([192, 0, 2, 1], 5060))));
        assert_eq!(udp("sip:[2001:db8::1]:5062"), Some(Far::udp("[2001:db8::1]:5062".parse::<SocketAddr>().unwrap())));
        assert_eq!(udp("sip:a@example.com"), None);
        assert_eq!(udp("not a uri"), None);
    }

    #[test]
    fn a_uri_may_name_its_transport() {
        let at = ([192, 0, 2, 1], 5060);
        assert_eq!(literal("sip:a@192.0.2.1;transport=TCP;lr", Transport::Udp), Some(Far::tcp(at)));
        assert_eq!(literal("sip:a@192.0.2.1;transport=udp", Transport::Tcp), Some(Far::udp(at)));
        assert_eq!(literal("sip:a@192.0.2.1", Transport::Tcp), Some(Far::tcp(at)));
        assert_eq!(literal("sip:a;transport=tcp@192.0.2.1", Transport::Udp), Some(Far::udp(at)), "part of the user");
    }

    /// RFC 3261 section 19.1.4.
    #[test]
    fn one_address_is_known_however_it_is_written() {
        let same = [
            ("sip:7@192.0.2.4:5062", "SIP:7@192.0.2.4:5062;ob;line=k3j"),
            ("sip:%61lice@Phone.Example;transport=TCP", "sip:alice@phone.example;Transport=tcp;reg-id=1"),
            ("sip:7@192.0.2.4;transport=udp;user=phone", "sip:7@192.0.2.4;user=phone;transport=udp"),
            ("sip:[2001:DB8::1]:5062", "sip:[2001:db8::1]:5062"),
        ];
        same.iter().for_each(|(one, other)| assert_eq!(identity(one), identity(other)));
        let plain = "sip:7@192.0.2.4";
        for other in [
            "sip:7@192.0.2.4:5060",
            "sip:7@192.0.2.5",
            "sip:8@192.0.2.4",
            "sip:7A@192.0.2.4",
            "sips:7@192.0.2.4",
            "sip:7@192.0.2.4;transport=udp",
            "sip:7;transport=udp@192.0.2.4",
            "tel:7",
            "not a uri",
        ] {
            assert_ne!(identity(plain), identity(other), "{other}");
        }
        assert_ne!(identity("sip:alice@h"), identity("sip:Alice@h"), "users are told apart by case");
    }

    #[test]
    fn a_phone_is_reached_by_the_way_it_came() {
        let (nat, inside) = (([203, 0, 113, 9], 40_000), ([10, 0, 0, 5], 5062));
        let line = Some(Line { node: NodeId(2), number: 7 });
        let over_tcp = Far { line, ..Far::tcp(nat) };
        assert_eq!(reach("sip:7@10.0.0.5:5062", Far::udp(nat)), Far::udp(nat));
        assert_eq!(reach("sip:7@phone.example;transport=tcp", over_tcp), over_tcp);
        let from_inside = Far { line, ..Far::tcp(([10, 0, 0, 5], 40_000)) };
        assert_eq!(reach("sip:7@10.0.0.5:5062;transport=tcp", from_inside), Far { line, ..Far::tcp(inside) });
        assert_eq!(reach("sip:7@10.0.0.5:5062;transport=tcp", Far::udp(inside)), Far::tcp(inside));
        assert_eq!(reach("sip:7@10.0.0.5:5062;transport=udp", from_inside), Far::udp(inside));
        assert_eq!(reach("sip:7@[::ffff:10.0.0.5]:5062;transport=tcp", Far::udp(inside)).addr.port(), 5062);
    }

    /// Else a phone's Contact would be a way to call numbers at a carrier, and to connect to what only we can reach.
    #[test]
    fn a_phone_is_never_reached_on_another_host_than_it_came_from() {
        let phone = ([203, 0, 113, 9], 40_000);
        for source in [Far::udp(phone), Far::tcp(phone)] {
            for transport in ["", ";transport=tcp", ";transport=udp"] {
                assert_eq!(reach(&format!("sip:+882@192.0.2.10:24510{transport}"), source), source, "{transport}");
            }
        }
    }
}
