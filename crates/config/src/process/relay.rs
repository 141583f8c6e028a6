//! `strowger relay --config FILE`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use strowger_model::{Network, RelayId};

use super::{Base, Http, Taken, read_http, read_log, read_networks, read_peers};
use crate::fault::Fault;
use crate::limits::{DEAD_MEDIA, ID, MEDIA_THREADS};
use crate::page::Written;
use crate::section::Section;

const PORTS: &str = "ports = \"20000-29999\"";
const REFUSE: &str = "refuse = [\"10.0.0.0/8\"]";
/// Ports below need a privilege that a relay shall not have.
const FIRST_PORT: u16 = 1024;

/// A relay's file, checked. Its paths are read from the file's directory on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayConfig {
    /// As the nodes' files name it.
    pub id: RelayId,
    /// `[link]`: to nodes and to other relays.
    pub link: Link,
    /// `[media]`: sockets for voice.
    pub media: Media,
    /// Where prompts and music are kept.
    pub content_dir: PathBuf,
    /// `[http]`: metrics and health.
    pub http: Http,
    /// `[log]`: what is logged; none: what the process logs unless it is told.
    pub log_levels: Option<String>,
}

/// The processes that the relay speaks to, and how it proves itself to them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// QUIC on UDP; nodes dial it.
    pub listen: SocketAddr,
    /// Holds CA, certificate and key of this relay (PEM).
    pub tls_dir: PathBuf,
    /// What is missing there is made, and a CA that was made there counts.
    pub is_development: bool,
    /// By id: relays to which voice goes where the legs of a call are on both.
    pub relays: Vec<OtherRelay>,
}

/// Another relay, to which voice goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherRelay {
    /// As its own file has it.
    pub id: RelayId,
    /// Where its link listens.
    pub link: SocketAddr,
}

/// Where voice comes and goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// Where media sockets are bound.
    pub address: IpAddr,
    /// What SDP names.
    pub advertise: IpAddr,
    /// RTP on the even one of a pair, RTCP on the odd one above (RFC 3550 section 11).
    pub ports: RangeInclusive<u16>,
    /// Where no media is sent, whatever a far end's description says; beside loopback and the relay's own ports.
    pub refuse: Vec<Network>,
    /// Threads that carry media; each has legs of its own.
    pub threads: u32,
    /// Silence on a leg after which it is reported dead; 0 is never.
    pub dead_media_ms: u32,
}

impl RelayConfig {
    /// Reads the file; all faults at once.
    pub fn load(path: &Path) -> Result<RelayConfig, Vec<Fault>> {
        super::load(path, read)
    }

    /// The parts of the file, as they are named there, that differ from what a running process began with and that it does
    /// not read again when it is told (SIGHUP).
    pub fn later_than(&self, before: &RelayConfig) -> Vec<&'static str> {
        let parts = [
            ("id", self.id != before.id),
            ("content_dir", self.content_dir != before.content_dir),
            ("[link]", self.link != before.link),
            ("[media]", self.media != before.media),
            ("[http]", self.http != before.http),
        ];
        parts.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }

    /// As `load`, from text; `file` is what faults call it, `dir` what paths are relative to.
    pub fn parse(file: &str, dir: &Path, text: &[u8]) -> Result<RelayConfig, Vec<Fault>> {
        super::parse(file, text, &Base(dir.to_owned()), read)
    }
}

fn read(top: &Section<'_>, base: &Base) -> Option<RelayConfig> {
    let mut taken = Taken::default();
    let id = top.number(&ID);
    let media = read_media(top);
    let link = read_link(top, base, id.as_ref(), media.as_ref(), &mut taken);
    let content_dir = base.path(top, "content_dir", "content_dir = \"content\"");
    let http = read_http(top, "listen = \"127.0.0.1:8101\"", &mut taken);
    let log_levels = read_log(top);
    top.finish();
    let id = RelayId(id?.value as u16);
    Some(RelayConfig { id, link: link?, media: media?, content_dir: content_dir?, http: http?, log_levels })
}

fn read_link(
    top: &Section<'_>,
    base: &Base,
    me: Option<&Written<u32>>,
    media: Option<&Media>,
    taken: &mut Taken,
) -> Option<Link> {
    let section = top.required_sub("link", "[link]")?;
    let listen = section.parsed::<SocketAddr>("listen", "listen = \"127.0.0.1:7101\"");
    let tls_dir = base.path(&section, "tls_dir", "tls_dir = \"tls\"");
    let is_development = section.flag("development", false);
    let relays = read_peers(&section, "relays", |_| (), &mut BTreeMap::new());
    if let Some(me) = me.filter(|me| relays.contains_key(&(me.value as u16))) {
        let what = format!("relay {} is among the relays that it joins", me.value);
        section.fault_at(&me.at, what, "correct the id, or take it out of link.relays");
    }
    section.finish();
    let listen = listen?;
    taken.claim(&section, "link.listen", &listen);
    // The link speaks QUIC: on UDP, as media does.
    if media.is_some_and(|media| media.ports.contains(&listen.value.port())) {
        let what = format!("link.listen is {}, a port within media.ports", listen.value);
        section.fault_at(&listen.at, what, "choose a port outside them");
    }
    let relays = relays.into_iter().map(|(id, (link, ()))| OtherRelay { id: RelayId(id), link }).collect();
    Some(Link { listen: listen.value, tls_dir: tls_dir?, is_development, relays })
}

fn read_media(top: &Section<'_>) -> Option<Media> {
    let section = top.required_sub("media", "[media]")?;
    let address = section.parsed::<IpAddr>("address", "address = \"192.0.2.5\"");
    let advertise = section.optional_parsed::<IpAddr>("advertise", "advertise = \"192.0.2.5\"");
    let ports = section.text("ports", PORTS).and_then(|written| read_ports(&section, &written));
    let refuse = read_networks(&section, "refuse", REFUSE, "a relay");
    let threads = section.limit(&MEDIA_THREADS);
    let dead_media_ms = section.limit(&DEAD_MEDIA);
    section.finish();
    let address = address?;
    let told = advertise.as_ref().unwrap_or(&address);
    if told.value.is_unspecified() {
        let fix = "add advertise = \"192.0.2.5\", the address that carriers and phones reach";
        section.fault_at(&told.at, format!("{} is no address to send media to", told.value), fix);
    }
    Some(Media { address: address.value, advertise: told.value, ports: ports?, refuse, threads, dead_media_ms })
}

/// From an even port to an odd one: RTP takes the even port of each pair and RTCP the odd (RFC 3550 section 11).
fn read_ports(section: &Section<'_>, written: &Written<String>) -> Option<RangeInclusive<u16>> {
    let ports = written.value.split_once('-').and_then(|(first, last)| {
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        (first >= FIRST_PORT && first < last && first % 2 == 0 && last % 2 == 1).then_some(first..=last)
    });
    if ports.is_none() {
        let fix = format!("write an even port of {FIRST_PORT} or more and a higher odd one, like {PORTS}");
        section.fault_at(&written.at, format!("`{}` is no range of ports", written.value), fix);
    }
    ports
}
