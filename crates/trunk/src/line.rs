//! One TCP connection: messages in, messages out, until it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
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
use crate::unanswered::Unanswered;

/// A connection over which no message has come by then is closed, and so is one, whatever has come, whose far end is a
/// stranger still: it only takes the place of another. A phone has registered long before.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
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
    #[error("whoever is there is no trunk and has registered no phone")]
    Stranger,
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
    let unanswered = Mutex::new(Unanswered::default());
    let end = tokio::select! {
        Err(end) = read(&edge, &reading, far, opened, &unanswered) => end,
        Err(end) = write(&edge, writing, &mut held, &unanswered) => end,
        () = over.notified() => End::Slow,
        () = edge.deaf() => End::Deaf,
    };
    edge.lines().close(line);
    let counters = edge.counters();
    match &end {
        End::Garbage(_) => {
            counters.garbage.fetch_add(1, Ordering::Relaxed);
            // A stranger's, of whom there may be thousands, is no news.
            if edge.known().has(far) {
                tracing::info!(%peer, why = %end, "SIP connection closed");
            } else {
                tracing::debug!(%peer, why = %end, "a stranger's SIP connection closed");
            }
        }
        End::Slow => {
            counters.slow.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%peer, why = %end, "SIP connection closed");
        }
        _ => tracing::debug!(%peer, why = %end, "SIP connection closed"),
    }
    let unanswered = unanswered.into_inner().unwrap_or_else(PoisonError::into_inner).rest(Instant::now());
    refuse(&edge, unanswered.chain(held.rest()), far).await;
}

/// Whoever sent what could not be brought to its far end, or nobody knows to be there, is told at once.
async fn refuse(edge: &Edge, undone: impl Iterator<Item = Vec<u8>>, to: Far) {
    for bytes in undone {
        edge.counters().dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(refusal) = edge.judge().undelivered(&bytes, to) {
            edge.hear_again(refusal).await;
        }
    }
}

async fn read(
    edge: &Edge,
    reading: &OwnedReadHalf,
    far: Far,
    opened: Opened,
    unanswered: &Mutex<Unanswered>,
) -> Result<std::convert::Infallible, End> {
    let mut framer = Framer::default();
    let opened_at = Instant::now();
    let mut heard = opened == Opened::Dialled;
    let mut is_known = opened != Opened::ByStranger;
    let mut message_began = None;
    loop {
        while let Some(frame) = framer.next()? {
            message_began = None;
            match frame {
                Frame::Message(bytes) => {
                    heard = true;
                    take(edge, &bytes, far, unanswered).await?;
                }
                Frame::Ping if edge.known().has(far) => edge.send(far, b"\r\n"),
                Frame::Ping => {}
            }
        }
        let now = Instant::now();
        if framer.is_within() && message_began.is_none() {
            message_began = Some(now);
        }
        if !is_known && edge.known().has(far) {
            is_known = true;
            far.line.into_iter().for_each(|line| edge.lines().is_known(line));
        }
        let (deadline, late) = until(now, &Patience { opened_at, heard, is_known, message_began });
        // Also for who sends so fast that there is always something to read.
        let ready = if deadline <= now { None } else { timeout_at(deadline, reading.readable()).await.ok() };
        match ready {
            Some(ready) => ready?,
            // It has registered since, and said nothing more.
            None if !is_known && edge.known().has(far) => continue,
            None => return Err(late),
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

/// What is known of a connection between two reads.
struct Patience {
    opened_at: Instant,
    /// It has brought a message.
    heard: bool,
    /// A trunk or a registered phone is there, or we called it.
    is_known: bool,
    /// The one that is under way.
    message_began: Option<Instant>,
}

/// How long the next byte may take, and what it is when none comes. A line that has brought a message may rest between
/// messages, and any byte begins its rest anew; one that has brought none does not stay for its keep-alives, and a
/// stranger's for nothing.
fn until(now: Instant, line: &Patience) -> (Instant, End) {
    let own = match line.message_began {
        Some(began) => (began + MESSAGE_WITHIN, End::Unfinished),
        None if line.heard => (now + IDLE, End::Idle),
        None => (line.opened_at + KNOWN_WITHIN, End::Idle),
    };
    let strangers = line.opened_at + KNOWN_WITHIN;
    if line.is_known || own.0 < strangers { own } else { (strangers, End::Stranger) }
}

/// Waits for whoever takes messages rather than dropping them: nobody would send them again. A passive node takes
/// none, so that what has come meanwhile is heard when it is active again, or by another node if it never is.
async fn take(edge: &Edge, bytes: &[u8], far: Far, unanswered: &Mutex<Unanswered>) -> Result<(), End> {
    edge.until_active().await;
    let counters = edge.counters();
    counters.received.fetch_add(1, Ordering::Relaxed);
    let why = match edge.judge().judge(bytes, far) {
        Verdict::Take(incoming) => {
            unanswered.lock().unwrap_or_else(PoisonError::into_inner).heard(&incoming.message);
            return edge.hand_over(*incoming).await.map_err(|()| End::Deaf);
        }
        Verdict::Answer { to, bytes } => {
            counters.answered_here.fetch_add(1, Ordering::Relaxed);
            edge.send(to, &bytes);
            return Ok(());
        }
        Verdict::Garbage => return Err(Garbage::Malformed.into()),
        Verdict::Stranger => {
            counters.strangers.fetch_add(1, Ordering::Relaxed);
            "strangers"
        }
        Verdict::Drop(why) => why,
    };
    tracing::trace!(peer = %far.addr, why, "message dropped");
    counters.dropped.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn write(
    edge: &Edge,
    mut writing: OwnedWriteHalf,
    held: &mut Held,
    unanswered: &Mutex<Unanswered>,
) -> Result<std::convert::Infallible, End> {
    while let Some(bytes) = held.next().await {
        // Before it waits: with the connection its turn may end.
        unanswered.lock().unwrap_or_else(PoisonError::into_inner).sent(&bytes, Instant::now());
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
            refuse(&edge, held.rest().into_iter(), Far::tcp(to)).await;
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
    fn a_stranger_loses_its_place_whatever_it_says_and_a_phone_keeps_its_own() {
        let opened_at = Instant::now();
        let later = opened_at + Duration::from_secs(25);
        let line =
            |heard, is_known, message_began| until(later, &Patience { opened_at, heard, is_known, message_began });
        for heard in [false, true] {
            let (at, why) = line(heard, false, None);
            assert_eq!(at, opened_at + KNOWN_WITHIN, "whatever it sends meanwhile");
            assert!(matches!(why, End::Stranger));
            assert_eq!(line(heard, false, Some(later)).0, opened_at + KNOWN_WITHIN, "and in the middle of a message");
        }
        assert_eq!(line(false, false, Some(opened_at)).0, opened_at + MESSAGE_WITHIN);
        assert_eq!(line(false, true, None).0, opened_at + KNOWN_WITHIN, "a phone's, of which nothing came");
        assert_eq!(line(true, true, Some(later)).0, later + MESSAGE_WITHIN);
        let (at, why) = line(true, true, None);
        assert_eq!(at, later + IDLE);
        assert!(matches!(why, End::Idle));
        let longest_registration = Duration::from_secs(3600);
        assert!(IDLE > longest_registration);
    }
}
