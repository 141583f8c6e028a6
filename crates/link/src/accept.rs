//! Takes in the peers that dial this process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::{Endpoint, Incoming};
use tokio::time::Instant;

use crate::handshakes::{Handshakes, NotNow};
use crate::hello::{CLOSE_REFUSED, HelloFault, Speaker, recognize, welcome};
use crate::link::{Purpose, Shared};
use crate::transport::{is_distrust, is_media};

/// Accepts until the link closes.
pub async fn all(shared: Arc<Shared>, endpoint: Endpoint) {
    let refusals = Arc::new(Refusals::default());
    let handshakes = Arc::new(Handshakes::default());
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address().ip();
        let handshake = match handshakes.begin(from, incoming.remote_address_validated()) {
            Ok(handshake) => handshake,
            Err(NotNow::Unproven) => {
                // It has no token yet, so it may be asked for one.
                let _asked = incoming.retry();
                continue;
            }
            Err(NotNow::Full) => {
                incoming.ignore();
                continue;
            }
        };
        let (shared, refusals) = (shared.clone(), refusals.clone());
        tokio::spawn(async move {
            let purpose = if is_media(incoming.orig_dst_cid()) { Purpose::Media } else { Purpose::Commands };
            let admitted = admit(&shared, incoming, purpose).await;
            drop(handshake);
            match admitted {
                Ok((speaker, quic)) => {
                    refusals.forget(from);
                    shared.peers.trusts(from, true);
                    shared.carry(speaker, quic, purpose).await;
                }
                Err(fault) => {
                    if matches!(&fault, HelloFault::Connection(fault) if is_distrust(fault)) {
                        shared.peers.trusts(from, false);
                    }
                    refusals.report(from, &fault.to_string(), Instant::now());
                }
            }
        });
    }
}

async fn admit(
    shared: &Shared,
    incoming: Incoming,
    purpose: Purpose,
) -> Result<(Speaker, quinn::Connection), HelloFault> {
    let connecting = match purpose {
        Purpose::Commands => incoming.accept()?,
        Purpose::Media => incoming.accept_with(shared.media_sides().server.clone())?,
    };
    let quic = connecting.await?;
    let refuse = |fault: &HelloFault| quic.close(CLOSE_REFUSED, fault.to_string().as_bytes());
    let (speaker, send) = recognize(&quic, shared.me).await.inspect_err(refuse)?;
    welcome(send, shared.layout).await.inspect_err(refuse)?;
    if let Some(ended) = quic.close_reason() {
        // A dialler that gave up and came again must not lose its second connection to its first.
        return Err(ended.into());
    }
    Ok((speaker, quic))
}

/// Refusals logged already, and when each happened last. A peer that is refused dials on for ever, which is news once.
#[derive(Default)]
struct Refusals {
    known: Mutex<BTreeMap<(IpAddr, String), Instant>>,
}

/// Beyond it refusals are not logged: so many different ones are noise, and each takes some 200 bytes.
const REFUSALS_KEPT: usize = 256;
/// What has not happened for so long is news again, and makes room: strangers who came by once in a year would keep all that
/// comes later out of the log.
const REFUSAL_KEPT_FOR: Duration = Duration::from_secs(3600);

impl Refusals {
    fn report(&self, from: IpAddr, why: &str, now: Instant) {
        if self.is_news(from, why, now) {
            tracing::warn!(%from, %why, "a caller was refused");
        } else {
            tracing::debug!(%from, %why, "a caller was refused");
        }
    }

    fn is_news(&self, from: IpAddr, why: &str, now: Instant) -> bool {
        let mut known = self.lock();
        known.retain(|_, at| now.duration_since(*at) < REFUSAL_KEPT_FOR);
        let refusal = (from, why.to_owned());
        if let Some(at) = known.get_mut(&refusal) {
            *at = now;
            return false;
        }
        let has_room = known.len() < REFUSALS_KEPT;
        if has_room {
            known.insert(refusal, now);
        }
        has_room
    }

    /// What stood between us and this address is over; if it comes back it is news.
    fn forget(&self, from: IpAddr) {
        self.lock().retain(|(address, _), _| *address != from);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(IpAddr, String), Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once_and_after_an_hour_without_it() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let (from, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let minute = Duration::from_secs(60);
        assert!(refusals.is_news(from, "no hello", begin) && refusals.is_news(from, "other CA", begin));
        assert!((1..100).all(|at| !refusals.is_news(from, "no hello", begin + at * minute)), "it dials on");
        let later = begin + 99 * minute;
        assert!(refusals.is_news(from, "other CA", later), "that was long ago");
        for stranger in 0..REFUSALS_KEPT {
            refusals.is_news(other, &stranger.to_string(), later);
        }
        assert!(!refusals.is_news(other, "new", later), "too many for the log");
        refusals.forget(from);
        assert!(refusals.is_news(from, "no hello", later));
        assert!(refusals.is_news(other, "new", later + REFUSAL_KEPT_FOR));
    }
}
