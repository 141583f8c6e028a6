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

impl Codec {
    /// Payload type that we give telephone-event in our own offers: the number nearly everyone uses (RFC 4733, RFC 3551
    /// leaves 96 to 127 to choose from).
    pub const OFFERED_EVENT_TYPE: u8 = 101;

    /// Whether a packet that came with this payload type is a key press. A far end that gives them another number than we
    /// offered may send ours (RFC 3264 sections 5.1 and 6.1: each side says what it wants to receive) or its own.
    pub fn is_event(self, payload_type: u8) -> bool {
        self.dtmf_payload_type.is_some_and(|theirs| [theirs, Self::OFFERED_EVENT_TYPE].contains(&payload_type))
    }
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
