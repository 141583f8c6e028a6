//! The server and the client on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::world::{World, example};
use serde_json::json;
use strowger_api::{ApiError, Client, ClientError, Hosts, Metrics, Options, archive, limit, serve, serve_metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const FIXED: &str = "a-token-for-the-demonstration";

#[tokio::test(flavor = "multi_thread")]
async fn the_client_gets_what_the_server_says() {
    let world = World::start().await;
    let options =
        Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: Some(FIXED.to_owned()) };
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

    let again = Options { listen: running.local_addr, hosts: Hosts::default(), metrics: Metrics::Anyone, token: None };
    let fault = serve(again, world.context.clone()).await.unwrap_err().to_string();
    assert!(
        fault.contains(&running.local_addr.to_string()) && fault.contains("another process has the port"),
        "{fault}"
    );
    let weak = Options {
        listen: ANY_PORT,
        hosts: Hosts::default(),
        metrics: Metrics::Anyone,
        token: Some("secret".to_owned()),
    };
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
    let running = serve_metrics(ANY_PORT, Hosts::default(), text, stopping.clone()).await.unwrap();
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
    let running = serve_metrics(ANY_PORT, Hosts::default(), text, Default::default()).await.unwrap();
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

/// Says all of it, and reads the head of the answer; none: the connection ended without one.
async fn head_of(address: SocketAddr, said: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be answered while we still talk.
    let _sent = stream.write_all(said).await;
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer or an end")
}

async fn status_of(address: SocketAddr, said: &str) -> String {
    let head = head_of(address, said.as_bytes()).await.unwrap_or_default();
    head.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// A page of another site whose name points here (DNS rebinding) reads nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_another_host_is_told_nothing() {
    let world = World::start().await;
    let hosts = Hosts::from_iter(["board.example.com".to_owned()]);
    let options = Options { listen: ANY_PORT, hosts, metrics: Metrics::Anyone, token: None };
    let running = serve(options, world.context.clone()).await.unwrap();
    let get = async |path: &str, host: &str| {
        let token = &world.admin;
        let said = format!("GET {path} HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        status_of(running.local_addr, &said).await
    };
    let address = running.local_addr;
    for path in ["/", "/wallboard.js", "/metrics", "/health/live", "/api/v1/status", "/api/v1/events"] {
        assert_eq!(get(path, "Host: evil.example\r\n").await, "421", "{path}");
        assert_eq!(get(path, "").await, "400", "{path}");
        assert_eq!(get(path, "Host: 127.0.0.1\r\nHost: evil.example\r\n").await, "400", "{path}");
        for host in [&*address.to_string(), "localhost:8081", "board.example.com", "node-1"] {
            assert_eq!(get(path, &format!("Host: {host}\r\n")).await, "200", "{path} at {host}");
        }
    }
    assert_eq!(get("http://evil.example/metrics", "Host: 127.0.0.1\r\n").await, "421");
    assert_eq!(status_of(address, "GET /health/live HTTP/1.0\r\n\r\n").await, "200", "no browser");
    running.close().await;
}

#[tokio::test]
async fn heads_are_of_bounded_size() {
    let text: strowger_api::Text = Arc::new(|| Box::pin(async { String::new() }));
    let running = serve_metrics(ANY_PORT, Hosts::default(), text, strowger_api::Stopping::default()).await.unwrap();
    let head = |lines: &str| format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let long = |bytes: usize| format!("X: {}\r\n", "a".repeat(bytes));
    let many = |count: usize| "X: a\r\n".repeat(count);
    for (lines, status) in [
        (long(limit::HEAD_BYTES / 2), "200"),
        // The bound is that of a read buffer: what comes in one piece may be somewhat longer.
        (long(2 * limit::HEAD_BYTES), "431"),
        (long(1 << 20), "431"),
        (many(50), "200"),
        (many(5000), "431"),
    ] {
        assert_eq!(status_of(running.local_addr, &head(&lines)).await, status, "{} bytes", lines.len());
    }
    let path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20));
    assert!(["414", "431"].contains(&&*status_of(running.local_addr, &path).await));
}

/// Kilobytes of memory that this process has now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A body of 120 MB where a command of 64 KiB belongs.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_not_kept_and_holds_up_nobody() {
    const BYTES: usize = 120 << 20;
    let world = World::start().await;
    let options = Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: None };
    let running = serve(options, world.context.clone()).await.unwrap();
    let address = running.local_addr;
    let head = |path: &str, length: &str| {
        let token = &world.admin;
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{length}\r\n")
    };
    // Who asks before it sends need not send.
    let polite = |bytes: usize| format!("Content-Length: {bytes}\r\nExpect: 100-continue\r\n");
    assert_eq!(status_of(address, &head("/api/v1/tokens", &polite(BYTES))).await, "413");
    assert_eq!(status_of(address, &head("/api/v1/config", &polite(limit::CONFIG_BODY_BYTES + 1))).await, "413");
    let before = resident();
    let mut all = tokio::task::JoinSet::new();
    for length in [format!("Content-Length: {BYTES}\r\n"), "Transfer-Encoding: chunked\r\n".to_owned()] {
        let is_chunked = length.starts_with('T');
        let head = head("/api/v1/tokens", &length);
        all.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut chunk = vec![b'['; 1 << 20];
            if is_chunked {
                chunk.splice(..0, *b"100000\r\n");
                chunk.extend(b"\r\n");
            }
            for _ in 0..BYTES >> 20 {
                // It is answered after five seconds, however much is still to come.
                if stream.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            if is_chunked {
                let _end = stream.write_all(b"0\r\n\r\n").await;
            }
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 413");
        });
    }
    let mut slowest = Duration::ZERO;
    while !all.is_empty() {
        let begun = std::time::Instant::now();
        assert_eq!(
            status_of(address, "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await,
            "200"
        );
        slowest = slowest.max(begun.elapsed());
        let grown = resident().saturating_sub(before);
        assert!(grown < 32 << 10, "{grown} KB more are held");
        tokio::time::sleep(Duration::from_millis(10)).await;
        if let Some(sent) = all.try_join_next() {
            sent.unwrap();
        }
    }
    assert!(slowest < Duration::from_secs(2), "a probe took {slowest:?}");
    running.close().await;
}

/// A body without a good token is neither waited for, however slowly it comes, nor taken in for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_token_is_bounded_in_time_and_bytes() {
    let world = World::start().await;
    let options = Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: None };
    let running = serve(options, world.context.clone()).await.unwrap();
    let address = running.local_addr;
    let ask = async |token: &str| {
        let length = limit::REFUSED_BODY_BYTES * 4;
        let head = format!("POST /api/v1/config HTTP/1.1\r\nHost: x\r\n{token}Content-Length: {length}\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    for token in ["", "Authorization: Bearer nobody-made-this-one\r\n"] {
        let (begun, mut stream, mut answer) = (std::time::Instant::now(), ask(token).await, Vec::new());
        loop {
            let _sent = stream.write_all(b"x").await;
            if tokio::time::timeout(Duration::from_millis(50), stream.read_to_end(&mut answer)).await.is_ok() {
                break;
            }
            assert!(begun.elapsed() < 2 * limit::REFUSED_BODY, "it is still heard");
        }
        assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    }
    let (mut stream, chunk, mut sent) = (ask("").await, vec![b'x'; 1 << 20], 0);
    while stream.write_all(&chunk).await.is_ok() {
        sent += chunk.len();
    }
    // What stands between the two sockets besides.
    assert!(sent <= limit::REFUSED_BODY_BYTES + (64 << 20), "{sent} bytes were taken in");
    running.close().await;
}
