//! The top Via: what we add to it on receipt, and where an answer to it goes.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sipx_sip::Host;
use strowger_model::{Far, Transport};

use crate::text::{parameter, split, with_lines};
use crate::uri::DEFAULT_PORT;

/// `via` with `received`, and `rport` if the sender asked for it, set from where the packet really came
/// (RFC 3261 section 18.2.1, RFC 3581 section 4). What the sender itself wrote there is replaced: it would steer
/// our answers to an address of its choice. `received` is always written, so a Via kept in a row needs no
/// further source.
pub(crate) fn filled(via: &str, source: SocketAddr) -> String {
    let mut out = String::with_capacity(via.len() + 40);
    for (at, part) in split(via, b';').into_iter().enumerate() {
        let name = part.split('=').next().unwrap_or(part).trim();
        if at > 0 && name.eq_ignore_ascii_case("received") {
            continue;
        }
        if at > 0 {
            out.push(';');
        }
        if at > 0 && name.eq_ignore_ascii_case("rport") {
            // Writing to a String cannot fail.
            let _ = write!(out, "rport={}", source.port());
        } else {
            out.push_str(part);
        }
    }
    let _ = write!(out, ";received={}", source.ip());
    out
}

/// Where an answer to a request with this top Via goes (RFC 3261 section 18.2.2, RFC 3581 section 4).
/// `fallback` stands in for what a Via does not say. `maddr` is left aside: it serves multicast only, and
/// honouring it would let any sender aim our answers at a third party. Over TCP it goes back on the line of the
/// request; the address is for when that is gone, so it is where the sender listens and not where it spoke from.
pub(crate) fn destination(via: &str, fallback: Far) -> Far {
    let ip = parameter(via, "received")
        .and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok())
        .unwrap_or(fallback.addr.ip());
    let listens = || sent_by(via).and_then(|(_, port)| port).unwrap_or(DEFAULT_PORT);
    let port = match parameter(via, "rport") {
        _ if fallback.transport == Transport::Tcp => listens(),
        Some("") => fallback.addr.port(),
        Some(text) => text.parse().unwrap_or(fallback.addr.port()),
        None => listens(),
    };
    Far { addr: SocketAddr::new(ip, port), ..fallback }
}

/// Host and port of `SIP/2.0/UDP host:port;...`.
fn sent_by(via: &str) -> Option<(Host, Option<u16>)> {
    let head = via.split(';').next()?.trim_end();
    // "SIP / 2.0 / UDP host : port" may have white space around its slashes, so cut behind the transport.
    let after_slash = head.rsplit('/').next()?.trim_start();
    let host = after_slash.split_once(char::is_whitespace)?.1;
    let host: String = host.split_whitespace().collect();
    Host::parse_hostport(&Bytes::from(host)).ok()
}

/// A message whose Via cannot be read, without the white space that RFC 3261 section 25.1 lets stand around the colon
/// between host and port; none if that changes nothing.
pub(crate) fn tight(message: &[u8]) -> Option<Vec<u8>> {
    with_lines(message, |line| {
        let (field, value) = line.split_once(':')?;
        if !["Via", "v"].iter().any(|known| known.eq_ignore_ascii_case(field.trim())) {
            return None;
        }
        let hops: Vec<String> = split(value, b',').into_iter().map(tight_hop).collect();
        let tight = format!("{field}: {}", hops.join(", "));
        (tight != line).then_some(tight)
    })
}

