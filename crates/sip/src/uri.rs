//! The two things a leg asks of a URI: its user, and the address packets can be sent to without a resolver.

use std::net::SocketAddr;

use bytes::Bytes;
use sipx_sip::{Host, Uri};

/// Port of SIP over UDP when a URI or Via names none (RFC 3261 section 19.1.2).
pub(crate) const DEFAULT_PORT: u16 = 5060;

/// The user part, as written; empty if there is none.
pub(crate) fn user(uri: &Uri) -> String {
    uri.user().map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default()
}

/// Where requests for `uri` go when its host is an address. A name needs a resolver (RFC 3263), which pure code
/// has not: the caller then falls back on the address the far end's packets come from.
pub(crate) fn literal(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(Bytes::copy_from_slice(uri.as_bytes())).ok()?;
    match uri.host()? {
        Host::Ip(ip) => Some(SocketAddr::new(*ip, uri.port().unwrap_or(DEFAULT_PORT))),
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_have_an_address() {
        assert_eq!(literal("sip:a@192.0.2.1:5080;lr"), Some(([192, 0, 2, 1], 5080).into()));
        assert_eq!(literal("sip:192.0.2.1"), Some(([192, 0, 2, 1], 5060).into()));
        assert_eq!(literal("sip:[2001:db8::1]:5062"), Some("[2001:db8::1]:5062".parse().unwrap()));
        assert_eq!(literal("sip:a@example.com"), None);
        assert_eq!(literal("not a uri"), None);
    }
}
