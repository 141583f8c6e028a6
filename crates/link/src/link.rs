//! The handle that the rest of the process holds.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use quinn::Endpoint;
use strowger_model::PeerId;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;

use crate::asks::AskFault;
use crate::class::Class;
use crate::connection::Connection;
use crate::handler::Handler;
use crate::hello::{CLOSE_ENDING, CLOSE_FAULT, Speaker};
use crate::identity::{Identity, IdentityError};
use crate::lane::SendFault;
use crate::media::{MediaOptions, MediaStats};
use crate::media_connection::MediaConnection;
use crate::media_connections::MediaConnections;
use crate::peers::{PeerStats, Peers};
use crate::transport::{Held, MediaSides};
use crate::{accept, dial, transport};

/// How often a link that closes looks whether its port is free, and how long at most.
const FREED_STEP: Duration = Duration::from_millis(1);
const FREED_WITHIN: Duration = Duration::from_secs(1);

/// Who this process is on the link and whom it knows.
pub struct Options {
    /// The certificate must prove it.
    pub me: PeerId,
    /// UDP; also the address that dialling leaves from.
    pub listen: SocketAddr,
    /// What proves it to the peers, and whom it trusts.
    pub identity: Identity,
    /// The newest layout of the log that this process reads, told to every peer; 0 of who has no log.
    pub layout: u16,
    /// Peers whose address is known; further ones by [`Link::add_peer`], and those that dial need none.
    pub peers: Vec<(PeerId, SocketAddr)>,
}

/// Why the link did not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum LinkError {
    #[error(
        "cannot use UDP address {address} for the link: {source}; see `ss -ulpn` for who has the port, or configure \
         another one"
    )]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("certificate or key do not serve for TLS: {0}")]
    Tls(String),
    #[error("the link needs a tokio runtime")]
    NoRuntime,
}

/// The link to all peers: a cheap handle. It ends with [`Link::close`] or with its last handle; a [`Handler`] that
/// keeps a handle therefore needs the former.
#[derive(Clone)]
pub struct Link {
    handle: Arc<Handle>,
}

/// What the tasks of the link share. They hold this, not a [`Handle`], so that handles alone keep the link up.
pub struct Shared {
    pub me: PeerId,
    pub layout: u16,
    pub peers: Peers,
    pub media: MediaConnections,
    media_sides: RwLock<Arc<MediaSides>>,
    media_options: MediaOptions,
    pub closing: watch::Sender<bool>,
    handler: Arc<dyn Handler>,
    /// Media threads open connections, and they are none of its own.
    runtime: Runtime,
    endpoint: Mutex<Option<Endpoint>>,
    socket: Held,
}

/// What a connection is for. A pair of peers has one of each at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Commands,
    Media,
}

struct Handle {
    shared: Arc<Shared>,
    local: SocketAddr,
}

impl Link {
    /// Binds the socket and starts to accept and to dial; peers come up later, on their own.
    pub async fn start(options: Options, handler: Arc<dyn Handler>) -> Result<Link, LinkError> {
        Link::start_with_media(options, MediaOptions::default(), handler).await
    }

    /// As `start`, for another amount of media than usual.
    pub async fn start_with_media(
        options: Options,
        media: MediaOptions,
        handler: Arc<dyn Handler>,
    ) -> Result<Link, LinkError> {
        let Options { me, listen, identity, layout, peers } = options;
        identity.check_name(me)?;
        let runtime = Runtime::try_current().map_err(|_| LinkError::NoRuntime)?;
        let (endpoint, socket, media_sides) = transport::endpoint(listen, &identity, media)?;
        let local = endpoint.local_addr().map_err(|source| LinkError::Bind { address: listen, source })?;
        let shared = Arc::new(Shared {
            me,
            layout,
            peers: Peers::default(),
            media: MediaConnections::default(),
            media_sides: RwLock::new(Arc::new(media_sides)),
            media_options: media,
            closing: watch::Sender::new(false),
            handler,
            runtime,
            endpoint: Mutex::new(Some(endpoint.clone())),
            socket,
        });
        tokio::spawn(accept::all(shared.clone(), endpoint));
        let link = Link { handle: Arc::new(Handle { shared, local }) };
        for (peer, address) in peers {
            link.add_peer(peer, address);
        }
        tracing::debug!(%me, %local, "link started");
        Ok(link)
    }

