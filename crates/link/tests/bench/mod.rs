//! What the link's tests share: peers on loopback, a handler that does as the first byte of a body says.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{Class, Handler, Identity, Link, LinkError, Options, Reply};
use strowger_model::{NodeId, PeerId, RelayId};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn node(number: u16) -> PeerId {
    PeerId::Node(NodeId(number))
}

pub fn relay(number: u16) -> PeerId {
    PeerId::Relay(RelayId(number))
}

/// Bodies that tell the handler what to do with an ask; all else is echoed.
pub const DROP: &[u8] = b"drop";
pub const KEEP: &[u8] = b"keep";
pub const BIG: &[u8] = b"big answer";
/// A cast that stops its reader until `Probe::gate` is released.
pub const BLOCK: &[u8] = b"block";

/// Notes casts, answers asks.
#[derive(Default)]
pub struct Probe {
    pub casts: Mutex<Vec<(PeerId, Class, Bytes)>>,
    pub kept: Mutex<Vec<Reply>>,
    pub gate: Mutex<()>,
}

impl Handler for Probe {
    fn on_cast(&self, from: PeerId, class: Class, body: Bytes) {
        if body == BLOCK {
            drop(self.gate.lock().unwrap());
        }
        self.casts.lock().unwrap().push((from, class, body));
    }

    fn on_ask(&self, _from: PeerId, class: Class, body: Bytes, reply: Reply) {
        match &body[..] {
            DROP => {}
            KEEP => self.kept.lock().unwrap().push(reply),
            BIG => reply.send(vec![0; class.limits().body_bytes + 1]),
            _ => reply.send(body),
        }
    }
}

pub async fn start(
    dir: &Path,
    me: PeerId,
    listen: SocketAddr,
    peers: &[(PeerId, SocketAddr)],
) -> Result<(Link, Arc<Probe>), LinkError> {
    let probe = Arc::new(Probe::default());
    let identity = Identity::development(dir, me).unwrap();
    let options = Options { me, listen, identity, layout: 0, peers: peers.to_vec() };
    Ok((Link::start(options, probe.clone()).await?, probe))
}

pub async fn start_any(dir: &Path, me: PeerId, peers: &[(PeerId, SocketAddr)]) -> (Link, Arc<Probe>) {
    start(dir, me, loopback(), peers).await.unwrap()
}

/// Two peers that are connected both ways; the first dials.
pub async fn pair(dir: &Path) -> ((Link, Arc<Probe>), (Link, Arc<Probe>)) {
    let two = start_any(dir, node(2), &[]).await;
    let one = start_any(dir, node(1), &[(node(2), two.0.local_addr())]).await;
    connected(&one.0, node(2)).await;
    connected(&two.0, node(1)).await;
    (one, two)
}

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub async fn connected(link: &Link, to: PeerId) {
    eventually(&format!("{} connects to {to}", link.me()), || link.connected(to)).await;
}

/// Waits until something is so.
pub async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a peer's fault reads as expected.
pub async fn fault(link: &Link, of: PeerId, words: &str) {
    let mut last = String::new();
    let deadline = Instant::now() + PATIENCE;
    while !last.contains(words) {
        assert!(Instant::now() < deadline, "expected `{words}`, last `{last}`");
        tokio::time::sleep(Duration::from_millis(2)).await;
        let stats = link.stats();
        last = stats.into_iter().find(|stat| stat.peer == of).and_then(|stat| stat.fault).unwrap_or_default();
    }
}
