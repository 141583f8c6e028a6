//! The media connections of all peers.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use strowger_model::PeerId;

use crate::hello::CLOSE_REPLACED;
use crate::media_connection::MediaConnection;

#[derive(Default)]
pub struct MediaConnections {
    by_peer: RwLock<BTreeMap<PeerId, Place>>,
}

#[derive(Default)]
struct Place {
    wanted: bool,
    connection: Option<Arc<MediaConnection>>,
    /// Why there is none.
    fault: Option<String>,
}

impl MediaConnections {
    pub fn connection(&self, to: PeerId) -> Option<Arc<MediaConnection>> {
        self.read().get(&to)?.connection.clone()
    }

    /// Notes that a connection to this peer is to be kept up; true the first time.
    pub fn want(&self, peer: PeerId) -> bool {
        if self.read().get(&peer).is_some_and(|place| place.wanted) {
            return false;
        }
        !std::mem::replace(&mut self.write().entry(peer).or_default().wanted, true)
    }

    /// Takes a new connection into use; an older one of the same peer is a predecessor's and ends.
    pub fn join(&self, connection: &Arc<MediaConnection>) {
        let older = {
            let mut places = self.write();
            let place = places.entry(connection.peer).or_default();
            place.fault = None;
            place.connection.replace(connection.clone())
        };
        if let Some(older) = older {
            older.quic.close(CLOSE_REPLACED, b"replaced by a newer connection of the same peer");
        }
    }

    /// Takes an ended connection out of use, unless a newer one has taken its place.
    pub fn leave(&self, connection: &Arc<MediaConnection>) {
        if let Some(place) = self.write().get_mut(&connection.peer)
            && place.connection.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection))
        {
            place.connection = None;
        }
    }

    /// Notes why a peer was not reached; true if that is news.
    pub fn fail(&self, peer: PeerId, why: &str) -> bool {
        let mut places = self.write();
        let fault = &mut places.entry(peer).or_default().fault;
        let news = fault.as_deref() != Some(why);
        *fault = Some(why.to_owned());
        news
    }

    /// Forgets all connections and gives them to the caller.
    pub fn part(&self) -> Vec<Arc<MediaConnection>> {
        self.write().values_mut().filter_map(|place| place.connection.take()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PeerId, Place>> {
        self.by_peer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerId, Place>> {
        self.by_peer.write().unwrap_or_else(PoisonError::into_inner)
    }
}
