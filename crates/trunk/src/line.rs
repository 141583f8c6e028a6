//! One TCP connection: messages in, messages out, until it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use strowger_model::Far;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::edge::Edge;
use crate::framing::{Frame, Framer, Garbage};
use crate::ingress::Verdict;
use crate::lines::{Held, Opened};

/// A connection over which no message has come by then is closed: it only takes the place of another.
const FIRST_MESSAGE_WITHIN: Duration = Duration::from_secs(30);
/// From a message's first byte to its last; a far end that is well sends them together.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);
/// A connection without a byte for so long is closed. Longer than the longest registration (3600 s): a phone that sends no
/// keep-alives is called over the connection it registered on.
const IDLE: Duration = Duration::from_secs(3700);
/// A far end that takes no byte of a message for so long does not read any more: its connection is closed.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// A connection on a LAN takes 1 ms, over the world 300 ms and with one lost packet 1.3 s; a phone that is not there
/// should cost the caller no more than a few rings.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A far end that vanished without a word is found out by the kernel: after a minute's silence it asks every 15 s.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
/// Most bytes taken at once, on the stack.
const READ_BYTES: usize = 8192;

#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the far end closed it")]
    Closed,
    #[error(transparent)]
    Garbage(#[from] Garbage),
    #[error("it was silent for too long")]
    Idle,
    #[error("a message did not come to its end in time")]
    Unfinished,
    #[error("the far end does not read")]
    Slow,
    #[error(transparent)]
    Broken(#[from] std::io::Error),
    #[error("nobody takes messages any more")]
    Deaf,
}

/// Carries messages both ways until the connection ends.
pub(crate) async fn run(edge: Edge, stream: TcpStream, peer: SocketAddr, opened: Opened, mut held: Held) {
    // Neither is needed for the messages to arrive.
    let _ = stream.set_nodelay(true);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&probes);
    let (line, over) = (held.line, held.over.clone());
    let far = Far { line: Some(line), ..Far::tcp(peer) };
    let (reading, writing) = stream.into_split();
    let end = tokio::select! {
        Err(end) = read(&edge, &reading, far, opened) => end,
        Err(end) = write(&edge, writing, &mut held) => end,
        () = over.notified() => End::Slow,
        () = edge.deaf() => End::Deaf,
    };
    edge.lines().close(line);
    let counters = edge.counters();
    match &end {
        End::Garbage(_) => {
            counters.garbage.fetch_add(1, Ordering::Relaxed);
            tracing::info!(%peer, why = %end, "SIP connection closed");
        }
        End::Slow => {
            counters.slow.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%peer, why = %end, "SIP connection closed");
        }
        _ => tracing::debug!(%peer, why = %end, "SIP connection closed"),
    }
}

async fn read(edge: &Edge, reading: &OwnedReadHalf, far: Far, opened: Opened) -> Result<std::convert::Infallible, End> {
    let mut framer = Framer::default();
    let opened_at = Instant::now();
    let mut heard = opened == Opened::Dialled;
    let mut message_began = None;
    loop {
        while let Some(frame) = framer.next()? {
            message_began = None;
            match frame {
                Frame::Message(bytes) => {
                    heard = true;
                    take(edge, &bytes, far).await?;
                }
                Frame::Ping if edge.known().has(far) => edge.send(far, b"\r\n"),
                Frame::Ping => {}
            }
        }
        let now = Instant::now();
        if framer.is_within() && message_began.is_none() {
            message_began = Some(now);
        }
        let (deadline, late) = match message_began {
            Some(began) => (began + MESSAGE_WITHIN, End::Unfinished),
            None => (silent_until(now, opened_at, heard), End::Idle),
        };
        match timeout_at(deadline, reading.readable()).await {
            Ok(ready) => ready?,
            Err(_) => return Err(late),
        }
        // Not held over an await: thousands of idle lines need no buffer each.
        let mut buffer = [0; READ_BYTES];
        match reading.try_read(&mut buffer) {
            Ok(0) => return Err(End::Closed),
            Ok(length) => framer.push(&buffer[..length]),
            Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(cause) => return Err(cause.into()),
        }
    }
}

/// A line that has brought a message may rest between messages, and any byte begins its rest anew; one that has brought
/// none does not stay for its keep-alives.
fn silent_until(now: Instant, opened_at: Instant, heard: bool) -> Instant {
    if heard { now + IDLE } else { opened_at + FIRST_MESSAGE_WITHIN }
}

/// Waits for whoever takes messages rather than dropping them: nobody would send them again. A passive node takes
/// none, so that what has come meanwhile is heard when it is active again, or by another node if it never is.
async fn take(edge: &Edge, bytes: &[u8], far: Far) -> Result<(), End> {
    edge.until_active().await;
    let counters = edge.counters();
    counters.received.fetch_add(1, Ordering::Relaxed);
    match edge.judge().judge(bytes, far) {
        Verdict::Take(incoming) => edge.hand_over(*incoming).await.map_err(|()| End::Deaf)?,
        Verdict::Answer { to, bytes } => {
            counters.answered_here.fetch_add(1, Ordering::Relaxed);
            edge.send(to, &bytes);
        }
        Verdict::Garbage => return Err(Garbage::Malformed.into()),
        Verdict::Drop(why) => {
            tracing::trace!(peer = %far.addr, why, "message dropped");
            counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn write(edge: &Edge, mut writing: OwnedWriteHalf, held: &mut Held) -> Result<std::convert::Infallible, End> {
    while let Some(bytes) = held.next().await {
        edge.until_active().await;
        timeout(WRITE_WITHIN, writing.write_all(&bytes)).await.map_err(|_| End::Slow)??;
        edge.counters().sent.fetch_add(1, Ordering::Relaxed);
    }
    Err(End::Closed)
}

/// Connects for what waits in `held`, and goes on as any line. What cannot be delivered is refused here.
pub(crate) async fn dial(edge: Edge, to: SocketAddr, mut held: Held) {
    tokio::select! {
        () = edge.until_active() => {}
        () = edge.deaf() => return edge.lines().close(held.line),
    }
    match timeout(CONNECT_WITHIN, connect(edge.own_ip(), to)).await {
        Ok(Ok(stream)) => run(edge, stream, to, Opened::Dialled, held).await,
        failed => {
            let why = match failed {
                Ok(Err(cause)) => cause.to_string(),
                _ => format!("no answer within {} s", CONNECT_WITHIN.as_secs()),
            };
            edge.lines().close(held.line);
            tracing::debug!(%to, why, "no SIP connection");
            for bytes in held.rest() {
                edge.counters().dropped.fetch_add(1, Ordering::Relaxed);
                if let Some(refusal) = edge.judge().undelivered(&bytes, Far::tcp(to)) {
                    // Nobody is left to be told.
                    let _deaf = edge.hand_over(refusal).await;
                }
            }
        }
    }
}

/// From the node's own address: on the one that all share, the far end's packets might come to another node.
async fn connect(own: Option<IpAddr>, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(ip) = own.filter(|ip| ip.is_ipv4() == to.is_ipv4() && !ip.is_unspecified()) {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.connect(to).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_that_says_nothing_loses_its_place_and_a_phone_keeps_its_own() {
        let opened_at = Instant::now();
        let later = opened_at + Duration::from_secs(20);
        assert_eq!(
            silent_until(later, opened_at, false),
            opened_at + FIRST_MESSAGE_WITHIN,
            "whatever it sends meanwhile"
        );
        assert_eq!(silent_until(later, opened_at, true), later + IDLE);
        let longest_registration = Duration::from_secs(3600);
        assert!(IDLE > longest_registration);
    }
}
