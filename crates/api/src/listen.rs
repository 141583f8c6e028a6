//! Sockets: who may connect, how long, and how it ends.
//!
//! Not `axum::serve`, because that knows no deadline for the head of a request: a few hundred clients that say nothing
//! would hold all connections.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::ApiError;
use crate::limit;

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

pub async fn serve(address: SocketAddr, router: Router) -> Result<Running, ApiError> {
    let fault = |source: std::io::Error| {
        let advice = advice(source.kind());
        ApiError::Bind { address, source, advice }
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let local_addr = listener.local_addr().map_err(fault)?;
    let (stop, stopped) = watch::channel(false);
    let router = router.layer(Extension(Stopping(stopped.clone())));
    let task = tokio::spawn(accept(listener, router, stopped));
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

async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limit::CONNECTIONS));
    // Dropped with this task, which ends all connections.
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stopping(&mut stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let driven = drive(stream, router.clone(), stopped.clone());
                connections.spawn(async move {
                    driven.await;
                    drop(place);
                });
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

async fn drive(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit::HEAD)
        .max_buf_size(limit::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
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
