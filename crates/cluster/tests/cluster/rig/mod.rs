//! Nodes and three relays in one process, each with its own ports and directory; the phones are the crate `phones`.
//! Each node has a runtime of its own, and dies with it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strowger_cluster::{Cluster, Context, DataKeys, Options, Retention, TestBreak, Tuning};
use strowger_config::{Files, NextIds};
use strowger_link::Identity;
use strowger_model::{GroupId, Ha1, NodeId, PeerId, RelayId, Whose};
use strowger_phones::{AgentSpec, CallSpec, Phones, PhonesOptions, Report};
use strowger_relay::{Relay, RelayConfig};
use strowger_store::{CallFilter, CallLine};
use strowger_table::Call;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub const NUMBER: &str = "+4930555001";
/// For anything to come about.
pub const PATIENCE: Duration = Duration::from_secs(30);
const TRUNK_SOCKETS: u16 = 4;
/// Id, site and ports.
pub const RELAYS: [(u16, &str, Range<u16>); 3] =
    [(1, "east", 30_000..30_500), (2, "west", 30_500..31_000), (3, "north", 31_000..31_500)];
/// Of a node's runtime.
const THREADS: usize = 2;

pub struct Rig {
    pub nodes: Vec<Cluster>,
    runtimes: BTreeMap<NodeId, Runtime>,
    relays: Mutex<BTreeMap<RelayId, Relay>>,
    relay_links: Vec<(RelayId, SocketAddr)>,
    dir: TempDir,
    sip: SocketAddr,
    trunk_port: u16,
}

pub fn password(agent: &str) -> String {
    format!("demo-secret-{agent}")
}

impl Rig {
    pub async fn start(nodes: u16, shards: u16) -> Rig {
        Self::with_fault(nodes, shards, None).await
    }

    pub async fn with_fault(nodes: u16, shards: u16, test_break: Option<TestBreak>) -> Rig {
        let dir = TempDir::new().expect("a temporary directory");
        let sip = free();
        let relay_links: Vec<_> = RELAYS.map(|(id, _, _)| (RelayId(id), free())).into();
        let links: Vec<(NodeId, SocketAddr)> = (1..=nodes).map(|id| (NodeId(id), free())).collect();
        let tls = dir.path().join("tls");
        let identity = |peer| Identity::development(&tls, peer).expect("an identity");
        let (mut clusters, mut runtimes) = (Vec::new(), BTreeMap::new());
        for (id, link) in &links {
            let options = Options {
                me: *id,
                voters: links.clone(),
                relays: relay_links
                    .iter()
                    .zip(RELAYS)
                    .map(|((id, link), (_, site, _))| (*id, *link, site.to_owned()))
                    .collect(),
                shards,
                data_dir: dir.path().join(id.to_string()),
                identity: identity(PeerId::Node(*id)),
                link_listen: *link,
                sip: strowger_trunk::Options { shared: sip, own: None },
                advertised: sip.to_string(),
                data_keys: DataKeys::parse(&"07".repeat(32)).expect("a key"),
                destinations: Default::default(),
                caps: Default::default(),
                proxies: Vec::new(),
                max_calls: 1000,
                max_calls_per_second: 1000,
                retention: Retention::default(),
                tuning: Tuning::default(),
                test_break,
            };
            std::fs::create_dir_all(&options.data_dir).expect("a directory");
            let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("a runtime");
            let begun = runtime.spawn(Cluster::start(options)).await.expect("nothing panics");
            clusters.push(begun.expect("a node starts"));
            runtimes.insert(*id, runtime);
        }
        let trunk_port = free_run(TRUNK_SOCKETS + 1);
        let rig = Rig { nodes: clusters, runtimes, relays: Mutex::default(), relay_links, dir, sip, trunk_port };
        for (id, _) in &rig.relay_links {
            rig.begin_relay(*id).await;
        }
        rig.until("the cluster is active", || rig.nodes.iter().all(|node| node.context.overview().active)).await;
        rig.until("the relays are there", || {
            rig.nodes.iter().all(|node| node.context.relays.usable().len() == RELAYS.len())
        })
        .await;
        rig.configure().await;
        rig
    }

