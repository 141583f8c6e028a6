//! Media connections between peers in one process, over real sockets on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strowger_link::{
    Class, Handler, Identity, Link, MEDIA_DATAGRAM_BYTES, MediaOptions, MediaStats, Options, Reply, SendFault,
};
use strowger_model::{PeerId, RelayId};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const ONE: PeerId = PeerId::Relay(RelayId(1));
const TWO: PeerId = PeerId::Relay(RelayId(2));

#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<(PeerId, Bytes)>>,
}

/// A datagram that makes the ear panic.
const PANIC: &[u8] = b"panic";

impl Handler for Ear {
    fn on_cast(&self, _: PeerId, _: Class, _: Bytes) {}

    fn on_ask(&self, _: PeerId, _: Class, body: Bytes, reply: Reply) {
        reply.send(body);
    }

    fn on_media(&self, from: PeerId, datagram: Bytes) {
        assert!(datagram != PANIC, "as told");
        self.heard.lock().unwrap().push((from, datagram));
    }
}

async fn start(dir: &Path, me: PeerId, listen: SocketAddr, peers: &[(PeerId, SocketAddr)]) -> (Link, Arc<Ear>) {
    let ear = Arc::new(Ear::default());
    let identity = Identity::development(dir, me).unwrap();
    let options = Options { me, listen, identity, layout: 0, peers: peers.to_vec() };
    let link = Link::start_with_media(options, MediaOptions { streams: 100 }, ear.clone()).await;
    (link.unwrap(), ear)
}

async fn pair(dir: &Path) -> ((Link, Arc<Ear>), (Link, Arc<Ear>)) {
    let two = start(dir, TWO, "127.0.0.1:0".parse().unwrap(), &[]).await;
    let one = start(dir, ONE, "127.0.0.1:0".parse().unwrap(), &[(TWO, two.0.local_addr())]).await;
    assert_eq!(one.0.send_media(TWO, Bytes::from("x")), Err(SendFault::NotConnected));
    for _ in 0..2 {
        one.0.open_media(TWO);
        two.0.open_media(ONE);
    }
    up(&one.0, TWO).await;
    up(&two.0, ONE).await;
    (one, two)
}

async fn up(link: &Link, to: PeerId) -> MediaStats {
    eventually("a media connection", || link.media_stats(to).is_some()).await;
    link.media_stats(to).unwrap()
}

async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_cross_both_ways_beside_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, ear_one), (two, ear_two)) = pair(dir.path()).await;
    let largest = Bytes::from(vec![7; MEDIA_DATAGRAM_BYTES]);
    // From a thread that tokio does not know, as media threads are.
    std::thread::scope(|scope| {
        scope.spawn(|| one.send_media(TWO, largest.clone()).unwrap());
        scope.spawn(|| two.send_media(ONE, Bytes::from("back")).unwrap());
    });
    eventually("both", || ear_one.heard.lock().unwrap().len() + ear_two.heard.lock().unwrap().len() == 2).await;
    assert_eq!(*ear_one.heard.lock().unwrap(), [(TWO, Bytes::from("back"))]);
    assert_eq!(*ear_two.heard.lock().unwrap(), [(ONE, largest.clone())]);
    let stats = one.media_stats(TWO).unwrap();
    assert_eq!((stats.sent, stats.received, stats.send_dropped), (1, 1, 0), "{stats:?}");
    assert!(stats.max_datagram >= MEDIA_DATAGRAM_BYTES && stats.rtt > Duration::ZERO, "{stats:?}");
    let long = Bytes::from(vec![0; stats.max_datagram + 1]);
    let refused = SendFault::TooLarge { found: long.len(), limit: stats.max_datagram };
    assert_eq!(one.send_media(TWO, long), Err(refused));
    eventually("the commands' connection", || one.connected(TWO)).await;
    let answer = one.ask(TWO, Class::Command, "commands go on", PATIENCE).await;
    assert_eq!(answer, Ok(Bytes::from("commands go on")));
    two.close().await;
    eventually("one notices", || one.media_stats(TWO).is_none()).await;
    assert_eq!(two.send_media(ONE, largest), Err(SendFault::Closed));
}

/// One thread, so that nothing leaves between two sendings: what waits is bounded, and the newest stays.
#[tokio::test]
async fn the_oldest_makes_room_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _ear), (_two, ear)) = pair(dir.path()).await;
    const MANY: u32 = 1000;
    for number in 0..MANY {
        let mut datagram = vec![0; 1000];
        datagram[..4].copy_from_slice(&number.to_le_bytes());
        one.send_media(TWO, datagram.into()).unwrap();
    }
    // The burst may be more than the kernel's buffer, which loses the end of it.
    eventually("some of them", || ear.heard.lock().unwrap().len() > 50).await;
    let stats = one.media_stats(TWO).unwrap();
    assert_eq!(stats.sent, u64::from(MANY));
    // 256 KiB are 254 of them with QUIC's bookkeeping.
    assert!((700..=800).contains(&stats.send_dropped), "{stats:?}");
    let heard = ear.heard.lock().unwrap();
    let oldest = heard.iter().map(|(_, datagram)| u32::from_le_bytes(*datagram.first_chunk().unwrap())).min().unwrap();
    assert!(oldest >= 700, "{oldest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_peer_and_a_panicking_handler_get_a_new_connection() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, ear), (two, _)) = pair(dir.path()).await;
    let listen = two.local_addr();
    two.close().await;
    drop(two);
    // The socket goes with the last task that holds it, a moment later.
    tokio::task::spawn_blocking(move || while std::net::UdpSocket::bind(listen).is_err() {}).await.unwrap();
    let (two, ear_two) = start(dir.path(), TWO, listen, &[]).await;
    let mut number = 0u32;
    while ear_two.heard.lock().unwrap().is_empty() {
        number += 1;
        assert!(number < 10_000, "no new connection");
        let _ = one.send_media(TWO, Bytes::from("again"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    up(&two, ONE).await;
    two.send_media(ONE, Bytes::from_static(PANIC)).unwrap();
    eventually("the end", || one.media_stats(TWO).is_none_or(|stats| stats.received == 0)).await;
    while ear.heard.lock().unwrap().is_empty() {
        number += 1;
        assert!(number < 10_000, "no new connection");
        let _ = two.send_media(ONE, Bytes::from("after the panic"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