    /// Sends without an answer. Order is kept within a class while the connection lasts; what is not yet on the
    /// wire when it ends is lost.
    pub fn cast(&self, to: PeerId, class: Class, body: impl Into<Bytes>) -> Result<(), SendFault> {
        self.connection(to)?.cast(class, body.into())
    }

    /// Sends and waits for the answer.
    pub async fn ask(
        &self,
        to: PeerId,
        class: Class,
        body: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Bytes, AskFault> {
        self.connection(to)?.ask(class, body.into(), timeout).await
    }

    /// Tells where a peer is. Of a pair, the smaller id dials; the other only notes the address. A peer that is
    /// connected stays so, and is looked for at the new address when it is lost.
    pub fn add_peer(&self, peer: PeerId, address: SocketAddr) {
        let shared = &self.handle.shared;
        if peer == shared.me {
            return;
        }
        // Nodes sort before relays, so nodes dial relays.
        if shared.peers.set_address(peer, address) && shared.me < peer && !*shared.closing.borrow() {
            shared.runtime.spawn(dial::keep(shared.clone(), peer, Purpose::Commands));
        }
    }

    /// Keeps a media connection to a peer up from now on; again, it does nothing. Of a pair, the smaller id dials, so it
    /// has to be told on its side, and needs the address that [`Link::add_peer`] tells.
    pub fn open_media(&self, peer: PeerId) {
        let shared = &self.handle.shared;
        if peer != shared.me && shared.media.want(peer) && shared.me < peer && !*shared.closing.borrow() {
            shared.runtime.spawn(dial::keep(shared.clone(), peer, Purpose::Media));
        }
    }

    /// Sends a media datagram, which may be lost. Never waits; any thread may call it. At most
    /// [`MEDIA_DATAGRAM_BYTES`](crate::MEDIA_DATAGRAM_BYTES) always pass.
    pub fn send_media(&self, to: PeerId, datagram: Bytes) -> Result<(), SendFault> {
        self.media_connection(to).ok_or_else(|| self.absence())?.send(datagram)
    }

    /// How the media connection to a peer fares; none without one.
    pub fn media_stats(&self, peer: PeerId) -> Option<MediaStats> {
        Some(self.media_connection(peer)?.stats())
    }

    /// Whether commands reach the peer now; media has a connection of its own.
    pub fn connected(&self, to: PeerId) -> bool {
        self.handle.shared.peers.connection(to).is_some()
    }

    /// The newest layout of the log that a peer reads, as it said when it connected; none while it is not connected.
    pub fn layout(&self, of: PeerId) -> Option<u16> {
        if of == self.me() {
            return Some(self.handle.shared.layout);
        }
        self.handle.shared.peers.connection(of).map(|connection| connection.layout)
    }

    /// Told whenever a peer is connected, anew or again, and whenever one is lost; an error once the link is gone.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.handle.shared.peers.changed.subscribe()
    }

    /// The peers connected now, in order.
    pub fn peers(&self) -> Vec<PeerId> {
        self.handle.shared.peers.connected()
    }

    /// As whom the link was started.
    pub fn me(&self) -> PeerId {
        self.handle.shared.me
    }

