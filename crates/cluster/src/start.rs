//! How a node comes up: link, log, edge, then the tasks that act.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use strowger_link::{Class, Handler, Identity, Link, LinkError, Reply, Wire, open, peek, seal};
use strowger_media::protocol::{ContentAnswer, ContentPut, ContentRefusal};
use strowger_model::{Destinations, GroupId, Network, NodeId, OutboundCaps, PeerId, RelayId};
use strowger_raft::{Groups, Retention, Tuning, clock};
use strowger_sip::Local;
use strowger_store::{Store, StoreError};
use strowger_switch::Vitals;
use strowger_trunk::{Edge, EdgeError, Incoming};
use tokio::sync::mpsc;

use crate::actor::{pacer, sweep};
use crate::content::Content;
use crate::context::{Context, Parts};
use crate::data_keys::DataKeys;
use crate::done::{self, Performed, PerformedList};
use crate::intake::Intake;
use crate::keyring::Keyring;
use crate::node::{Known, Node};
use crate::observer::Watcher;
use crate::relays::{self, Relays};
use crate::sabotage::TestBreak;
use crate::sweeps;
use crate::vitals;
use crate::wire::{ContentWanted, Guessed, KeysMissing, KeysWanted, Lifted, SendSip};
use crate::{directory, guessing, leader, posts, prune, raise, records, registrar};

/// Log, snapshots and archive, below a node's data directory.
pub(crate) const LOG: &str = "raft";

/// What a node is told at its start.
pub struct Options {
    /// Which voter it is.
    pub me: NodeId,
    /// All that hold the log, this node among them, and where each is reached.
    pub voters: Vec<(NodeId, SocketAddr)>,
    /// With where they are reached, and their sites.
    pub relays: Vec<(RelayId, SocketAddr, String)>,
    /// Fixed once the cluster is founded.
    pub shards: u16,
    /// Log, snapshots, content and records.
    pub data_dir: PathBuf,
    /// Its certificate and key, and whom it trusts.
    pub identity: Identity,
    /// Where other processes reach it, UDP.
    pub link_listen: SocketAddr,
    /// Where far ends reach it.
    pub sip: strowger_trunk::Options,
    /// What Via and Contact say: the address any live node answers.
    pub advertised: String,
    /// With which secrets are sealed and SIP tokens made, the same on all nodes.
    pub data_keys: DataKeys,
    /// Which numbers calls go to; the same on all nodes.
    pub destinations: Destinations,
    /// And how many; likewise.
    pub caps: OutboundCaps,
    /// Where one address is many phones': wrong passwords from there silence accounts, and never all.
    pub proxies: Vec<Network>,
    /// Calls this node drives at once.
    pub max_calls: usize,
    /// New calls a second this node takes, over all trunks.
    pub max_calls_per_second: u32,
    /// How long it can be told what became of a call.
    pub retention: Retention,
    /// Times and sizes of the log; tests take other ones.
    pub tuning: Tuning,
    /// A fault that a test plants.
    pub test_break: Option<TestBreak>,
}

impl Options {
    /// All processes of the cluster, and where each is reached.
    fn peers(&self) -> Vec<(PeerId, SocketAddr)> {
        let nodes = self.voters.iter().map(|(node, address)| (PeerId::Node(*node), *address));
        let relays = self.relays.iter().map(|(relay, address, _)| (PeerId::Relay(*relay), *address));
        nodes.chain(relays).collect()
    }
}

