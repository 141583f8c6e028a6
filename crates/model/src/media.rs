//! Where media goes and how it is coded.

use std::net::SocketAddr;

/// The two companding laws of G.711 (ITU-T G.711, 11/1988).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum Law {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

impl Law {
    /// Static payload type (RFC 3551, table 4).
    pub fn payload_type(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }
}

/// What two sides agreed to send each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Codec {
    /// Of all voice, both ways.
    pub law: Law,
    /// Payload type of telephone-event (RFC 4733), when the far end speaks it.
    pub dtmf_payload_type: Option<u8>,
}

/// A far end's media: where it wants to receive and what.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct MediaAddr {
    /// Where RTP goes (`c=` and `m=` of its SDP).
    pub rtp: SocketAddr,
    /// RTP port + 1 unless `a=rtcp` says otherwise (RFC 3605).
    pub rtcp: SocketAddr,
    /// How it is coded.
    pub codec: Codec,
}