    /// Where it listens: the port that was given where `listen` had 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.local
    }

    /// Every peer known, connected or not.
    pub fn stats(&self) -> Vec<PeerStats> {
        self.handle.shared.peers.stats()
    }

    /// Proves itself by another identity from now on, and trusts whom that one trusts; connections that are there stay.
    /// What a predecessor's connections are reset by is still the first one's.
    pub fn renew(&self, identity: &Identity) -> Result<(), LinkError> {
        let shared = &self.handle.shared;
        identity.check_name(shared.me)?;
        let mut endpoint = shared.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        // Without one the link has been closed.
        if let Some(endpoint) = endpoint.as_mut() {
            let media = transport::renew(endpoint, identity, shared.media_options)?;
            *shared.media_sides.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(media);
        }
        Ok(())
    }

    /// Where others dialled from whom this process does not trust, or who do not trust it.
    pub fn distrusted(&self) -> Vec<IpAddr> {
        self.handle.shared.peers.distrusted()
    }

    /// Ends all connections and tells the peers so; what is under way is not waited for. Then the port is free, unless
    /// a handler stands still.
    pub async fn close(&self) {
        let shared = &self.handle.shared;
        let Some(endpoint) = shared.end() else { return };
        endpoint.wait_idle().await;
        drop(endpoint);
        // quinn tells nobody when its tasks have let the socket go: microseconds after the last connection.
        let freed = async {
            while shared.socket.strong_count() > 0 {
                tokio::time::sleep(FREED_STEP).await;
            }
        };
        if tokio::time::timeout(FREED_WITHIN, freed).await.is_err() {
            tracing::warn!(me = %shared.me, "a handler stands still and holds the link's port");
        }
    }

    fn connection(&self, to: PeerId) -> Result<Arc<Connection>, SendFault> {
        self.handle.shared.peers.connection(to).ok_or_else(|| self.absence())
    }

    fn media_connection(&self, to: PeerId) -> Option<Arc<MediaConnection>> {
        self.handle.shared.media.connection(to)
    }

    fn absence(&self) -> SendFault {
        match *self.handle.shared.closing.borrow() {
            true => SendFault::Closed,
            false => SendFault::NotConnected,
        }
    }
}

impl Shared {
    pub fn media_sides(&self) -> Arc<MediaSides> {
        self.media_sides.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The socket, until the link closes.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has a connection in use from its hello to its end.
    pub async fn carry(&self, speaker: Speaker, quic: quinn::Connection, purpose: Purpose) {
        let peer = speaker.peer;
        let address = quic.remote_address();
        tracing::info!(%peer, %address, ?purpose, "link up");
        let why = match purpose {
            Purpose::Commands => self.carry_commands(speaker, quic).await,
            Purpose::Media => self.carry_media(peer, quic).await,
        };
        if *self.closing.borrow() {
            tracing::debug!(%peer, ?purpose, "link closed");
        } else {
            tracing::info!(%peer, %address, ?purpose, %why, "link down");
        }
    }

    async fn carry_commands(&self, speaker: Speaker, quic: quinn::Connection) -> String {
        let connection = Arc::new(Connection::new(speaker, quic, self.peers.refused(speaker.peer)));
        self.peers.join(&connection);
        let why = connection.run(self.handler.clone()).await;
        self.peers.leave(&connection, &why);
        why
    }

    async fn carry_media(&self, peer: PeerId, quic: quinn::Connection) -> String {
        let connection = Arc::new(MediaConnection::new(peer, quic));
        self.media.join(&connection);
        let (reader, handler) = (connection.clone(), self.handler.clone());
        // A task of its own: a handler that panics ends the connection, and not the dialling of the next one.
        let why = tokio::spawn(async move { reader.run(&*handler).await }).await.unwrap_or_else(|fault| {
            connection.quic.close(CLOSE_FAULT, b"its reader ended");
            fault.to_string()
        });
        self.media.leave(&connection);
        why
    }

    /// Stops everything; gives the socket to the first who calls.
    fn end(&self) -> Option<Endpoint> {
        self.closing.send_replace(true);
        let endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        for connection in self.peers.part() {
            connection.close(CLOSE_ENDING, "the peer is stopping");
        }
        drop(self.media.part());
        endpoint.close(CLOSE_ENDING, b"the peer is stopping");
        Some(endpoint)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end();
    }
}
