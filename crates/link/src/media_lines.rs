//! The media connections of all peers.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use strowger_model::PeerId;

use crate::hello::CLOSE_REPLACED;
use crate::media_line::MediaLine;

#[derive(Default)]
pub struct MediaLines {
    by_peer: RwLock<BTreeMap<PeerId, Place>>,
}

#[derive(Default)]
struct Place {
    wanted: bool,
    line: Option<Arc<MediaLine>>,
    /// Why there is none.
    fault: Option<String>,
}

impl MediaLines {
    pub fn line(&self, to: PeerId) -> Option<Arc<MediaLine>> {
        self.read().get(&to)?.line.clone()
    }

    /// Notes that a line to this peer is to be kept up; true the first time.
    pub fn want(&self, peer: PeerId) -> bool {
        if self.read().get(&peer).is_some_and(|place| place.wanted) {
            return false;
        }
        !std::mem::replace(&mut self.write().entry(peer).or_default().wanted, true)
    }

    /// Takes a new line into use; an older one of the same peer is a predecessor's and ends.
    pub fn join(&self, line: &Arc<MediaLine>) {
        let older = {
            let mut places = self.write();
            let place = places.entry(line.peer).or_default();
            place.fault = None;
            place.line.replace(line.clone())
        };
        if let Some(older) = older {
            older.quic.close(CLOSE_REPLACED, b"replaced by a newer connection of the same peer");
        }
    }

    /// Takes an ended line out of use, unless a newer one has taken its place.
    pub fn leave(&self, line: &Arc<MediaLine>) {
        if let Some(place) = self.write().get_mut(&line.peer)
            && place.line.as_ref().is_some_and(|now| Arc::ptr_eq(now, line))
        {
            place.line = None;
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

    /// Forgets all lines and gives them to the caller.
    pub fn part(&self) -> Vec<Arc<MediaLine>> {
        self.write().values_mut().filter_map(|place| place.line.take()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PeerId, Place>> {
        self.by_peer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerId, Place>> {
        self.by_peer.write().unwrap_or_else(PoisonError::into_inner)
    }
}
