//! The sockets: one address that every node shares, and one of the node's own, each over UDP and TCP.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strowger_model::{Far, Mono, NodeId, Transport};
use strowger_sip::{MAX_DATAGRAM_BYTES, TokenKeys};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, mpsc};

use crate::bind::{self, EdgeError};
use crate::ingress::{Incoming, Judge, Verdict};
use crate::known::Known;
use crate::line;
use crate::lines::{Lines, MAX_CONNECTIONS, Opened, Posted};
use crate::places;

/// Messages between the sockets and the one who takes them. Beyond, datagrams are dropped and repeated by their
/// senders, and connections are not read from: at 10 000 messages a second this is 0.4 s.
const BACKLOG: usize = 4096;
/// A pause when the system gives no more connections: it has no file descriptors left, and asking again at once
/// would only take the processor too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the node listens.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address that any live node answers; all nodes on a machine bind it together.
    pub shared: SocketAddr,
    /// This node's own address.
    pub own: Option<SocketAddr>,
}

/// What the sockets have seen since the start; messages, unless it says otherwise.
#[derive(Default, Debug)]
pub struct Counters {
    /// Came.
    pub received: AtomicU64,
    /// Went out.
    pub sent: AtomicU64,
    /// Answered without anybody else: malformed, refused at sight, OPTIONS.
    pub answered_here: AtomicU64,
    /// Taken no notice of, or not to be sent.
    pub dropped: AtomicU64,
    /// Of those: INVITEs from addresses of no trunk.
    pub strangers: AtomicU64,
    /// Not sent, or over TCP not yet, because the node was passive.
    pub withheld: AtomicU64,
    /// Connections closed because what came was no SIP.
    pub garbage: AtomicU64,
    /// Connections closed because the far end did not read.
    pub slow: AtomicU64,
    /// Connections refused because there were too many.
    pub crowded: AtomicU64,
}

/// A handle to the sockets; clones share them.
#[derive(Clone)]
pub struct Edge {
    inner: Arc<Inner>,
}

struct Inner {
    shared: UdpSocket,
    own: Option<UdpSocket>,
    own_ip: Option<IpAddr>,
    judge: Judge,
    lines: Lines,
    out: mpsc::Sender<Incoming>,
    /// Microseconds of the process's clock until which the node is active; a passive node sends nothing.
    active_until: AtomicU64,
    /// It is active again.
    activated: Notify,
    clock: fn() -> Mono,
    counters: Counters,
}

impl Edge {
    /// Binds and begins to receive. What is worth attention comes out of the receiver; with that every socket closes.
    /// Passive until told otherwise; `clock` is read before every send. `me` holds the connections. With `tokens` messages
    /// are known to be a leg's.
    pub fn start(
        me: NodeId,
        options: &Options,
        tokens: TokenKeys,
        clock: fn() -> Mono,
    ) -> Result<(Edge, mpsc::Receiver<Incoming>), EdgeError> {
        let shared = bind::udp(options.shared, true)?;
        let own = options.own.map(|address| bind::udp(address, false)).transpose()?;
        let mut listeners = vec![bind::tcp(options.shared, true)?];
        listeners.extend(options.own.map(|address| bind::tcp(address, false)).transpose()?);
        let (out, incoming) = mpsc::channel(BACKLOG);
        let inner = Inner {
            shared,
            own,
            own_ip: options.own.map(|address| address.ip()),
            judge: Judge::new(tokens),
            lines: Lines::new(me, places::allowed(MAX_CONNECTIONS)),
            out,
            active_until: AtomicU64::new(0),
            activated: Notify::new(),
            clock,
            counters: Counters::default(),
        };
        let edge = Edge { inner: Arc::new(inner) };
        tokio::spawn(receive(edge.clone(), Which::Shared));
        if options.own.is_some() {
            tokio::spawn(receive(edge.clone(), Which::Own));
        }
        listeners.into_iter().for_each(|listener| drop(tokio::spawn(accept(edge.clone(), listener))));
        Ok((edge, incoming))
    }

    /// Over UDP from the shared address, where a full kernel buffer drops the datagram, as the network may. Over TCP
    /// by the line it names, by another to that address, or by a new one.
    pub fn send(&self, to: Far, bytes: &[u8]) {
        let passive = self.is_passive();
        let counters = self.counters();
        if passive {
            counters.withheld.fetch_add(1, Ordering::Relaxed);
        }
        match to.transport {
            // It is sent again when the node is active.
            Transport::Udp if passive => {}
            Transport::Udp => {
                match self.inner.shared.try_send_to(bytes, to.addr) {
                    Ok(_) => counters.sent.fetch_add(1, Ordering::Relaxed),
                    Err(_) => counters.dropped.fetch_add(1, Ordering::Relaxed),
                };
            }
            // It waits in its line, and goes out when the node is active or never.
            Transport::Tcp => self.post(to, bytes),
        }
    }

