//! The server and the client on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::world::{World, example};
use serde_json::json;
use strowger_api::{ApiError, Client, ClientError, Metrics, Options, archive, serve, serve_metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const FIXED: &str = "a-token-for-the-demonstration";

#[tokio::test(flavor = "multi_thread")]
async fn the_client_gets_what_the_server_says() {
    let world = World::start().await;
    let options = Options { listen: ANY_PORT, metrics: Metrics::Anyone, token: Some(FIXED.to_owned()) };
    let running = serve(options, world.context.clone()).await.unwrap();
    let client = Client::new(running.local_addr.to_string(), Some(FIXED.to_owned()));
    let granted = async {
        while client.get("/api/v1/status").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), granted).await.expect("the fixed token is granted");
    assert!(client.get_text("/metrics").await.unwrap().contains("strowger_node"));
    let applied = client.post("/api/v1/config", &archive(&example(), false)).await.unwrap();
    assert_eq!(applied["version"], 1);

    let mut bad = example();
    bad.0.insert("tenants/acme.toml".to_owned(), b"name = acme".to_vec());
    let fault = client.post("/api/v1/config", &archive(&bad, false)).await.unwrap_err();
    let text = fault.to_string();
    assert!(text.contains("\n  tenants/acme.toml:1:"), "{text}");

    let stranger = Client::new(running.local_addr.to_string(), None);
    let fault = stranger.get("/api/v1/status").await.unwrap_err();
    assert!(matches!(&fault, ClientError::Refused { status: 401, code, .. } if code == "no_token"), "{fault}");

    // The refusal comes long before the server could have read all of this.
    let large = json!({ "files": { "a.wav": "A".repeat(32 << 20) } });
    let fault = stranger.post("/api/v1/config", &large).await.unwrap_err();
    assert!(matches!(&fault, ClientError::Refused { status: 401, .. }), "{fault}");

    let again = Options { listen: running.local_addr, metrics: Metrics::Anyone, token: None };
    let fault = serve(again, world.context.clone()).await.unwrap_err().to_string();
    assert!(
        fault.contains(&running.local_addr.to_string()) && fault.contains("another process has the port"),
        "{fault}"
    );
    let weak = Options { listen: ANY_PORT, metrics: Metrics::Anyone, token: Some("secret".to_owned()) };
    assert!(matches!(serve(weak, world.context.clone()).await, Err(ApiError::WeakToken)));

    let address = running.local_addr.to_string();
    running.close().await;
    let fault = Client::new(address.clone(), None).get("/health/live").await.unwrap_err();
    assert!(matches!(fault, ClientError::NoNode { .. }) && fault.to_string().contains(&address), "{fault}");
}

#[tokio::test]
async fn a_relay_serves_its_metrics() {
    let text: strowger_api::Text = Arc::new(|| Box::pin(async { "# HELP x y\n# TYPE x gauge\nx 1\n".to_owned() }));
    let stopping = strowger_api::Stopping::default();
    let running = serve_metrics(ANY_PORT, text, stopping.clone()).await.unwrap();
    let client = Client::new(running.local_addr.to_string(), None);
    assert!(client.get_text("/metrics").await.unwrap().ends_with("x 1\n"));
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(client.get(path).await.unwrap(), json!({ "ok": true }));
    }
    let fault = client.get("/api/v1/status").await.unwrap_err();
    assert!(matches!(fault, ClientError::Refused { status: 404, .. }), "{fault}");
    stopping.store(true, Ordering::Relaxed);
    let fault = client.get("/health/ready").await.unwrap_err();
    let is_told = matches!(&fault, ClientError::Refused { status: 503, .. }) && fault.to_string().contains("stopping");
    assert!(is_told, "who is told to end is ready for nothing more: {fault}");
    assert_eq!(client.get("/health/live").await.unwrap(), json!({ "ok": true }));
    let address = running.local_addr;
    drop(running);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("a dropped server ends");
}

#[tokio::test]
async fn nonsense_harms_nobody() {
    let text: strowger_api::Text = Arc::new(|| Box::pin(async { String::new() }));
    let running = serve_metrics(ANY_PORT, text, Default::default()).await.unwrap();
    for nonsense in [&b"\0\xff\r\n\r\n"[..], b"GET", b"GET / HTTP/9.9\r\n\r\n", &[b'a'; 100_000]] {
        let mut stream = TcpStream::connect(running.local_addr).await.unwrap();
        // It may be cut off while we still talk.
        let _sent = stream.write_all(nonsense).await;
        let _shut = stream.shutdown().await;
        let mut answer = Vec::new();
        let _read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("ended");
    }
    let client = Client::new(running.local_addr.to_string(), None);
    assert_eq!(client.get("/health/live").await.unwrap(), json!({ "ok": true }));
}