fn tight_hop(hop: &str) -> String {
    let (sent, parameters) = hop.split_at(hop.find(';').unwrap_or(hop.len()));
    let pieces: Vec<&str> = sent.split(':').map(str::trim).collect();
    pieces.join(":") + parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::{Line, NodeId};

    const SOURCE: &str = "198.51.100.7:40000";

    fn source() -> SocketAddr {
        SOURCE.parse().unwrap()
    }

    #[test]
    fn rport_and_received_come_from_the_packet() {
        let via = filled("SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bKa", source());
        assert_eq!(via, "SIP/2.0/UDP 10.0.0.1:5062;rport=40000;branch=z9hG4bKa;received=198.51.100.7");
        assert_eq!(destination(&via, Far::udp(([203, 0, 113, 1], 1))), Far::udp(source()));
    }

    #[test]
    fn without_rport_the_port_is_the_one_the_via_names() {
        let via = filled("SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa", source());
        assert_eq!(destination(&via, Far::udp(source())), Far::udp(([198, 51, 100, 7], 5062)));
        let via = filled("SIP / 2.0 / UDP example.com;branch=z9hG4bKa", source());
        assert_eq!(destination(&via, Far::udp(source())), Far::udp(([198, 51, 100, 7], 5060)));
    }

    /// RFC 3261 section 25.1: SLASH and COLON may have white space on both sides.
    #[test]
    fn white_space_may_stand_around_its_slashes_and_its_colon() {
        let read = |via: &str, from: &str| {
            let text = format!(
                "OPTIONS sip:192.0.2.1 SIP/2.0\r\n{via}\r\nMax-Forwards: 70\r\nFrom: {from};tag=a\r\nTo: <sip:1@h>\r\n\
                 Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            crate::message::Message::parse(text.as_bytes())
        };
        for via in [
            "via: SIP / 2.0 / udp 192.0.2.4 : 5062 ; branch = z9hG4bKa ; rport",
            "v: SIP/2.0/UDP 192.0.2.4 :5062;branch=z9hG4bKa,SIP/2.0/UDP 192.0.2.5: 5060;branch=z9hG4bKb",
            "Via: SIP/2.0/UDP [2001:db8::4] : 5062;branch=z9hG4bKa",
        ] {
            for from in ["<sip:2@h>", "Desk, Front <sip:2@h>"] {
                let message = read(via, from).unwrap_or_else(|fault| panic!("{via}: {fault}"));
                assert_eq!(message.top_branch(), "z9hG4bKa");
                let top = filled(&message.vias()[0], source());
                assert!(sent_by(&top).is_some_and(|(_, port)| port == Some(5062)), "{top}");
            }
        }
        assert!(read("Via: SIP/2.0/UDP : 5062;branch=z9hG4bKa", "<sip:2@h>").is_err(), "nowhere");
    }

    #[test]
    fn a_sender_cannot_point_our_answers_elsewhere() {
        let forged = "SIP/2.0/UDP 10.0.0.1;received=203.0.113.9;maddr=203.0.113.9;rport=9;branch=z9hG4bKa";
        assert_eq!(destination(&filled(forged, source()), Far::udp(source())), Far::udp(source()));
    }

    #[test]
    fn over_tcp_an_answer_keeps_the_line_and_falls_back_on_where_the_sender_listens() {
        let line = Some(Line { node: NodeId(1), number: 3 });
        let spoke_from = Far { line, ..Far::tcp(source()) };
        let via = filled("SIP/2.0/TCP 10.0.0.1:5062;rport;branch=z9hG4bKa", source());
        assert_eq!(destination(&via, spoke_from), Far { line, ..Far::tcp(([198, 51, 100, 7], 5062)) });
        let via = filled("SIP/2.0/TCP phone.example;branch=z9hG4bKa", source());
        assert_eq!(destination(&via, spoke_from), Far { line, ..Far::tcp(([198, 51, 100, 7], 5060)) });
    }

    #[test]
    fn filling_twice_changes_nothing() {
        let once = filled("SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bKa", "[2001:db8::9]:7".parse().unwrap());
        assert_eq!(filled(&once, "[2001:db8::9]:7".parse().unwrap()), once);
        let far: SocketAddr = "[2001:db8::9]:7".parse().unwrap();
        assert_eq!(destination(&once, Far::udp(source())), Far::udp(far));
    }
}
