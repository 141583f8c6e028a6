//! Keeps one connection to a peer whom this side dials, for as long as the link lives.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::PeerId;
use tokio::time::Instant;

use crate::hello::{CLOSE_REFUSED, HelloFault, Speaker, greet};
use crate::identity::server_name;
use crate::link::{Purpose, Shared};
use crate::transport::is_distrust;

/// Between attempts: short, because a call may wait for this link, and growing, because a peer may be off for days.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// A handshake takes 2 ms; QUIC repeats its first packet at growing distances, so a new attempt beats a long one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// What lasted this long was a good connection (no failed attempt does), and the pauses start anew.
const STEADY: Duration = Duration::from_secs(4);

#[derive(Debug, thiserror::Error)]
enum DialFault {
    #[error("no address is known")]
    NoAddress,
    #[error("the link is closing")]
    Closing,
    #[error("this address cannot be dialled: {0}")]
    Address(#[from] quinn::ConnectError),
    #[error("no answer")]
    Silence,
    #[error("the connection was refused: {0}")]
    Refused(#[from] quinn::ConnectionError),
    #[error("the hello failed: {0}")]
    Hello(#[from] HelloFault),
}

impl DialFault {
    fn is_distrust(&self) -> bool {
        match self {
            DialFault::Refused(fault) | DialFault::Hello(HelloFault::Connection(fault)) => is_distrust(fault),
            _ => false,
        }
    }
}

/// Dials, carries, and dials again.
pub async fn keep(shared: Arc<Shared>, peer: PeerId, purpose: Purpose) {
    let mut closing = shared.closing.subscribe();
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match attempt(&shared, peer, purpose).await {
            Ok((speaker, quic)) => shared.carry(speaker, quic, purpose).await,
            Err(DialFault::Closing) => return,
            Err(fault) => report(&shared, peer, purpose, &fault),
        }
        if began.elapsed() >= STEADY {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(LAST_PAUSE);
    }
}

async fn attempt(shared: &Shared, peer: PeerId, purpose: Purpose) -> Result<(Speaker, quinn::Connection), DialFault> {
    let endpoint = shared.endpoint().ok_or(DialFault::Closing)?;
    let address = shared.peers.address(peer).ok_or(DialFault::NoAddress)?;
    // The name is what the handshake checks the peer's certificate against.
    let connecting = match purpose {
        Purpose::Commands => endpoint.connect(address, &server_name(peer))?,
        Purpose::Media => endpoint.connect_with(shared.media_sides().client.clone(), address, &server_name(peer))?,
    };
    let quic = tokio::time::timeout(ATTEMPT_TIMEOUT, connecting).await.map_err(|_| DialFault::Silence)??;
    match greet(&quic, Speaker { peer: shared.me, layout: shared.layout }).await {
        Ok(layout) => Ok((Speaker { peer, layout }, quic)),
        Err(fault) => {
            quic.close(CLOSE_REFUSED, fault.to_string().as_bytes());
            Err(fault.into())
        }
    }
}

/// One line per outage and reason, however long it lasts.
fn report(shared: &Shared, peer: PeerId, purpose: Purpose, fault: &DialFault) {
    let address = shared.peers.address(peer).map(|address| address.to_string()).unwrap_or_default();
    let why = fault.to_string();
    let news = match purpose {
        Purpose::Commands => shared.peers.fail(peer, &why, fault.is_distrust()),
        Purpose::Media => shared.media.fail(peer, &why),
    };
    if news {
        tracing::warn!(%peer, %address, ?purpose, %why, "peer not reached; trying on");
    }
}