    fn post(&self, to: Far, bytes: &[u8]) {
        match self.inner.lines.post(to, bytes) {
            Posted::Waiting => return,
            Posted::TooSlow => {}
            Posted::NoLine => {
                if let Some(held) = self.inner.lines.open(to.addr, Opened::Dialled) {
                    // There is room on a new line.
                    let _waiting = self.inner.lines.post(Far { line: Some(held.line), ..to }, bytes);
                    tokio::spawn(line::dial(self.clone(), to.addr, held));
                    return;
                }
            }
        }
        self.counters().dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(refusal) = self.judge().undelivered(bytes, to) {
            let edge = self.clone();
            tokio::spawn(async move { edge.hear_again(refusal).await });
        }
    }

    /// The node may act until then. A process that was stopped meanwhile finds the time past before it sends a word.
    pub fn set_active_until(&self, until: Mono) {
        self.inner.active_until.store(until.0, Ordering::Relaxed);
        // Whether it was passive before nobody can say: time goes on between a look and the store.
        if !self.is_passive() {
            self.inner.activated.notify_waiters();
        }
    }

    /// Whether the node may not act now.
    pub fn is_passive(&self) -> bool {
        (self.inner.clock)().0 >= self.inner.active_until.load(Ordering::Relaxed)
    }

    /// What the sockets have seen.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Knows a leg's messages by these tokens from now on, whatever came before.
    pub fn renew(&self, tokens: TokenKeys) {
        self.judge().renew(tokens);
    }

    /// Whom it answers.
    pub fn known(&self) -> &Known {
        &self.inner.judge.known
    }

    /// TCP connections, open or being opened.
    pub fn connections(&self) -> usize {
        self.inner.lines.len()
    }

    pub(crate) fn judge(&self) -> &Judge {
        &self.inner.judge
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.inner.lines
    }

    pub(crate) fn own_ip(&self) -> Option<IpAddr> {
        self.inner.own_ip
    }

    /// Returns at once while the node is active.
    pub async fn until_active(&self) {
        loop {
            // Before the look, so that no change falls between.
            let activated = self.inner.activated.notified();
            if !self.is_passive() {
                return;
            }
            activated.await;
        }
    }

    /// Returns when nobody takes messages any more: the node ends.
    pub(crate) async fn deaf(&self) {
        self.inner.out.closed().await;
    }

    /// What came before is taken as if it came now, or when the node is active.
    pub async fn hear_again(&self, incoming: Incoming) {
        tokio::select! {
            () = self.until_active() => {}
            () = self.deaf() => return,
        }
        // Nobody is left to be told.
        let _deaf = self.hand_over(incoming).await;
    }

    /// Waits for room; an error if nobody takes messages any more.
    pub(crate) async fn hand_over(&self, incoming: Incoming) -> Result<(), ()> {
        self.inner.out.send(incoming).await.map_err(|_| ())
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

async fn receive(edge: Edge, which: Which) {
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    let mut deaf = pin!(edge.deaf());
    while let Some(socket) = edge.socket(which) {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = &mut deaf => return,
        };
        // An error here is an ICMP answer to something we sent; the socket lives on.
        let Ok((length, source)) = received else { continue };
        let counters = edge.counters();
        counters.received.fetch_add(1, Ordering::Relaxed);
        let why = match edge.judge().judge(&buffer[..length], Far::udp(source)) {
            Verdict::Take(incoming) => match edge.inner.out.try_send(*incoming) {
                Ok(()) => continue,
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(_)) => "backlog",
            },
            Verdict::Answer { to, bytes } => {
                counters.answered_here.fetch_add(1, Ordering::Relaxed);
                edge.send(to, &bytes);
                continue;
            }
            Verdict::Drop(why) => why,
            Verdict::Stranger => {
                counters.strangers.fetch_add(1, Ordering::Relaxed);
                "strangers"
            }
            Verdict::Garbage => "malformed",
        };
        tracing::trace!(%source, why, "datagram dropped");
        counters.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

async fn accept(edge: Edge, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = edge.deaf() => return,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let opened = if edge.known().has(Far::tcp(peer)) { Opened::Accepted } else { Opened::ByStranger };
        match edge.lines().open(peer, opened) {
            Some(held) => drop(tokio::spawn(line::run(edge.clone(), stream, peer, opened, held))),
            None => {
                tracing::debug!(%peer, "too many SIP connections");
                edge.counters().crowded.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