/// Why a node did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Certificates, keys or the link's port.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A SIP port.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The data directory, or its log.
    #[error(transparent)]
    Raft(#[from] strowger_raft::StartError),
    /// The records database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running node. It goes on until it is stopped, or its runtime ends.
pub struct Cluster {
    /// For those who ask of it or operate it.
    pub context: Arc<Context>,
}

impl Cluster {
    /// Comes up as far as this process alone can: it takes calls once the cluster knows it and answers its heartbeats.
    pub async fn start(options: Options) -> Result<Cluster, StartError> {
        // The ports first: a node that cannot be reached should not begin to vote.
        let tokens = options.data_keys.token_keys();
        let (edge, incoming) = Edge::start(options.me, &options.sip, tokens.clone(), clock::boottime)?;
        let store = Store::open(&options.data_dir.join("records.sqlite"))?;
        let front = Arc::new(Front::default());
        let peers = options.peers();
        let link = Link::start(
            strowger_link::Options {
                me: PeerId::Node(options.me),
                listen: options.link_listen,
                identity: options.identity,
                layout: strowger_table::layout::LATEST,
                peers,
            },
            front.clone(),
        )
        .await?;
        // Sorted, because each group's home is a place in this list and all nodes must agree on it.
        let mut voters: Vec<NodeId> = options.voters.iter().map(|(node, _)| *node).collect();
        voters.sort_unstable();
        let watcher = Arc::new(Watcher::default());
        let groups = Groups::start(
            strowger_raft::Options {
                me: options.me,
                voters: voters.iter().copied().collect::<BTreeSet<_>>(),
                shards: options.shards,
                dir: options.data_dir.join(LOG),
                retention: options.retention,
                tuning: options.tuning,
            },
            link.clone(),
            watcher.clone(),
        )
        .await?;
        let relays = options.relays.into_iter().map(|(relay, _, site)| (relay, site)).collect();
        let shown = options.advertised.parse().ok();
        let sip_addresses = [Some(options.sip.shared), options.sip.own, shown].into_iter().flatten().collect();
        let local = Local { contact_host: options.advertised, user_agent: "Strowger".to_owned(), tokens };
        let (performed, performed_list) = Performed::new();
        let context = Arc::new(Context::new(Parts {
            me: options.me,
            relays: Relays::new(&link, relays),
            content: Content::new(options.data_dir.join("content")),
            groups,
            link,
            edge,
            store,
            sip_addresses,
            keyring: Keyring::new(options.data_keys, local),
            destinations: options.destinations,
            caps: options.caps,
            proxies: options.proxies,
            performed,
            shards: options.shards,
            test_break: options.test_break,
        }));
        let vitals = Arc::new(Mutex::new(Vitals::new(options.me, voters.clone())));
        let limits = (options.max_calls, options.max_calls_per_second);
        let intake = Arc::new(Intake::new(context.clone(), limits));
        let node = Arc::new(Node { context: context.clone(), intake, vitals });
        Relays::begin(&context);
        front.0.is(&node);
        watcher.0.is(&node);
        begin_tasks(node, (voters, options.shards), performed_list, incoming);
        Ok(Cluster { context })
    }

    /// Ends all that has begun with the node, best after [`Cluster::retire`]: far ends and other processes hear nothing
    /// more of it, its files are closed and its ports are free, as long as nobody else holds the context.
    pub async fn stop(self) {
        let Cluster { context } = self;
        context.calls.close();
        context.agents.close();
        context.pacers.close();
        context.relays.couriers.close();
        context.begun.proposing.end().await;
        context.begun.tasks.end().await;
        context.groups.shutdown().await;
        context.begun.acting.ended().await;
        context.link.close().await;
        if Arc::into_inner(context).is_none() {
            tracing::warn!("the node has ended, and somebody still holds it");
        }
    }
}

/// All that goes on beside the actors, for as long as the node is there.
fn begin_tasks(
    node: Arc<Node>,
    (voters, shards): (Vec<NodeId>, u16),
    performed: PerformedList,
    mut incoming: mpsc::Receiver<Incoming>,
) {
    let context = node.context.clone();
    catch_up(&node);
    context.keep("directory", directory::run);
    context.keep("prune", prune::run);
    let (vitals, intake) = (node.vitals.clone(), node.intake.clone());
    context.keep("vitals", move |context| vitals::run(context, vitals.clone(), intake.clone()));
    let intake = node.intake.clone();
    context.keep("time of the intake", move |_| intake.clone().keep_time());
    context.spawn(done::run(context.clone(), performed));
    context.keep("records", records::run);
    pacer::begin(&context);
    context.keep("stand-by", posts::stand_by);
    context.keep("sweep", sweep::run);
    context.keep("relays", relays::watch);
    context.spawn(vitals::join(context.clone(), voters.clone(), shards));
    for shard in context.shards() {
        let (sweeps, node) = (context.sweeps.clone(), Arc::downgrade(&node));
        context.keep("sweep of rows", move |_| sweeps::run(sweeps.clone(), node.clone(), shard));
    }
    for shard in context.shards() {
        let voters = voters.clone();
        context.keep("leader", move |context| leader::run(context, shard, voters.clone()));
    }
    for group in (0..=shards).map(GroupId) {
        let voters = voters.clone();
        context.keep("layout", move |context| raise::run(context, group, voters.clone()));
    }
    context.keep("lead of the control group", move |context| leader::hand_on_control(context, voters.clone()));
    // The node lives in this task, and with its end the edge closes.
    context.spawn(async move {
        while let Some(message) = incoming.recv().await {
            node.intake.take(message);
        }
    });
}

/// What the log already held before anybody watched it.
fn catch_up(node: &Node) {
    let context = &node.context;
    context.refresh_directory();
    context.shards().for_each(|shard| node.context.sweeps.want(shard));
}

/// What the link hands messages to.
#[derive(Default)]
struct Front(Known);

impl Handler for Front {
    fn on_cast(&self, from: PeerId, class: Class, body: Bytes) {
        let Some(node) = self.0.get() else { return };
        match (class, from) {
            (Class::Heartbeat, PeerId::Node(from)) => vitals::on_beat(&node, from, &body),
            (Class::Sip, PeerId::Node(_)) => on_sip(&node, &body),
            (Class::Relay, PeerId::Relay(relay)) => relays::on_events(&node.context, relay, &body),
            _ => tracing::warn!(%from, ?class, "nobody here takes that"),
        }
    }

    fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply) {
        let Some(node) = self.0.get() else { return };
        match class {
            Class::Sip if matches!(from, PeerId::Node(_)) => registrar::passed_on(&node.context, &body, reply),
            Class::Raft | Class::Command => node.context.groups.on_ask(from, class, body, reply),
            Class::Content => {
                let context = node.context.clone();
                tokio::task::spawn_blocking(move || serve_content(&context, &body, reply));
            }
            _ => tracing::warn!(%from, ?class, "nobody here answers that"),
        }
    }
}

