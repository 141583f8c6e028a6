//! How one leg's packets get to its far end and who may send any back: today plain RTP over UDP.

use std::net::SocketAddr;
use std::ops::Range;

use strowger_audio::rtp::Header;
use strowger_model::{Codec, MediaAddr, Mono};

use crate::origin::{Origin, Whose};
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
    origin: Origin,
}

impl Transport {
    pub(crate) fn new(pair: Pair) -> Self {
        Self { pair, remote: None }
    }

    /// Sets where the far end is. The same address again changes direction only; at another one it is found anew. True if
    /// something is expected of it from now on.
    pub(crate) fn point(&mut self, (media, ours): (MediaAddr, Range<u16>), send: bool, receive: bool) -> bool {
        let before = self.remote.take();
        let origin = before.as_ref().filter(|old| old.media.rtp == media.rtp).map(|old| old.origin.clone());
        let origin = origin.unwrap_or_else(|| Origin::new(media.rtp, ours));
        self.remote = Some(Remote { media, send, receive, origin });
        receive && !before.is_some_and(|old| old.receive)
    }

    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The far end, if a datagram from there may be its own.
    pub(crate) fn near(&self, from: SocketAddr) -> Option<&Remote> {
        self.remote.as_ref().filter(|remote| remote.origin.is_near(from))
    }

    /// Whose an RTP packet is.
    pub(crate) fn judge(&mut self, from: SocketAddr, header: &Header, now: Mono) -> Whose {
        self.remote.as_mut().map_or(Whose::Stranger, |remote| remote.origin.judge(from, header, now))
    }

    /// Whether RTCP from there is the far end's: on a port of its own, or beside its RTP (RFC 5761).
    pub(crate) fn expects_rtcp(&self, from: SocketAddr) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.media.rtcp.ip() == from.ip())
    }

    /// The source that the far end sends as, once RTP came.
    pub(crate) fn source(&self) -> Option<u32> {
        self.remote.as_ref().and_then(|remote| remote.origin.ssrc())
    }

    /// Where its voice goes and how it is coded; none on hold.
    pub(crate) fn destination(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.as_ref().filter(|remote| remote.send)?;
        Some((remote.origin.addr(), remote.media.codec))
    }
}

impl Remote {
    /// Where its RTP comes from, once it does.
    pub(crate) fn latched(&self) -> Option<SocketAddr> {
        self.origin.latched()
    }

    /// Whether it comes from where the far end is.
    pub(crate) fn is_there(&self, from: SocketAddr) -> bool {
        self.origin.is_there(from)
    }
}
