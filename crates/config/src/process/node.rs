//! `strowger node --config FILE`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use strowger_model::{Destinations, Network, NodeId, OutboundCaps, RelayId};

use super::outbound::read_outbound;
use super::{Base, Taken, check_reachable, read_log, read_networks, read_node_http, read_peers};
use crate::fault::Fault;
use crate::limits::{ARCHIVE_DAYS, ARCHIVE_GIB, ID, NODE_CALLS, NODE_RATE, SHARDS};
use crate::names::read_site;
use crate::page::Written;
use crate::section::Section;

/// A majority of an even number survives no more failures than one of the odd number below it; more than five make
/// every commit wait for more disks.
const VOTER_COUNTS: [usize; 3] = [1, 3, 5];

/// A node's file, checked. Its paths are read from the file's directory on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// Which of the voters this one is.
    pub id: NodeId,
    /// Holds log, snapshots, records and content of this node, and nobody else's.
    pub data_dir: PathBuf,
    /// `[cluster]`: the link between the processes.
    pub cluster: Cluster,
    /// `[sip]`: sockets and addresses.
    pub sip: Sip,
    /// `[http]`: API, metrics, wallboard.
    pub http: Http,
    /// `[limits]`.
    pub limits: Limits,
    /// `[archive]`.
    pub archive: Archive,
    /// `[log]`: what is logged; none: what the process logs unless it is told.
    pub log_levels: Option<String>,
    /// `[outbound]`: which numbers are dialled.
    pub outbound: Destinations,
    /// And how many.
    pub caps: OutboundCaps,
}

/// The processes of the cluster and how they prove themselves to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// The link's own address: QUIC on UDP.
    pub listen: SocketAddr,
    /// Groups that share the tenants; fixed at the founding.
    pub shards: u16,
    /// By id; this node is one of them.
    pub voters: Vec<Voter>,
    /// By id.
    pub relays: Vec<RelayPeer>,
    /// Holds CA, certificate and key of this node (PEM).
    pub tls_dir: PathBuf,
    /// What is missing there is made, and a CA that was made there counts.
    pub is_development: bool,
    /// The file of the keys that secrets are sealed under; none: `data.keys` beside the certificates.
    pub data_keys: Option<PathBuf>,
}

/// A node with a copy of every log and a vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voter {
    /// As its own file has it.
    pub id: NodeId,
    /// Where its link listens.
    pub link: SocketAddr,
}

/// A relay that this node may order about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayPeer {
    /// As its own file has it.
    pub id: RelayId,
    /// Where its link listens.
    pub link: SocketAddr,
    /// Where it stands; empty if nobody said.
    pub site: String,
}

/// UDP and TCP both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sip {
    /// Where all nodes of the cluster listen.
    pub shared: SocketAddr,
    /// Where only this node listens.
    pub own: SocketAddr,
    /// What Via and Contact name.
    pub advertised: SocketAddr,
    /// Where one address is many phones': wrong passwords silence accounts there, and never all.
    pub proxies: Vec<Network>,
}

/// Where the process answers HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// TCP, without TLS.
    pub listen: SocketAddr,
    /// Names by which it is asked. Addresses, `localhost` and names that are only known inside need none.
    pub hosts: Vec<String>,
    /// Who may read `/metrics`; of a relay always anyone.
    pub metrics: MetricsFor,
}

/// Who may read the metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsFor {
    /// Whoever reaches the address.
    Anyone,
    /// Who has a token that reads the whole cluster.
    Token,
}

/// What this node takes on, whatever the trunks allow; beyond it 503 is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls driven at once.
    pub max_calls: u32,
    /// New calls, averaged over a second, over all trunks.
    pub max_calls_per_second: u32,
}

/// How long it can be told why calls went where they went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archive {
    /// Days; 0: nothing is kept.
    pub days: u32,
    /// GiB on this node's disk; beyond it the oldest goes.
    pub max_gib: u32,
}

impl NodeConfig {
    /// Reads the file; all faults at once.
    pub fn load(path: &Path) -> Result<NodeConfig, Vec<Fault>> {
        super::load(path, read)
    }

    /// The parts of the file, as they are named there, that differ from what a running process began with and that it does
    /// not read again when it is told (SIGHUP).
    pub fn later_than(&self, before: &NodeConfig) -> Vec<&'static str> {
        let cluster = Cluster { data_keys: before.cluster.data_keys.clone(), ..self.cluster.clone() };
        let parts = [
            ("id", self.id != before.id),
            ("data_dir", self.data_dir != before.data_dir),
            ("[cluster]", cluster != before.cluster),
            ("[sip]", self.sip != before.sip),
            ("[http]", self.http != before.http),
            ("[limits]", self.limits != before.limits),
            ("[archive]", self.archive != before.archive),
        ];
        parts.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }

    /// As `load`, from text; `file` is what faults call it, `dir` what paths are relative to.
    pub fn parse(file: &str, dir: &Path, text: &[u8]) -> Result<NodeConfig, Vec<Fault>> {
        super::parse(file, text, &Base(dir.to_owned()), read)
    }
}

