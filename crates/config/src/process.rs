//! The files that the processes themselves start from: one per node, one per relay.

mod node;
mod outbound;
mod relay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use node::{Archive, Cluster, Http, Limits, MetricsFor, NodeConfig, RelayPeer, Sip, Voter};
pub use relay::{Link, Media, OtherRelay, RelayConfig};

use crate::fault::{Fault, Faults};
use strowger_model::Network;

use crate::limits::{Count, ID};
use crate::page::{Page, Place, Written};
use crate::section::Section;

const LINK: &str = "link = \"192.0.2.1:7001\"";

/// Each is looked at whenever somebody writes an address.
const MAX_NETWORKS: usize = 64;

/// Reads a file. `read` may return none only after a fault.
fn load<T>(path: &Path, read: impl FnOnce(&Section<'_>, &Base) -> Option<T>) -> Result<T, Vec<Fault>> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|why| {
        vec![Fault::in_file(&file, format!("cannot be read: {why}"), "check the path and its rights")]
    })?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    parse(&file, &bytes, &Base(dir), read)
}

fn parse<T>(
    file: &str,
    bytes: &[u8],
    base: &Base,
    read: impl FnOnce(&Section<'_>, &Base) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let faults = Faults::default();
    let config = read_page(file, bytes, base, &faults, read);
    match (config, faults.into_sorted()) {
        (Some(config), faults) if faults.is_empty() => Ok(config),
        (_, faults) => Err(faults),
    }
}

fn read_page<T>(
    file: &str,
    bytes: &[u8],
    base: &Base,
    faults: &Faults,
    read: impl FnOnce(&Section<'_>, &Base) -> Option<T>,
) -> Option<T> {
    let page = Page::open(file, bytes, faults)?;
    let document = page.document()?;
    let top = page.section(&document);
    read(&top, base)
}

/// What relative paths are relative to: the directory of the file, so that a process may start from anywhere.
struct Base(PathBuf);

impl Base {
    fn path(&self, section: &Section<'_>, key: &'static str, example: &str) -> Option<PathBuf> {
        let path = section.text(key, example)?;
        Some(self.join(section, key, path, example))
    }

    fn optional_path(&self, section: &Section<'_>, key: &'static str, example: &str) -> Option<PathBuf> {
        let path = section.optional_text(key, example)?;
        Some(self.join(section, key, path, example))
    }

    fn join(&self, section: &Section<'_>, key: &'static str, path: Written<String>, example: &str) -> PathBuf {
        if path.value.is_empty() {
            section.fault_at(&path.at, format!("`{key}` is empty"), format!("write it like {example}"));
        }
        self.0.join(path.value)
    }
}

/// Addresses that must differ, each with the key it is written under.
#[derive(Default)]
struct Taken(BTreeMap<SocketAddr, &'static str>);

impl Taken {
    fn claim(&mut self, section: &Section<'_>, key: &'static str, addr: &Written<SocketAddr>) {
        // An unspecified address takes the port on all others. TCP and UDP are not told apart: SIP listens on both.
        let same = |other: &SocketAddr| {
            let any = other.ip().is_unspecified() || addr.value.ip().is_unspecified();
            other.port() == addr.value.port() && (any || other.ip() == addr.value.ip())
        };
        if addr.value.port() == 0 {
            section.fault_at(&addr.at, format!("{key} is {}", addr.value), "choose a port: peers must know it");
        } else if let Some((_, first)) = self.0.iter().find(|(other, _)| same(other)) {
            section.fault_at(&addr.at, format!("{key} is {}, the same as {first}", addr.value), "choose another port");
        }
        self.0.insert(addr.value, key);
    }
}

/// An address that others send to.
fn check_reachable(section: &Section<'_>, key: &str, addr: &Written<SocketAddr>) {
    if addr.value.ip().is_unspecified() || addr.value.port() == 0 {
        let fix = "write the address and port that others reach";
        section.fault_at(&addr.at, format!("{key} is {}, where nobody can send to", addr.value), fix);
    }
}

/// Peers by id: where each is reached, and what else is written of it. No two peers, of any kind, have the same link.
fn read_peers<T>(
    section: &Section<'_>,
    key: &'static str,
    read_rest: impl Fn(&Section<'_>) -> T,
    links: &mut BTreeMap<SocketAddr, Place>,
) -> BTreeMap<u16, (SocketAddr, T)> {
    let mut peers = BTreeMap::new();
    for peer in section.list(key, "{ id = 1, link = \"192.0.2.1:7001\" }") {
        let id = peer.number(&ID);
        let link = peer.parsed::<SocketAddr>("link", LINK);
        let rest = read_rest(&peer);
        peer.finish();
        let (Some(id), Some(link)) = (id, link) else { continue };
        check_reachable(&peer, "link", &link);
        if let Some(first) = links.insert(link.value, link.at.clone()) {
            let what = format!("link {} is already written at {first}", link.value);
            peer.fault_at(&link.at, what, "correct one of the two");
        }
        if peers.insert(id.value as u16, (link.value, rest)).is_some() {
            peer.fault_at(&id.at, format!("id {} stands twice in {key}", id.value), "correct one of the two");
        }
    }
    peers
}

/// The `[http]` of both kinds of process; none after a fault.
fn read_http(top: &Section<'_>, example: &str, taken: &mut Taken) -> Option<Http> {
    let section = top.required_sub("http", "[http]")?;
    let http = read_listen(&section, example, taken);
    section.finish();
    http
}

fn read_listen(section: &Section<'_>, example: &str, taken: &mut Taken) -> Option<Http> {
    let hosts = section.texts("hosts", "hosts = [\"board.example.com\"]").unwrap_or_default();
    for host in hosts.iter().filter(|host| !is_host_name(&host.value)) {
        let what = format!("http.hosts names `{}`", host.value);
        section.fault_at(&host.at, what, "write a name of DNS as browsers ask for it, without a port");
    }
    let listen = section.parsed("listen", example)?;
    taken.claim(section, "http.listen", &listen);
    let hosts = hosts.into_iter().map(|host| host.value).collect();
    Some(Http { listen: listen.value, hosts, metrics: MetricsFor::Anyone })
}

/// RFC 1123 section 2.1.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_of_name)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A node's metrics name tenants; a relay's do not.
fn read_node_http(top: &Section<'_>, example: &str, taken: &mut Taken) -> Option<Http> {
    let section = top.required_sub("http", "[http]")?;
    let http = read_listen(&section, example, taken);
    let metrics = section.optional_text("metrics", "metrics = \"token\"");
    section.finish();
    let metrics = match metrics {
        None => MetricsFor::Anyone,
        Some(metrics) => match metrics.value.as_str() {
            "anyone" => MetricsFor::Anyone,
            "token" => MetricsFor::Token,
            other => {
                let what = format!("http.metrics is `{other}`");
                section.fault_at(&metrics.at, what, "write anyone or token");
                return None;
            }
        },
    };
    Some(Http { metrics, ..http? })
}

/// The `[log]` of both kinds of process.
fn read_log(top: &Section<'_>) -> Option<String> {
    let section = top.sub("log", "[log]")?;
    let levels = section.optional_text("levels", "levels = \"info,strowger_cluster=debug\"");
    section.finish();
    Some(levels?.value)
}

/// A list of networks, or of single addresses; `example` is what a fault proposes.
fn read_networks(section: &Section<'_>, key: &'static str, example: &'static str, of: &str) -> Vec<Network> {
    let mut count = Count::new("networks", MAX_NETWORKS);
    let network = |written: Written<String>| {
        count.one(|| written.at.clone());
        let network = written.value.parse::<Network>();
        if let Err(why) = &network {
            let what = format!("`{}` is no network: {why}", written.value);
            section.fault_at(&written.at, what, format!("write {example}"));
        }
        network.ok()
    };
    let networks = section.texts(key, example).into_iter().flatten().filter_map(network).collect();
    count.check(of, "put them together into larger ones", section.page().faults);
    networks
}
