//! Who is known, where, and over which connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use strowger_model::PeerId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::distrusted::Distrusted;
use crate::hello::CLOSE_REPLACED;

/// One peer as this process sees it.
#[derive(Clone, Debug)]
pub struct PeerStats {
    /// Whom this is about.
    pub peer: PeerId,
    /// Whether commands reach it; media is not looked at.
    pub connected: bool,
    /// Round trip and packets are of the connection now: zero without one.
    pub rtt: Duration,
    /// QUIC packets that had to be sent again.
    pub lost_packets: u64,
    /// QUIC packets, those sent again among them.
    pub sent_packets: u64,
    /// Messages refused since the start because too much was waiting.
    pub backlog_full: u64,
    /// Why there is no connection.
    pub fault: Option<String>,
    /// There is none because one side does not trust the other's certificate.
    pub is_distrusted: bool,
}

#[derive(Default)]
pub struct Peers {
    by_id: RwLock<BTreeMap<PeerId, Peer>>,
    /// Another connection is in use than before, or none.
    pub changed: watch::Sender<()>,
    /// Where somebody dialled from whose certificate was not trusted here, or who did not trust ours.
    distrusted: RwLock<Distrusted>,
}

#[derive(Default)]
struct Peer {
    address: Option<SocketAddr>,
    connection: Option<Arc<Connection>>,
    refused: Arc<AtomicU64>,
    fault: Option<String>,
    is_distrusted: bool,
}

impl Peers {
    pub fn connection(&self, to: PeerId) -> Option<Arc<Connection>> {
        self.read().get(&to)?.connection.clone()
    }

    pub fn connected(&self) -> Vec<PeerId> {
        self.read().iter().filter(|(_, peer)| peer.connection.is_some()).map(|(id, _)| *id).collect()
    }

    pub fn address(&self, of: PeerId) -> Option<SocketAddr> {
        self.read().get(&of)?.address
    }

    /// Notes an address, for the next dialling; true if there was none.
    pub fn set_address(&self, of: PeerId, address: SocketAddr) -> bool {
        self.write().entry(of).or_default().address.replace(address).is_none()
    }

    /// The peer's count of refused messages, which outlives its connections.
    pub fn refused(&self, of: PeerId) -> Arc<AtomicU64> {
        self.write().entry(of).or_default().refused.clone()
    }

    /// Takes a new connection into use; an older one of the same peer is a predecessor's and ends.
    pub fn join(&self, connection: &Arc<Connection>) {
        let older = {
            let mut peers = self.write();
            let peer = peers.entry(connection.peer).or_default();
            (peer.fault, peer.is_distrusted) = (None, false);
            peer.connection.replace(connection.clone())
        };
        self.changed.send_replace(());
        if let Some(older) = older {
            older.close(CLOSE_REPLACED, "replaced by a newer connection of the same peer");
        }
    }

    /// Takes an ended connection out of use, unless a newer one has taken its place.
    pub fn leave(&self, connection: &Arc<Connection>, why: &str) {
        {
            let mut peers = self.write();
            let peer = peers.get_mut(&connection.peer);
            let in_use = |peer: &&mut Peer| peer.connection.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection));
            let Some(peer) = peer.filter(in_use) else { return };
            peer.connection = None;
            peer.fault = Some(why.to_owned());
        }
        self.changed.send_replace(());
    }

    /// Notes why a peer was not reached; true if that is news.
    pub fn fail(&self, peer: PeerId, why: &str, is_distrusted: bool) -> bool {
        let mut peers = self.write();
        let peer = peers.entry(peer).or_default();
        peer.is_distrusted = is_distrusted;
        let fault = &mut peer.fault;
        let news = fault.as_deref() != Some(why);
        *fault = Some(why.to_owned());
        news
    }

    /// Notes whether who dialled from there and this process trust each other.
    pub fn trusts(&self, from: IpAddr, is_trusted: bool) {
        let mut distrusted = self.distrusted.write().unwrap_or_else(PoisonError::into_inner);
        match is_trusted {
            true => distrusted.forget(from),
            false => distrusted.note(from, Instant::now()),
        }
    }

    pub fn distrusted(&self) -> Vec<IpAddr> {
        self.distrusted.read().unwrap_or_else(PoisonError::into_inner).all(Instant::now())
    }

    /// Forgets all connections and gives them to the caller.
    pub fn part(&self) -> Vec<Arc<Connection>> {
        self.write().values_mut().filter_map(|peer| peer.connection.take()).collect()
    }

    pub fn stats(&self) -> Vec<PeerStats> {
        self.read().iter().map(|(id, peer)| peer.stats(*id)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PeerId, Peer>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerId, Peer>> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn stats(&self, peer: PeerId) -> PeerStats {
        let path = self.connection.as_ref().map(|connection| connection.quic.stats().path).unwrap_or_default();
        PeerStats {
            peer,
            connected: self.connection.is_some(),
            rtt: path.rtt,
            lost_packets: path.lost_packets,
            sent_packets: path.sent_packets,
            backlog_full: self.refused.load(Ordering::Relaxed),
            fault: self.fault.clone(),
            is_distrusted: self.is_distrusted,
        }
    }
}
