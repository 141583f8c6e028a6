//! First packets of whoever, hundreds of them: they cost little, are answered with less than they bring, and peers come in
//! all the same.

mod bench;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::{connected, node, start_any};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::UdpSocket;

/// As QUIC pads them (RFC 9000, 14.1).
const FIRST_BYTES: usize = 1200;
const FLOOD: usize = 300;

/// What a dialler sends first, each of another connection.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let nowhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = nowhere.local_addr().unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let mut tls = builder
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"strowger-link/1".to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let mut all = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    let mut bytes = [0; 2048];
    while all.len() < count {
        let dialling = endpoint.connect_with(config.clone(), to, "node-1").unwrap();
        let length = nowhere.recv(&mut bytes).await.unwrap();
        drop(dialling);
        // Others say that a connection was given up.
        let id = bytes[6..6 + usize::from(bytes[5]).min(20)].to_vec();
        if is_of_kind(bytes[0], 0) && length == FIRST_BYTES && known.insert(id) {
            all.push(bytes[..length].to_vec());
        }
    }
    all
}

/// Of a packet with a long header: 0 Initial, 3 Retry (RFC 9000, 17.2).
fn is_of_kind(first: u8, kind: u8) -> bool {
    first >> 6 == 0b11 && (first >> 4) & 0b11 == kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_first_packets_is_answered_with_less_and_peers_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let (link, _probe) = start_any(dir.path(), node(2), &[]).await;
    let to: SocketAddr = link.local_addr();
    let packets = first_packets(FLOOD).await;
    let somebody = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());

    let (stop, from, again) = (Arc::new(AtomicBool::new(false)), somebody.clone(), packets.clone());
    let stopped = stop.clone();
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while !stopped.load(Ordering::Relaxed) {
            for packet in &again {
                sent += from.send_to(packet, to).await.unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent
    });
    let (mut answered, mut retries) = (0, 0);
    let mut bytes = [0; 2048];
    let mut peer = None;
    while retries < FLOOD || peer.is_none() {
        if retries > 0 && peer.is_none() {
            // In the middle of it.
            let (one, probe) = start_any(dir.path(), node(1), &[(node(2), to)]).await;
            connected(&one, node(2)).await;
            peer = Some((one, probe));
        }
        let length =
            tokio::time::timeout(bench::PATIENCE, somebody.recv(&mut bytes)).await.expect("an answer").unwrap();
        answered += length;
        retries += usize::from(is_of_kind(bytes[0], 3));
    }
    stop.store(true, Ordering::Relaxed);
    let sent = flood.await.unwrap();
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(50), somebody.recv(&mut bytes)).await {
        answered += length;
    }
    assert!(answered < sent, "{answered} bytes for {sent}");
}
