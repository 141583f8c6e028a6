//! Sockets: who may connect, how long, and how it ends.
//!
//! Not `axum::serve`, because that knows no deadline for the head of a request: a few hundred clients that say nothing
//! would hold all connections.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Extensions;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::ApiError;
use crate::hosts::{Hosts, asked_by_name};
use crate::limit;
use crate::seats::{Kept, Seat, Seats};

/// After a failed accept, mostly for want of file descriptors: a moment in which some may be given back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server in the background; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The port that was given where 0 was asked for.
    pub local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// For answers that would go on for ever: resolves when the server is to end.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub async fn asked(&mut self) {
        stop_is_asked(&mut self.0).await;
    }
}

/// Who is at the other end of a request's connection.
#[derive(Clone)]
pub struct Peer {
    address: SocketAddr,
    seat: Arc<Seat>,
}

impl Peer {
    /// None without a socket, as in tests.
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The address, without its port, as lists and logs show it.
    pub fn host(extensions: &Extensions) -> String {
        Self::of(extensions).map_or_else(|| "-".to_owned(), |peer| peer.ip().to_string())
    }

    /// Of the connection: what a proxy says of those behind it is not known to be true.
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    /// From now on it makes room like one that is asked nothing, though an answer is to come.
    pub fn may_go(&self) {
        self.seat.rests();
    }

    /// Ends the connection, whatever was still to be said.
    pub fn hang_up(&self) {
        self.seat.leave();
    }
}

impl Running {
    /// Takes no more requests and gives those under way a moment.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        // It fails only if it panicked, which tokio has told.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn serve(address: SocketAddr, hosts: Hosts, router: Router) -> Result<Running, ApiError> {
    let fault = |source: std::io::Error| {
        let advice = advice(source.kind());
        ApiError::Bind { address, source, advice }
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let local_addr = listener.local_addr().map_err(fault)?;
    let (stop, stopped) = watch::channel(false);
    let router = router.layer(Extension(Stopping(stopped.clone()))).layer(from_fn_with_state(hosts, asked_by_name));
    let task = tokio::spawn(accept(listener, router, Seats::new(limit::CONNECTIONS), limit::HEAD, stopped));
    Ok(Running { local_addr, stop, task })
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => {
            "another process has the port: see `ss -ltnp` for which, or configure another `listen` under [http]"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address: correct `listen` under [http]",
        ErrorKind::PermissionDenied => "ports below 1024 need rights: configure a higher one as `listen` under [http]",
        _ => "check `listen` under [http]",
    }
}

/// `head` is how long a request's head may take.
async fn accept(
    listener: TcpListener,
    router: Router,
    seats: Arc<Seats>,
    head: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Dropped with this task, which ends all connections.
    let mut connections = JoinSet::new();
    loop {
        // Only then a place: one that somebody makes room for is for somebody who is there.
        let next = async {
            let accepted = listener.accept().await;
            (seats.take().await, accepted)
        };
        let (seat, accepted) = tokio::select! {
            next = next => next,
            () = stopping(&mut stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, address)) => {
                let peer = Peer { address, seat: Arc::new(seat) };
                connections.spawn(drive(stream, router.clone(), peer, head, stopped.clone()));
            }
            Err(fault) => {
                tracing::warn!(%fault, "no HTTP connection can be accepted; are there enough file descriptors?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limit::CLOSE, all).await.is_err() {
        tracing::info!("HTTP requests were cut off");
    }
}

/// Holds no guard across an await, as the answer of `wait_for` would.
async fn stop_is_asked(stopped: &mut watch::Receiver<bool>) {
    // The sender gone is a stop too.
    let _asked = stopped.wait_for(|stop| *stop).await.is_ok();
}

async fn drive(stream: TcpStream, router: Router, peer: Peer, head: Duration, mut stopped: watch::Receiver<bool>) {
    let (router, seat) = (TowerToHyperService::new(router), peer.seat.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let (answer, answering) = (router.call(request), peer.seat.is_asked());
        async move { answer.await.map(|answer| answer.map(|body| Kept::new(body, answering))) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(limit::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.is_over() => return,
        () = stop_is_asked(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(fault) = ended {
        tracing::debug!(%fault, "an HTTP connection broke");
    }
}

/// Also when the handle is gone.
async fn stopping(stopped: &mut watch::Receiver<bool>) {
    let _stop_or_gone = stopped.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const PLACES: usize = 8;
    /// Less than what is not wanted is heard out for.
    const SOON: Duration = Duration::from_secs(4);
    const PROBE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn ask(address: SocketAddr, said: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be told to go while it talks.
        let _sent = stream.write_all(said).await;
        stream
    }

    /// The server runs as long as what comes with its address is kept.
    async fn start(head: Duration) -> (SocketAddr, watch::Sender<bool>, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let refuse = |request| async { crate::body::hear_out(request).await };
        let router = Router::new().route("/health/live", get(|| async { "well" })).route("/refused", post(refuse));
        let mut server = JoinSet::new();
        server.spawn(accept(listener, router, Seats::new(PLACES), head, stopped));
        (address, stop, server)
    }

    /// As many connections as there are places and more, which say nothing, half a head, nothing more, or the beginning
    /// of a body that nobody wants.
    #[tokio::test]
    async fn who_asks_nothing_holds_up_no_probe() {
        let (address, _stop, _server) = start(limit::HEAD).await;
        let unwanted = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf";
        for said in [&b""[..], &PROBE[..30], PROBE, unwanted] {
            let mut silent = Vec::new();
            for _ in 0..3 * PLACES {
                silent.push(ask(address, said).await);
            }
            let mut probe = ask(address, PROBE).await;
            let mut answer = [0; 15];
            let read = timeout(SOON, probe.read_exact(&mut answer)).await;
            read.unwrap_or_else(|_| panic!("no answer beside {}", String::from_utf8_lossy(said))).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
        }
    }

    /// A head that comes byte by byte gets no longer than one that stops.
    #[tokio::test]
    async fn a_slow_head_is_cut_off() {
        let head = Duration::from_millis(300);
        let (address, _stop, _server) = start(head).await;
        let mut stream = ask(address, &PROBE[..30]).await;
        let (begun, mut answer) = (tokio::time::Instant::now(), Vec::new());
        loop {
            assert!(begun.elapsed() < SOON, "it still waits for the head");
            let _sent = stream.write_all(b"x").await;
            if timeout(head / 10, stream.read_to_end(&mut answer)).await.is_ok() {
                break;
            }
        }
        assert!(begun.elapsed() >= head / 2 && !answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
}