    /// What goes on there breaks off in the middle: nobody hears a word of it, and its sockets are closed.
    pub fn kill(&mut self, node: NodeId) {
        let runtime = self.runtimes.remove(&node).expect("a node that runs");
        runtime.shutdown_background();
        self.nodes.retain(|other| other.context.me != node);
    }

    pub async fn begin_relay(&self, id: RelayId) {
        let (_, link_listen) = *self.relay_links.iter().find(|(of, _)| *of == id).expect("a relay of the rig");
        let (_, _, ports) = RELAYS.into_iter().find(|(of, _, _)| *of == id.0).expect("a relay of the rig");
        let relay = Relay::start(RelayConfig {
            id,
            link_listen,
            identity: Identity::development(&self.dir.path().join("tls"), PeerId::Relay(id)).expect("an identity"),
            peers: Vec::new(),
            address: [127, 0, 0, 1].into(),
            advertise: None,
            ports,
            others: Vec::new(),
            refused: Vec::new(),
            threads: 1,
            content_dir: None,
            dead_media: Some(Duration::from_secs(10)),
        });
        let relay = relay.await.expect("the relay starts");
        relay.join_relays(self.relay_links.iter().filter(|(other, _)| *other != id).copied().collect());
        self.relays.lock().expect("nobody panicked with it").insert(id, relay);
    }

    pub async fn end_relay(&self, id: RelayId) {
        let relay = self.relays.lock().expect("nobody panicked with it").remove(&id);
        relay.expect("a relay that runs").close().await;
    }

    /// The only call there is.
    pub fn only_call(&self) -> Option<Arc<Call>> {
        self.calls().into_iter().next()
    }

