//! The relay process: the link to the nodes on one side, the media threads on the other.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strowger_link::{Class, EnvelopeFault, Handler, Identity, Link, LinkError, Reply, Wire, open, peek, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{RelayEvent, RelayStats};
use strowger_model::{Incarnation, Network, NodeId, PeerId, RelayId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::content_cache::{ContentCache, ContentCacheError};
use crate::engine::{Addressed, Engine, EngineError, Limits, Options};
use crate::hop::{Carrier, HopStats};

/// What a relay is told at its start.
pub struct RelayConfig {
    /// Its number in `cluster.relays`.
    pub id: RelayId,
    /// Where nodes and other relays reach it, UDP.
    pub link_listen: SocketAddr,
    /// Its certificate and key, and whom it trusts.
    pub identity: Identity,
    /// Nodes to dial; those that dial the relay need not be named.
    pub peers: Vec<(NodeId, SocketAddr)>,
    /// Media sockets bind to it.
    pub address: IpAddr,
    /// What far ends are told, if it differs (1:1 NAT).
    pub advertise: Option<IpAddr>,
    /// For media: RTP on even ones, RTCP on the next.
    pub ports: Range<u16>,
    /// Where other relays of the cluster are, which have legs on the same ports: no media is sent there either.
    pub others: Vec<IpAddr>,
    /// Where no media is sent, beside these ports; and beside loopback, unless far ends are told a loopback address.
    pub refused: Vec<Network>,
    /// Threads that move media.
    pub threads: usize,
    /// Keeps prompts and music over restarts.
    pub content_dir: Option<PathBuf>,
    /// Without RTP and RTCP, while some is due, before a leg is said to be dead; none: never.
    pub dead_media: Option<Duration>,
}

/// Why a relay does not run, or runs no longer.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The link did not come up.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The media threads did not come up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The directory for copies cannot be used.
    #[error(transparent)]
    Content(#[from] ContentCacheError),
    /// Found while it ran.
    #[error("a media thread ended by itself, which is a fault of the relay; its calls are lost, restart the process")]
    ThreadLost,
}

/// A running relay. It ends when this is dropped.
pub struct Relay {
    service: Arc<Service>,
    link: Link,
    /// Kept for the engine, which holds it weakly: the link's handler leads to the engine.
    _hop_sender: Arc<HopSender>,
    courier: JoinHandle<()>,
}

/// Takes what nodes ask.
struct Service {
    engine: Engine,
    contents: Arc<ContentCache>,
    /// Random, so that no start has that of another.
    incarnation: Incarnation,
}

/// Events between the media threads and the link; beyond it they wait in their legs' journals. More than a digit from
/// each of the largest number of legs at once.
const EVENTS_BACKLOG: usize = 65_536;

/// Events in one cast: some 10 KB.
const EVENTS_AT_ONCE: usize = 256;

/// Runs a relay until a fault ends it.
pub async fn run(config: RelayConfig) -> Result<(), RelayError> {
    Relay::start(config).await?.run().await
}

impl Relay {
    /// Comes up: media threads first, then the link.
    pub async fn start(config: RelayConfig) -> Result<Relay, RelayError> {
        let contents = Arc::new(ContentCache::open(config.content_dir)?);
        let (events, outbox) = mpsc::channel(EVENTS_BACKLOG);
        let options = Options {
            id: config.id,
            address: config.address,
            advertise: config.advertise,
            ports: config.ports,
            others: config.others,
            refused: config.refused,
            threads: config.threads,
            limits: Limits { dead_media: config.dead_media.unwrap_or(Duration::MAX), ..Limits::default() },
        };
        let incarnation = Incarnation(getrandom::u64().map_err(std::io::Error::other).map_err(EngineError::from)?);
        let engine = Engine::start(options, contents.clone(), events)?;
        let service = Arc::new(Service { engine, contents, incarnation });
        let peers = config.peers.into_iter().map(|(node, address)| (PeerId::Node(node), address)).collect();
        let me = PeerId::Relay(config.id);
        let link_options =
            strowger_link::Options { me, listen: config.link_listen, identity: config.identity, layout: 0, peers };
        let link = Link::start(link_options, Arc::new(LinkHandler(service.clone()))).await?;
        let hop_sender = Arc::new(HopSender { me: config.id, link: link.clone() });
        service.engine.carry_with(Arc::<HopSender>::downgrade(&hop_sender));
        let courier = tokio::spawn(carry(outbox, link.clone(), incarnation));
        tracing::info!(relay = %config.id, link = %link.local_addr(), media = %config.address, "relay started");
        Ok(Relay { service, link, _hop_sender: hop_sender, courier })
    }

    /// Tells where other relays are; legs may be heard there then. Said again, addresses change with the next
    /// connection. A relay that is not told waits to be dialled.
    pub fn join_relays(&self, relays: Vec<(RelayId, SocketAddr)>) {
        for (relay, address) in relays {
            self.link.add_peer(PeerId::Relay(relay), address);
            self.link.open_media(PeerId::Relay(relay));
        }
    }

    /// How voice to and from other relays fares.
    pub fn hops(&self) -> Vec<HopStats> {
        let mut hops = self.service.engine.hops();
        hops.iter_mut().for_each(|hop| hop.link = self.link.media_stats(PeerId::Relay(hop.peer)));
        hops
    }

    /// Ends only by a fault.
    pub async fn run(&self) -> Result<(), RelayError> {
        self.service.engine.thread_ended().await;
        Err(RelayError::ThreadLost)
    }

    /// Ends the link, so that nodes see it at once. The media threads, and with them all calls, end when it is dropped.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// Proves itself by another identity from now on; see [`Link::renew`].
    pub fn renew(&self, identity: &Identity) -> Result<(), LinkError> {
        self.link.renew(identity)
    }

    /// What the threads have counted since the start.
    pub fn stats(&self) -> RelayStats {
        self.service.stats()
    }

    /// Where nodes reach it.
    pub fn link_addr(&self) -> SocketAddr {
        self.link.local_addr()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.courier.abort();
    }
}

/// Brings voice to other relays.
struct HopSender {
    me: RelayId,
    link: Link,
}

impl Carrier for HopSender {
    fn open(&self, to: RelayId) -> bool {
        self.link.open_media(PeerId::Relay(to));
        to != self.me
    }

    fn carry(&self, to: RelayId, datagram: Bytes) -> bool {
        self.link.send_media(PeerId::Relay(to), datagram).is_ok()
    }
}

/// A shared service as the link wants it.
struct LinkHandler(Arc<Service>);

impl Handler for LinkHandler {
    fn on_cast(&self, from: PeerId, class: Class, _: Bytes) {
        tracing::debug!(%from, ?class, "relays take no casts");
    }

    fn on_ask(&self, from: PeerId, class: Class, body: Bytes, reply: Reply) {
        let taken = match (from, class) {
            (PeerId::Node(_), Class::Content) => self.take_content(&body, reply),
            (PeerId::Node(_), Class::Relay) => self.take_orders(from, &body, reply),
            _ => return tracing::debug!(%from, ?class, "relays take no such asks"),
        };
        if let Err(fault) = taken {
            tracing::warn!(%from, ?class, %fault, "an ask that cannot be read was left unanswered");
        }
    }

    fn on_media(&self, from: PeerId, datagram: Bytes) {
        self.0.engine.take(from, &datagram);
    }
}

impl LinkHandler {
    fn take_orders(&self, from: PeerId, body: &[u8], reply: Reply) -> Result<(), EnvelopeFault> {
        if peek(body)?.type_id == StatsAsk::TYPE {
            open::<StatsAsk>(body)?;
            reply.send(seal(&self.0.stats()));
            return Ok(());
        }
        // Submitted here and not in the task, so that the link's order is the order of carrying out.
        let pending = self.0.engine.submit(from, open::<Commands>(body)?.list);
        let incarnation = self.0.incarnation;
        tokio::spawn(async move { reply.send(seal(&Answers { incarnation, list: pending.answers().await })) });
        Ok(())
    }

    fn take_content(&self, body: &[u8], reply: Reply) -> Result<(), EnvelopeFault> {
        let ContentPut { digest, bytes } = open(body)?;
        let contents = self.0.contents.clone();
        // Hashing and writing take milliseconds, too long for the link's reader.
        tokio::task::spawn_blocking(move || {
            let refused = contents.put(digest, bytes).err();
            reply.send(seal(&ContentAnswer { refused }));
        });
        Ok(())
    }
}

impl Service {
    fn stats(&self) -> RelayStats {
        RelayStats { content_bytes: self.contents.bytes(), ..self.engine.stats() }
    }
}

/// Casts events to their owners, many at once when many happen.
async fn carry(mut outbox: mpsc::Receiver<Addressed>, link: Link, incarnation: Incarnation) {
    let mut batch = Vec::new();
    while outbox.recv_many(&mut batch, EVENTS_AT_ONCE).await > 0 {
        let mut parcels: Vec<(PeerId, Vec<RelayEvent>)> = Vec::new();
        for Addressed { to, event } in batch.drain(..) {
            match parcels.iter_mut().find(|(owner, _)| *owner == to) {
                Some((_, list)) => list.push(event),
                None => parcels.push((to, vec![event])),
            }
        }
        for (to, list) in parcels {
            if let Err(fault) = link.cast(to, Class::Relay, seal(&Events { incarnation, list })) {
                tracing::debug!(%to, %fault, "events wait in their legs' journals");
            }
        }
    }
}
