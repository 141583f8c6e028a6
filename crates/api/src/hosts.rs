//! By which names the HTTP side is asked. Somebody else's page whose name is made to point here (DNS rebinding) reads,
//! in a browser, whatever that browser's machine reaches; but it asks in that page's name, and no page can change `Host`.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Problem;

/// Names below these nobody outside can make point anywhere: RFC 6761 section 6.3, RFC 6762 section 3, RFC 8375, and
/// ICANN's resolution 2024.07.29.06; and services in Kubernetes (`name.namespace.svc`), for there is no such top-level domain.
const INNER: [&str; 5] = [".localhost", ".local", ".home.arpa", ".internal", ".svc"];

/// The names, besides those that are nobody else's.
#[derive(Clone, Default, Debug)]
pub struct Hosts(Arc<BTreeSet<String>>);

impl FromIterator<String> for Hosts {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        Self(Arc::new(names.into_iter().map(|name| name.to_ascii_lowercase()).collect()))
    }
}

impl Hosts {
    /// An address is no name, and one of a single label none of the public DNS: neither can be made to point here.
    fn knows(&self, host: &str) -> bool {
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if host.parse::<Ipv4Addr>().is_ok() || in_brackets.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
            return true;
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        !name.contains('.') || INNER.iter().any(|inner| name.ends_with(inner)) || self.0.contains(&name)
    }
}

/// Lets a request through that asks for this process (RFC 9112 section 3.2, RFC 9110 section 15.5.20).
pub async fn asked_by_name(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match host(request.version(), request.uri(), request.headers()) {
        Ok(Some(host)) if !hosts.knows(&host) => {
            let advice = "ask by an IP address, or write the name into `hosts` under [http] of this node's file";
            let what = format!("this is not known to be `{host}`");
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", what, advice).into_response()
        }
        Ok(_) => next.run(request).await,
        Err(what) => Problem::bad_request(what, "send one Host, as RFC 9112 section 3.2 has it").into_response(),
    }
}

/// Without its port. None: HTTP/1.0 without one, which no browser speaks. A whole URI goes before the header.
fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.host().to_owned()));
    }
    let mut lines = headers.get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(None),
        (None, _) => Err("the request has no Host"),
        (Some(_), Some(_)) => Err("the request has several lines of Host"),
        (Some(line), None) => {
            let authority = line.to_str().ok().and_then(|line| line.parse::<Authority>().ok());
            let is_host = |authority: &Authority| !authority.as_str().contains('@');
            let authority = authority.filter(is_host).ok_or("its Host is no host")?;
            Ok(Some(authority.host().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_others_can_give_away_is_known_only_when_it_was_written() {
        let hosts = Hosts::from_iter(["board.example.com".to_owned()]);
        let inner = ["127.0.0.1", "[::1]", "192.0.2.7", "localhost", "localhost.", "strowger-1", "a.localhost"];
        for host in inner.into_iter().chain([
            "node-1.strowger.svc.cluster.local",
            "strowger.monitoring.svc",
            "pbx.home.arpa",
            "x.internal",
        ]) {
            assert!(hosts.knows(host), "{host}");
            assert!(Hosts::default().knows(host), "{host}");
        }
        for host in ["board.example.com", "BOARD.Example.com", "board.example.com."] {
            assert!(hosts.knows(host) && !Hosts::default().knows(host), "{host}");
        }
        for host in
            ["evil.example", "x.board.example.com", "example.com", "127.0.0.1.evil.example", "notlocal.com", "a.b"]
        {
            assert!(!hosts.knows(host), "{host}");
        }
    }

    #[test]
    fn the_host_is_one() {
        let read = |version, uri: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::HOST, line.parse().unwrap());
            }
            host(version, &uri.parse().unwrap(), &headers)
        };
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        assert_eq!(read(new, "/", &["evil.example:8081"]), Ok(Some("evil.example".to_owned())));
        assert_eq!(read(new, "/", &["[::1]:80"]), Ok(Some("[::1]".to_owned())));
        assert_eq!(read(new, "http://evil.example/", &["127.0.0.1"]), Ok(Some("evil.example".to_owned())));
        assert_eq!(read(old, "/", &[]), Ok(None));
        assert!(read(new, "/", &[]).is_err());
        for lines in [&["127.0.0.1", "evil.example"][..], &["a@127.0.0.1"], &[""], &["a b"], &["127.0.0.1/x"]] {
            assert!(read(new, "/", lines).is_err() && read(old, "/", lines).is_err(), "{lines:?}");
        }
    }
}
