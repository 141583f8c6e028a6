//! The sockets: one address that every node shares, and one of the node's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use strowger_model::Mono;
use strowger_sip::MAX_DATAGRAM_BYTES;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::ingress::{Incoming, Verdict, judge};

/// Messages between the sockets and the one who takes them. Beyond, datagrams are dropped and repeated by their
/// senders: at 10 000 messages a second this is 0.4 s.
const BACKLOG: usize = 4096;
/// Kernel buffer of a socket: 2 s of 1 000 INVITEs a second at 1 KiB.
const SOCKET_BUFFER_BYTES: usize = 2 << 20;

#[derive(Clone, Debug)]
pub struct Options {
    /// The address that any live node answers; all nodes on a machine bind it together.
    pub shared: SocketAddr,
    /// This node's own address.
    pub own: Option<SocketAddr>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP on udp {address}: {cause}; {advice}")]
pub struct EdgeError {
    address: SocketAddr,
    cause: std::io::Error,
    advice: &'static str,
}

#[derive(Default, Debug)]
pub struct Counters {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub answered_here: AtomicU64,
    pub dropped: AtomicU64,
    /// Not sent because the node was passive.
    pub withheld: AtomicU64,
}

/// A handle to the sockets; clones share them.
#[derive(Clone)]
pub struct Edge {
    inner: Arc<Inner>,
}

struct Inner {
    shared: UdpSocket,
    own: Option<UdpSocket>,
    /// Microseconds of the process's clock until which the node is active; a passive node sends nothing.
    active_until: AtomicU64,
    clock: fn() -> Mono,
    counters: Counters,
}

impl Edge {
    /// Binds and begins to receive. What is worth attention comes out of the receiver.
    /// Passive until told otherwise; `clock` is read before every send.
    pub fn start(options: &Options, clock: fn() -> Mono) -> Result<(Edge, mpsc::Receiver<Incoming>), EdgeError> {
        let shared = bind(options.shared, true)?;
        let own = options.own.map(|address| bind(address, false)).transpose()?;
        let inner =
            Arc::new(Inner { shared, own, active_until: AtomicU64::new(0), clock, counters: Counters::default() });
        let (out, incoming) = mpsc::channel(BACKLOG);
        let edge = Edge { inner };
        tokio::spawn(receive(edge.clone(), out.clone(), Which::Shared));
        if options.own.is_some() {
            tokio::spawn(receive(edge.clone(), out, Which::Own));
        }
        Ok((edge, incoming))
    }

    /// Sends from the shared address. A full kernel buffer drops the datagram, as the network may.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let counters = &self.inner.counters;
        if self.is_passive() {
            counters.withheld.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.inner.shared.try_send_to(bytes, to) {
            Ok(_) => counters.sent.fetch_add(1, Ordering::Relaxed),
            Err(_) => counters.dropped.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// The node may act until then. A process that was stopped meanwhile finds the time past before it sends a word.
    pub fn set_active_until(&self, until: Mono) {
        self.inner.active_until.store(until.0, Ordering::Relaxed);
    }

    pub fn is_passive(&self) -> bool {
        (self.inner.clock)().0 >= self.inner.active_until.load(Ordering::Relaxed)
    }

    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    fn socket(&self, which: Which) -> Option<&UdpSocket> {
        match which {
            Which::Shared => Some(&self.inner.shared),
            Which::Own => self.inner.own.as_ref(),
        }
    }
}

#[derive(Clone, Copy)]
enum Which {
    Shared,
    Own,
}

async fn receive(edge: Edge, out: mpsc::Sender<Incoming>, which: Which) {
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    while let Some(socket) = edge.socket(which) {
        // An error here is an ICMP answer to something we sent; the socket lives on.
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else { continue };
        let counters = edge.counters();
        counters.received.fetch_add(1, Ordering::Relaxed);
        match judge(&buffer[..length], source) {
            Verdict::Take(incoming) => {
                if out.try_send(*incoming).is_err() {
                    counters.dropped.fetch_add(1, Ordering::Relaxed);
                    if out.is_closed() {
                        return;
                    }
                }
            }
            Verdict::Answer { to, bytes } => {
                counters.answered_here.fetch_add(1, Ordering::Relaxed);
                edge.send(to, &bytes);
            }
            Verdict::Drop(why) => {
                tracing::trace!(%source, why, "datagram dropped");
                counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn bind(address: SocketAddr, shared: bool) -> Result<UdpSocket, EdgeError> {
    let open = || -> std::io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Several nodes on one machine answer one address: the kernel spreads senders over them.
        socket.set_reuse_port(shared)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|cause| EdgeError {
        address,
        advice: match cause.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program has that port: stop it, or set another address under [sip] in the node's file"
            }
            std::io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address: set one it has under [sip] in the node's file"
            }
            _ => "see the cause",
        },
        cause,
    })
}
