//! `trunks.toml`.

use std::net::{IpAddr, SocketAddr};

use strowger_model::config::{Source, Trunk};
use strowger_model::{Far, Transport, TrunkId};

use crate::limits::{Count, MAX_ALL_SOURCES, MAX_SOURCES, MAX_TRUNKS, TRUNK_CALLS, TRUNK_DIALS, TRUNK_RATE};
use crate::names::{Names, read_site};
use crate::page::Written;
use crate::section::Section;

const SOURCES: &str = "sources = [\"192.0.2.10\"]";

pub(crate) fn read_trunks(top: &Section<'_>) -> Vec<Trunk> {
    let mut names = Names::new("trunk", top.page().faults);
    let mut taken = Taken::new();
    let mut trunks = Vec::new();
    let mut count = Count::new("trunks", MAX_TRUNKS);
    let mut all_sources = Count::new("sources of all trunks", MAX_ALL_SOURCES);
    for (position, section) in top.list("trunk", "[[trunk]]").into_iter().enumerate() {
        let name = section.text("name", "name = \"carrier\"");
        if let Some(name) = &name {
            names.add(position, name);
        }
        count.one(|| section.place());
        let name = name.map(|name| name.value).unwrap_or_default();
        let sources = section.texts("sources", SOURCES);
        if sources.as_ref().map_or(!section.has("sources"), Vec::is_empty) {
            section.fault(format!("trunk `{name}` has no sources"), format!("add {SOURCES}"));
        }
        let mut own_sources = Count::new("sources of this trunk", MAX_SOURCES);
        for source in sources.iter().flatten() {
            own_sources.one(|| source.at.clone());
            all_sources.one(|| source.at.clone());
        }
        own_sources.check("a trunk", "make several trunks of it", top.page().faults);
        let source = |written| read_source(&section, &name, &written, &mut taken);
        trunks.push(Trunk {
            id: TrunkId(position as u32),
            sources: sources.unwrap_or_default().into_iter().filter_map(source).collect(),
            max_calls_per_second: section.limit(&TRUNK_RATE),
            max_calls: section.limit(&TRUNK_CALLS),
            destination: read_destination(&section),
            max_dials_per_second: section.limit(&TRUNK_DIALS),
            site: read_site(&section),
            name,
        });
        section.finish();
    }
    for count in [&count, &all_sources] {
        count.check("a cluster", "make several clusters of it", top.page().faults);
    }
    top.finish();
    trunks
}

/// Sources of all trunks so far, with the trunk and how it is written.
type Taken = Vec<(Source, String, Written<String>)>;

fn read_source(section: &Section<'_>, trunk: &str, written: &Written<String>, taken: &mut Taken) -> Option<Source> {
    let Some(source) = parse_source(&written.value) else {
        let fix = "write an IP address, with :PORT if only that port counts";
        section.fault_at(&written.at, format!("`{}` is no source", written.value), fix);
        return None;
    };
    // An address without port includes every port: a packet must belong to one trunk.
    let overlaps = |other: &Source| {
        other.ip == source.ip && (other.port == source.port || other.port.is_none() || source.port.is_none())
    };
    if let Some((_, owner, first)) = taken.iter().find(|(other, ..)| overlaps(other)) {
        let what =
            format!("source {} is already covered by {} of trunk {owner} ({})", written.value, first.value, first.at);
        section.fault_at(&written.at, what, "give it to one of them, or tell them apart by port");
    }
    taken.push((source.clone(), trunk.to_owned(), written.clone()));
    Some(source)
}

/// `192.0.2.10:5060`, or over TCP `192.0.2.10:5060;transport=tcp`. A name would need a resolver.
fn read_destination(section: &Section<'_>) -> Option<Far> {
    let written = section.optional_text("destination", "destination = \"192.0.2.10:5060\"")?;
    let destination = parse_destination(&written.value);
    if destination.is_none() {
        let fix = "write ADDRESS:PORT, where ADDRESS is an IP address; ;transport=tcp may follow";
        section.fault_at(&written.at, format!("`{}` is no destination", written.value), fix);
    }
    destination
}

fn parse_destination(text: &str) -> Option<Far> {
    let (addr, transport) = match text.split_once(';') {
        None | Some((_, "transport=udp")) => (text.split(';').next()?, Transport::Udp),
        Some((addr, "transport=tcp")) => (addr, Transport::Tcp),
        Some(_) => return None,
    };
    let addr: SocketAddr = addr.parse().ok()?;
    let reachable = !addr.ip().is_unspecified() && !addr.ip().is_multicast() && addr.port() != 0;
    reachable.then_some(Far { transport, addr, line: None })
}

fn parse_source(text: &str) -> Option<Source> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let (ip, port) = match text.parse::<SocketAddr>() {
        Ok(addr) => (addr.ip(), Some(addr.port())),
        Err(_) => (bare.parse::<IpAddr>().ok()?, None),
    };
    // One address, however it is written.
    let ip = ip.to_canonical();
    (!ip.is_unspecified() && !ip.is_multicast() && port != Some(0)).then_some(Source { ip, port })
}