/// A message of a far end for a call here, one to a far end whose connection is here, or that somebody guesses.
fn on_sip(node: &Node, body: &[u8]) {
    match peek(body).map(|header| header.type_id) {
        Ok(SendSip::TYPE) => {
            if let Ok(SendSip { to, message }) = open::<SendSip>(body) {
                node.context.edge.send(to, &message);
            }
        }
        Ok(Guessed::TYPE) => {
            if let Ok(guessed) = open::<Guessed>(body) {
                guessing::heard(&node.context, guessed);
            }
        }
        Ok(Lifted::TYPE) => {
            if let Ok(Lifted { from }) = open::<Lifted>(body) {
                guessing::lifted(&node.context, from);
            }
        }
        _ => node.intake.forwarded(body),
    }
}

/// Another node gives content or asks for it, or whether secrets in it can be opened here.
fn serve_content(context: &Context, body: &[u8], reply: Reply) {
    let content = &context.content;
    match peek(body).map(|header| header.type_id) {
        Ok(ContentPut::TYPE) => {
            let Ok(put) = open::<ContentPut>(body) else { return };
            let refused = if Sha256::digest(&put.bytes).as_slice() != put.digest.0 {
                Some(ContentRefusal::Mismatch)
            } else {
                content.put(put.digest, &put.bytes).err().map(|fault| {
                    tracing::error!(%fault, "content was not kept");
                    ContentRefusal::Full
                })
            };
            reply.send(seal(&ContentAnswer { refused }));
        }
        Ok(ContentWanted::TYPE) => {
            let Ok(wanted) = open::<ContentWanted>(body) else { return };
            let bytes = content.read(wanted.digest).unwrap_or_default();
            reply.send(seal(&ContentPut { digest: wanted.digest, bytes }));
        }
        Ok(KeysWanted::TYPE) => {
            let Ok(KeysWanted { keys }) = open::<KeysWanted>(body) else { return };
            let known = context.keyring.data_keys();
            let missing = keys.into_iter().filter(|key| !known.has(*key)).collect();
            reply.send(seal(&KeysMissing { keys: missing }));
        }
        _ => {}
    }
}
