//! Takes in the peers that dial this process.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::{Endpoint, Incoming};

use crate::connection::Connection;
use crate::hello::{CLOSE_REFUSED, HelloFault, recognize, welcome};
use crate::link::Shared;

/// Accepts until the link closes.
pub async fn all(shared: Arc<Shared>, endpoint: Endpoint) {
    let refusals = Arc::new(Refusals::default());
    while let Some(incoming) = endpoint.accept().await {
        let (shared, refusals) = (shared.clone(), refusals.clone());
        tokio::spawn(async move {
            let from = incoming.remote_address().ip();
            match admit(&shared, incoming).await {
                Ok(connection) => {
                    refusals.forget(from);
                    shared.carry(connection).await;
                }
                Err(fault) => refusals.report(from, &fault.to_string()),
            }
        });
    }
}

async fn admit(shared: &Shared, incoming: Incoming) -> Result<Arc<Connection>, HelloFault> {
    let quic = incoming.await?;
    let refuse = |fault: &HelloFault| quic.close(CLOSE_REFUSED, fault.to_string().as_bytes());
    let (peer, send) = recognize(&quic, shared.me).await.inspect_err(refuse)?;
    welcome(send).await.inspect_err(refuse)?;
    if let Some(ended) = quic.close_reason() {
        // A dialler that gave up and came again must not lose its second connection to its first.
        return Err(ended.into());
    }
    let connection = Arc::new(Connection::new(peer, quic, shared.peers.refused(peer)));
    shared.peers.join(&connection);
    Ok(connection)
}

/// Refusals logged already. A peer that is refused dials on for ever, which is news once.
#[derive(Default)]
struct Refusals {
    known: Mutex<BTreeSet<(IpAddr, String)>>,
}

/// Beyond it refusals are not logged: so many different ones are noise, and each takes some 200 bytes.
const REFUSALS_KEPT: usize = 256;

impl Refusals {
    fn report(&self, from: IpAddr, why: &str) {
        let mut known = self.lock();
        if known.len() < REFUSALS_KEPT && known.insert((from, why.to_owned())) {
            tracing::warn!(%from, %why, "a caller was refused");
        } else {
            tracing::debug!(%from, %why, "a caller was refused");
        }
    }

    /// What stood between us and this address is over; if it comes back it is news.
    fn forget(&self, from: IpAddr) {
        self.lock().retain(|(address, _)| *address != from);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(IpAddr, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
