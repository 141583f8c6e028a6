//! The relay as nodes meet it: over the link, with owners that die.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strowger_audio::tone::Tone;
use strowger_link::{Class, Handler, Identity, Link, Options, Reply, Wire, open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{Hears, Law, Op, PlayState, RelayAnswer, RelayCommand, RelayEvent, RelayStats, What};
use strowger_model::{Incarnation, NodeId, PeerId, RelayId};
use strowger_relay::{Relay, RelayConfig};
use support::{A, B, CALL, LOOPBACK, PATIENCE, Phone, content, key, music};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const RELAY: PeerId = PeerId::Relay(RelayId(1));

struct Node {
    link: Link,
    epoch: u64,
    events: UnboundedReceiver<Events>,
}

struct Ear(UnboundedSender<Events>);

impl Handler for Ear {
    fn on_cast(&self, _: PeerId, _: Class, body: Bytes) {
        let _ = self.0.send(open(&body).unwrap());
    }

    fn on_ask(&self, _: PeerId, _: Class, _: Bytes, _: Reply) {}
}

impl Node {
    async fn start(number: u16, identities: &std::path::Path, relay: SocketAddr) -> Node {
        let me = PeerId::Node(NodeId(number));
        let (sender, events) = unbounded_channel();
        let identity = Identity::development(identities, me).unwrap();
        let options = Options { me, listen: (LOOPBACK, 0).into(), identity, layout: 0, peers: vec![(RELAY, relay)] };
        let link = Link::start(options, Arc::new(Ear(sender))).await.unwrap();
        let connected = async {
            while !link.connected(RELAY) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.expect("a connection");
        Node { link, epoch: u64::from(number), events }
    }

    async fn ask<Q: Wire, R: Wire>(&self, class: Class, question: &Q) -> R {
        open(&self.link.ask(RELAY, class, seal(question), PATIENCE).await.unwrap()).unwrap()
    }

    async fn order(&self, op: Op) -> RelayAnswer {
        self.answers(op).await.list.remove(0)
    }

    async fn answers(&self, op: Op) -> Answers {
        let list = vec![RelayCommand { call: CALL, epoch: self.epoch, op }];
        self.ask(Class::Relay, &Commands { list }).await
    }

    async fn incarnation(&self) -> Incarnation {
        self.answers(Op::Adopt { leg: A }).await.incarnation
    }

    async fn phone(&self, leg: strowger_model::LegNo, law: Law) -> Phone {
        let answer = self.order(Op::Open { leg }).await;
        let RelayAnswer::Opened { rtp, .. } = answer else { panic!("{answer:?}") };
        let phone = Phone::new(rtp, law);
        assert_eq!(self.order(phone.remote(leg, true, true)).await, RelayAnswer::Done);
        phone
    }

    /// The sums once the calls are gone from them: they are published ten times a second.
    async fn stats_of_no_calls(&self) -> RelayStats {
        let poll = async {
            loop {
                let stats: RelayStats = self.ask(Class::Relay, &StatsAsk { reserved: 0 }).await;
                if stats.calls == 0 {
                    return stats;
                }
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.expect("the call gone from the sums")
    }

    async fn event(&mut self) -> RelayEvent {
        let events = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event").unwrap();
        assert_eq!((events.incarnation, events.list.len()), (self.incarnation().await, 1));
        events.list[0].clone()
    }
}

async fn relay(identities: &std::path::Path) -> Relay {
    let config = RelayConfig {
        id: RelayId(1),
        link_listen: (LOOPBACK, 0).into(),
        identity: Identity::development(identities, RELAY).unwrap(),
        peers: vec![],
        address: LOOPBACK,
        advertise: None,
        ports: 20_000..30_000,
        others: Vec::new(),
        refused: Vec::new(),
        threads: 1,
        content_dir: None,
        dead_media: None,
    };
    Relay::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_dies_and_the_next_one_goes_on() {
    let identities = tempfile::tempdir().unwrap();
    let identities = identities.path();
    let relay = relay(identities).await;
    let mut first = Node::start(1, identities, relay.link_addr()).await;
    let (mut caller, mut agent) = (first.phone(A, Law::Mu).await, first.phone(B, Law::A).await);

    let piece = music(1000.0, 500);
    let play = Op::Hear { leg: A, what: content(piece.digest, true, 1), no: 1 };
    assert_eq!(first.order(play.clone()).await, RelayAnswer::NeedContent { content: piece.digest });
    let put = ContentPut { digest: piece.digest, bytes: piece.bytes };
    assert_eq!(first.ask::<_, ContentAnswer>(Class::Content, &put).await, ContentAnswer { refused: None });
    assert_eq!(first.order(play).await, RelayAnswer::Done);
    caller.press(7, true, 800);
    caller.header.timestamp += 1600;
    assert_eq!(first.event().await.what, What::Digit { digit: b'7' });

    // The node is gone without a word: music plays on, and a digit waits for the next owner.
    first.link.close().await;
    drop(first);
    let [thousand] = caller.hear_tones([1000.0], 25);
    assert!(thousand > 0.95);
    caller.press(8, true, 800);

    let mut second = Node::start(2, identities, relay.link_addr()).await;
    let answer = second.order(Op::Adopt { leg: A }).await;
    let RelayAnswer::Snapshot { leg, missed } = answer else { panic!("{answer:?}") };
    assert_eq!((leg.play, leg.no), (Some(PlayState::Playing), 1));
    let digits: Vec<&What> = missed.iter().map(|event| &event.what).collect();
    assert_eq!(digits, [&What::Digit { digit: b'7' }, &What::Digit { digit: b'8' }]);

    for (leg, other) in [(A, B), (B, A)] {
        let hear = Op::Hear { leg, what: Hears::leg(key(other)), no: 2 };
        assert_eq!(second.order(hear).await, RelayAnswer::Done);
    }
    while !caller.is_deaf() {}
    agent.say(&mut Tone::single(440.0, 8000.0), 10);
    let [low] = caller.hear_tones([440.0], 10);
    assert!(low > 0.95);
    agent.press(1, true, 800);
    assert_eq!(second.event().await.leg, B);
    for leg in [A, B] {
        let closed = second.order(Op::CloseLeg { leg }).await;
        assert!(matches!(&closed, RelayAnswer::Closed { .. }), "{closed:?}");
    }
    let stats = second.stats_of_no_calls().await;
    assert!(stats.packets_out > 30 && stats.content_bytes == 4000, "{stats:?}");
    assert_eq!(relay.stats().content_bytes, stats.content_bytes);
    relay.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_restarts_says_so() {
    let identities = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let relay = relay(identities.path()).await;
        let node = Node::start(1, identities.path(), relay.link_addr()).await;
        seen.push(node.incarnation().await);
        assert_eq!(node.incarnation().await, seen[seen.len() - 1]);
        relay.close().await;
    }
    assert_ne!(seen[0], seen[1]);
}
