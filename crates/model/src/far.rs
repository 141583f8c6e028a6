//! Where a far end's SIP is.

use std::net::SocketAddr;

use crate::NodeId;

/// The highest `q` of a Contact, in thousandths, which is also that of one without (RFC 3261 sections 16.6 and 25.1).
pub const HIGHEST_Q: u16 = 1000;

/// How SIP travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Transport {
    /// A datagram may be lost: requests are repeated until they are answered.
    Udp,
    /// A connection brings everything once, or breaks.
    Tcp,
}

impl Transport {
    /// What is handed over arrives while the connection lives: nothing is sent again (RFC 3261 section 17).
    pub fn is_reliable(self) -> bool {
        self == Transport::Tcp
    }

    /// As a Via names it (RFC 3261 section 20.42).
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// What a URI of ours says of it. UDP is what a URI means without a word (RFC 3263 section 4.1).
    pub fn uri_parameter(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        }
    }
}

/// A TCP connection, and the node that holds it: what goes to the connection goes through that node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Line {
    /// Who holds it.
    pub node: NodeId,
    /// No two processes of a node give the same number, so a line of an earlier one is known to be gone.
    pub number: u64,
}

/// Where packets for a far end go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Far {
    /// How packets go there.
    pub transport: Transport,
    /// Over TCP, whom to connect to when the line is gone.
    pub addr: SocketAddr,
    /// The connection that leads there, while it lives; none over UDP.
    pub line: Option<Line>,
}

impl Far {
    /// Over UDP.
    pub fn udp(addr: impl Into<SocketAddr>) -> Far {
        Far { transport: Transport::Udp, addr: addr.into(), line: None }
    }

    /// To be connected to.
    pub fn tcp(addr: impl Into<SocketAddr>) -> Far {
        Far { transport: Transport::Tcp, addr: addr.into(), line: None }
    }
}
