//! How one leg's packets get to its far end and who may send any back: today plain RTP over UDP.

use std::net::SocketAddr;

use strowger_model::{Codec, MediaAddr};

use crate::ports::Pair;

pub(crate) struct Transport {
    pub(crate) pair: Pair,
    remote: Option<Remote>,
}

/// The far end as the dialog says, and what was learned of it since.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) media: MediaAddr,
    pub(crate) send: bool,
    pub(crate) receive: bool,
    /// Where RTP really comes from. Only the port may differ from the signalled address, and only once: that is how media
    /// passes a NAT without letting strangers in.
    pub(crate) latched: Option<SocketAddr>,
}

impl Transport {
    pub(crate) fn new(pair: Pair) -> Self {
        Self { pair, remote: None }
    }

    /// Sets where the far end is. The same address again changes direction only; another one latches anew. True if
    /// something is expected of it from now on.
    pub(crate) fn point(&mut self, media: MediaAddr, send: bool, receive: bool) -> bool {
        let before = self.remote.take();
        let latched = before.as_ref().filter(|old| old.media.rtp == media.rtp).and_then(|old| old.latched);
        self.remote = Some(Remote { media, send, receive, latched });
        receive && !before.is_some_and(|old| old.receive)
    }

    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The far end, if RTP from there is its own.
    pub(crate) fn sender(&self, from: SocketAddr) -> Option<&Remote> {
        self.remote.as_ref().filter(|remote| remote.expects(from))
    }

    /// Whether RTCP from there is the far end's.
    pub(crate) fn expects_rtcp(&self, from: SocketAddr) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.media.rtcp.ip() == from.ip())
    }

    /// Holds to where media comes from; that address, if it is news.
    pub(crate) fn latch(&mut self, from: SocketAddr) -> Option<SocketAddr> {
        let remote = self.remote.as_mut().filter(|remote| remote.latched.is_none())?;
        remote.latched = Some(from);
        (from != remote.media.rtp).then_some(from)
    }

    /// Where its voice goes and how it is coded; none on hold.
    pub(crate) fn destination(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.as_ref().filter(|remote| remote.send)?;
        Some((remote.latched.unwrap_or(remote.media.rtp), remote.media.codec))
    }
}

impl Remote {
    fn expects(&self, from: SocketAddr) -> bool {
        match self.latched {
            Some(latched) => latched == from,
            None => self.media.rtp.ip() == from.ip(),
        }
    }
}