fn read(top: &Section<'_>, base: &Base) -> Option<NodeConfig> {
    let mut taken = Taken::default();
    let id = top.number(&ID);
    let data_dir = base.path(top, "data_dir", "data_dir = \"data\"");
    let cluster = read_cluster(top, base, id.as_ref(), &mut taken);
    let sip = read_sip(top, &mut taken);
    let http = read_node_http(top, "listen = \"127.0.0.1:8081\"", &mut taken);
    let limits = read_limits(top);
    let archive = read_archive(top);
    let log_levels = read_log(top);
    let (outbound, caps) = read_outbound(top);
    top.finish();
    let id = NodeId(id?.value as u16);
    let (data_dir, cluster, sip, http) = (data_dir?, cluster?, sip?, http?);
    Some(NodeConfig { id, data_dir, cluster, sip, http, limits, archive, log_levels, outbound, caps })
}

fn read_cluster(top: &Section<'_>, base: &Base, me: Option<&Written<u32>>, taken: &mut Taken) -> Option<Cluster> {
    let section = top.required_sub("cluster", "[cluster]")?;
    let listen = section.parsed("listen", "listen = \"127.0.0.1:7001\"");
    if let Some(listen) = &listen {
        taken.claim(&section, "cluster.listen", listen);
    }
    let shards = section.limit(&SHARDS) as u16;
    let mut links = BTreeMap::new();
    let voters = read_peers(&section, "voters", |_| (), &mut links);
    let relays = read_peers(&section, "relays", read_site, &mut links);
    if !VOTER_COUNTS.contains(&voters.len()) {
        section.fault(format!("the cluster has {} voters", voters.len()), "write 1, 3 or 5 of them");
    }
    if let Some(me) = me.filter(|me| voters.iter().all(|(id, _)| u32::from(*id) != me.value)) {
        let what = format!("node {} is not among the voters", me.value);
        section.fault_at(&me.at, what, "correct the id, or add it to cluster.voters");
    }
    let tls_dir = base.path(&section, "tls_dir", "tls_dir = \"tls\"");
    let is_development = section.flag("development", false);
    let data_keys = base.optional_path(&section, "data_keys", "data_keys = \"data.keys\"");
    section.finish();
    Some(Cluster {
        listen: listen?.value,
        shards,
        voters: voters.into_iter().map(|(id, (link, ()))| Voter { id: NodeId(id), link }).collect(),
        relays: relays.into_iter().map(|(id, (link, site))| RelayPeer { id: RelayId(id), link, site }).collect(),
        tls_dir: tls_dir?,
        is_development,
        data_keys,
    })
}

fn read_sip(top: &Section<'_>, taken: &mut Taken) -> Option<Sip> {
    let section = top.required_sub("sip", "[sip]")?;
    let shared = section.parsed("shared", "shared = \"127.0.0.1:5060\"");
    let own = section.parsed("own", "own = \"127.0.0.1:5061\"");
    for (key, addr) in [("sip.shared", &shared), ("sip.own", &own)] {
        if let Some(addr) = addr {
            taken.claim(&section, key, addr);
        }
    }
    let advertised = section.optional_parsed("advertised", "advertised = \"192.0.2.1:5060\"");
    let proxies = read_networks(&section, "proxies", "proxies = [\"192.0.2.7\"]", "a node");
    section.finish();
    let (shared, own) = (shared?, own?);
    let unset = advertised.is_none() && !section.has("advertised");
    if unset && shared.value.ip().is_unspecified() {
        let fix = "add advertised = \"192.0.2.1:5060\", the address that carriers and phones reach";
        section.fault("sip.shared is on all addresses, so none can be advertised", fix);
    }
    if let Some(advertised) = &advertised {
        check_reachable(&section, "sip.advertised", advertised);
    }
    let advertised = advertised.map_or(shared.value, |advertised| advertised.value);
    Some(Sip { shared: shared.value, own: own.value, advertised, proxies })
}

fn read_limits(top: &Section<'_>) -> Limits {
    let Some(section) = top.sub("limits", "[limits]") else {
        return Limits { max_calls: NODE_CALLS.default, max_calls_per_second: NODE_RATE.default };
    };
    let limits = Limits { max_calls: section.limit(&NODE_CALLS), max_calls_per_second: section.limit(&NODE_RATE) };
    section.finish();
    limits
}

fn read_archive(top: &Section<'_>) -> Archive {
    let Some(section) = top.sub("archive", "[archive]") else {
        return Archive { days: ARCHIVE_DAYS.default, max_gib: ARCHIVE_GIB.default };
    };
    let archive = Archive { days: section.limit(&ARCHIVE_DAYS), max_gib: section.limit(&ARCHIVE_GIB) };
    section.finish();
    archive
}
