//! Relays that know each other over real links on loopback, and a node that owns the calls.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{Class, Handler, Identity, Link, Options, Reply, open, seal};
use strowger_media::protocol::{Answers, Commands, Events};
use strowger_media::{Hears, Law, Op, RelayAnswer, RelayCommand, What};
use strowger_model::{CallId, LegKey, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::{Relay, RelayConfig};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{LOOPBACK, PATIENCE, Phone};

struct Ear(UnboundedSender<What>);

impl Handler for Ear {
    fn on_cast(&self, _: PeerId, _: Class, body: Bytes) {
        for event in open::<Events>(&body).unwrap().list {
            let _ = self.0.send(event.what);
        }
    }

    fn on_ask(&self, _: PeerId, _: Class, _: Bytes, _: Reply) {}
}

/// Relays 1, 2, … with as many threads: legs are spread differently on each.
pub struct Relays {
    pub list: Vec<Relay>,
    pub node: Link,
    pub events: UnboundedReceiver<What>,
    pub identities: TempDir,
    /// Number of the last order to hear something.
    no: AtomicU64,
}

pub async fn relay(id: RelayId, listen: SocketAddr, identities: &Path) -> Relay {
    let config = RelayConfig {
        id,
        link_listen: listen,
        identity: Identity::development(identities, PeerId::Relay(id)).unwrap(),
        peers: vec![],
        address: LOOPBACK,
        advertise: None,
        ports: 20_000..30_000,
        others: Vec::new(),
        refused: Vec::new(),
        threads: usize::from(id.0),
        content_dir: None,
        dead_media: None,
    };
    Relay::start(config).await.unwrap()
}

impl Relays {
    pub async fn start(count: u16) -> Relays {
        let identities = tempfile::tempdir().unwrap();
        let any = (LOOPBACK, 0).into();
        let mut list = Vec::new();
        for id in 1..=count {
            list.push(relay(RelayId(id), any, identities.path()).await);
        }
        let places = |but: Option<u16>| {
            let all = list.iter().zip(1..).filter(move |(_, id)| Some(*id) != but);
            all.map(|(relay, id)| (RelayId(id), relay.link_addr())).collect::<Vec<_>>()
        };
        list.iter().zip(1..).for_each(|(relay, id)| relay.join_relays(places(Some(id))));
        let (sender, events) = unbounded_channel();
        let me = PeerId::Node(NodeId(1));
        let peers = places(None).into_iter().map(|(id, address)| (PeerId::Relay(id), address)).collect();
        let identity = Identity::development(identities.path(), me).unwrap();
        let options = Options { me, listen: any, identity, layout: 0, peers };
        let node = Link::start(options, Arc::new(Ear(sender))).await.unwrap();
        let relays = Relays { list, node, events, identities, no: AtomicU64::new(0) };
        relays.up().await;
        relays
    }

    /// Waits for all connections.
    pub async fn up(&self) {
        let all = || (1..).take(self.list.len()).map(RelayId);
        let linked = || all().all(|relay| self.node.connected(PeerId::Relay(relay)));
        eventually("the node's links", linked).await;
        // The meter of a hop is made by the first export.
        for relay in all() {
            self.open(relay, CallId(0), LegNo(relay.0)).await;
            let to = all().filter(|other| *other != relay).collect();
            self.done(relay, CallId(0), Op::Export { leg: LegNo(relay.0), to }).await;
        }
        let up = |relay: &Relay| relay.hops().iter().filter(|hop| hop.link.is_some()).count() == self.list.len() - 1;
        eventually("the hops", || self.list.iter().all(up)).await;
    }

    pub async fn order(&self, relay: RelayId, call: CallId, op: Op) -> RelayAnswer {
        let body = seal(&Commands { list: vec![RelayCommand { call, epoch: 1, op }] });
        let answer = self.node.ask(PeerId::Relay(relay), Class::Relay, body, PATIENCE).await.unwrap();
        open::<Answers>(&answer).unwrap().list.remove(0)
    }

    pub async fn done(&self, relay: RelayId, call: CallId, op: Op) {
        assert_eq!(self.order(relay, call, op).await, RelayAnswer::Done);
    }

    pub async fn open(&self, relay: RelayId, call: CallId, leg: LegNo) -> SocketAddr {
        let answer = self.order(relay, call, Op::Open { leg }).await;
        let RelayAnswer::Opened { rtp, .. } = answer else { panic!("{answer:?}") };
        rtp
    }

    pub async fn phone(&self, relay: RelayId, key: LegKey, law: Law) -> Phone {
        let phone = Phone::new(self.open(relay, key.call, key.leg).await, law);
        self.done(relay, key.call, phone.remote(key.leg, true, true)).await;
        phone
    }

    /// By an order newer than all before.
    pub async fn hear(&self, relay: RelayId, leg: LegKey, what: Hears) {
        let no = self.no.fetch_add(1, Ordering::Relaxed) + 1;
        self.done(relay, leg.call, Op::Hear { leg: leg.leg, what, no }).await;
    }

    pub async fn export(&self, relay: RelayId, leg: LegKey, to: Vec<RelayId>) {
        self.done(relay, leg.call, Op::Export { leg: leg.leg, to }).await;
    }
}

pub async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