    /// All calls of the first shard, ended a moment ago or not.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        let context = self.context();
        let view = context.shards().find_map(|shard| context.shard_view(shard));
        view.iter().filter_map(|view| view.machine.shard()).flat_map(|table| table.calls().cloned()).collect()
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.nodes[0].context
    }

    /// Where SIP is listened for, over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    async fn configure(&self) {
        let context = self.context();
        let load = |wav: &[u8]| {
            strowger_media::content::from_wav(wav)
                .map(|content| (content.bytes, content.digest))
                .map_err(|f| f.to_string())
        };
        let seal = |whose: Whose<'_>, ha1: &Ha1| context.data_keys().seal(whose, ha1);
        let draft = strowger_config::parse(&files(self.trunk_port), &load, &seal);
        let draft = draft.unwrap_or_else(|faults| panic!("{}", faults[0]));
        for (digest, bytes) in draft.contents() {
            context.spread(*digest, bytes.clone()).await.expect("prompts spread");
        }
        let view = context.groups.view(GroupId::CONTROL);
        let version = view.machine.control().map_or(0, strowger_table::Control::version);
        let resolved = strowger_config::resolve(&draft, &[], &[], context.shards().count() as u16, NextIds::default());
        context.configure(version + 1, resolved.tenants, resolved.trunks).await.expect("a configuration");
        self.until("all shards have the configuration", || {
            let has_it = |context: &Context| context.directory().version > version && !context.is_directory_old();
            self.nodes.iter().all(|node| node.context.shards_behind() == 0 && has_it(&node.context))
        })
        .await;
    }

    /// Where the first node keeps prompts, music and tenants.
    pub fn content(&self) -> PathBuf {
        self.dir.path().join(self.context().me.to_string()).join("content")
    }

    pub fn phones(&self) -> Phones {
        self.phones_that_hear(&[])
    }

    /// Phones that tell these tones apart when they sound together.
    pub fn phones_that_hear(&self, voices: &[u16]) -> Phones {
        let mut options = PhonesOptions::new(self.sip, [127, 0, 0, 1].into(), self.trunk_port, 0);
        options.trunk_sockets = TRUNK_SOCKETS;
        options.carrier_port = self.trunk_port + TRUNK_SOCKETS;
        options.carrier_sockets = 1;
        options.voices = voices.to_vec();
        Phones::start(options).expect("phones start")
    }

    /// Agent 1000 has registered and is free.
    pub async fn staff(&self, phones: &Phones, tone: u16) {
        self.staff_with(phones, "1000", tone).await;
    }

    /// The agent of that name has registered, and is the only one who is free.
    pub async fn staff_with(&self, phones: &Phones, agent: &str, tone: u16) {
        phones.add_agent(AgentSpec::new(agent, &password(agent), "acme.example", tone));
        self.until("the agent is registered and idle", || self.agents_in("idle") == 1).await;
    }

    /// A caller who presses 1, talks to whoever answers, and hangs up: what the phones saw of it.
    pub async fn one_call(&self, phones: &Phones, tone: u16, talk: Duration) -> Vec<Report> {
        phones.place_call(CallSpec { talk, ..caller(tone) });
        self.until("the call is over", || phones.live().calls_ended == 1).await;
        phones.finish(Duration::from_secs(1))
    }

    pub fn agents_in(&self, state: &str) -> usize {
        self.context().overview().agents.get(state).copied().unwrap_or(0)
    }

    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {what}\n{:#?}",
                self.nodes[0].context.overview()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The record of a caller's SIP Call-ID, on the last node.
    pub async fn record(&self, sip_call_id: &str) -> CallLine {
        let store = &self.nodes.last().expect("a node").context.store;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let filter = CallFilter { sip_call_id: Some(sip_call_id.to_owned()), ..CallFilter::default() };
            let lines = store.calls(filter).await.expect("the records answer");
            if let Some(line) = lines.into_iter().next() {
                return line;
            }
            assert!(Instant::now() < deadline, "no record of {sip_call_id}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Who presses 1 in the menu.
pub fn caller(tone: u16) -> CallSpec {
    let mut call = CallSpec::new("+491701234567", NUMBER, tone);
    call.digits = "1".into();
    call.digits_after = Duration::from_millis(300);
    call
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Whoever drops a runtime waits for it, which nobody may do in another.
        std::mem::take(&mut self.runtimes).into_values().for_each(Runtime::shutdown_background);
    }
}

fn files(trunk_port: u16) -> Files {
    let sources: String =
        (trunk_port..trunk_port + TRUNK_SOCKETS).map(|port| format!("\"127.0.0.1:{port}\", ")).collect();
    let trunks = format!("[[trunk]]\nname = \"carrier\"\nsources = [{sources}]\n");
    let tenant = format!(
        "name = \"acme\"\nrealm = \"acme.example\"\n[[number]]\nnumber = \"{NUMBER}\"\nflow = \"main\"\n\
         [[flow]]\nname = \"main\"\n[[flow.step]]\nname = \"menu\"\nmenu = \"menu.wav\"\nchoices = {{ \"1\" = \"sales\" }}\n\
         timeout_ms = 2000\ntries = 1\notherwise = \"end\"\n[[flow.step]]\nname = \"sales\"\nqueue = \"sales\"\n\
         [[flow.step]]\nname = \"end\"\nhang_up = true\n\
         [[queue]]\nname = \"sales\"\nmusic = \"hold.wav\"\nwrap_up_ms = 500\n\
         [[agents]]\nnames = \"1000-1003\"\npassword = \"demo-secret-{{name}}\"\nqueues = [\"sales\"]\nready_at_login = true\n"
    );
    let wav = |bytes: &[u8]| bytes.to_vec();
    Files(
        [
            ("trunks.toml".to_owned(), trunks.into_bytes()),
            ("tenants/acme.toml".to_owned(), tenant.into_bytes()),
            ("menu.wav".to_owned(), wav(include_bytes!("../../../../../config/example/prompts/menu.wav"))),
            ("hold.wav".to_owned(), wav(include_bytes!("../../../../../config/example/music/hold.wav"))),
        ]
        .into(),
    )
}

pub fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

fn free_run(count: u16) -> u16 {
    (0..100)
        .map(|_| free().port())
        .find(|first| {
            let all: Vec<_> = (*first..first + count).filter_map(|p| UdpSocket::bind(("127.0.0.1", p)).ok()).collect();
            all.len() == usize::from(count)
        })
        .expect("free neighbouring ports")
}
