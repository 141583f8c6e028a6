//! A relay's process, and what Prometheus reads of it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use strowger_config::process::RelayConfig;
use strowger_figures::metrics::{Families, Sample};
use strowger_media::RelayStats;
use strowger_model::PeerId;
use strowger_relay::hop::HopStats;

use super::log::Log;
use super::signals::Signals;
use super::{ended_early, identity, later, private, renew, stays};

pub(super) async fn run(path: &Path, config: RelayConfig, signals: &mut Signals, log: Log) -> anyhow::Result<ExitCode> {
    let before = config.clone();
    let Some(started) = signals.unless_ended(start(config)).await else { return Ok(ended_early()) };
    let (relay, http, stopping) = started?;
    // Weakly: whoever holds it keeps the relay up.
    let (path, of) = (path.to_owned(), Arc::downgrade(&relay));
    signals.reload_by(move || {
        if let Some(relay) = of.upgrade() {
            reload(&path, &before, &log, &relay);
        }
    });
    tokio::select! {
        fault = relay.run() => fault?,
        () = signals.end() => {}
    }
    stopping.store(true, Ordering::Relaxed);
    let end = async {
        // Who asks meanwhile hears that it is not ready.
        relay.close().await;
        http.close().await;
    };
    Ok(signals.end_in_order(end).await)
}

fn reload(path: &Path, before: &RelayConfig, log: &Log, relay: &strowger_relay::Relay) {
    match RelayConfig::load(path) {
        Ok(now) => {
            let proven = identity(&now.link.tls_dir, now.link.is_development, PeerId::Relay(now.id));
            renew(proven, now.log_levels.as_deref(), log, |identity| relay.renew(identity));
            later(&now.later_than(before));
        }
        Err(faults) => stays(&faults),
    }
}

type Started = (Arc<strowger_relay::Relay>, strowger_api::Running, strowger_api::Stopping);

async fn start(config: RelayConfig) -> anyhow::Result<Started> {
    let identity = identity(&config.link.tls_dir, config.link.is_development, PeerId::Relay(config.id))?;
    private::directory(&config.content_dir)
        .with_context(|| format!("cannot make {}, or close it to others", config.content_dir.display()))?;
    let dead_media = Duration::from_millis(config.media.dead_media_ms.into());
    let relay = strowger_relay::Relay::start(strowger_relay::RelayConfig {
        id: config.id,
        link_listen: config.link.listen,
        identity,
        peers: Vec::new(),
        address: config.media.address,
        advertise: Some(config.media.advertise),
        ports: *config.media.ports.start()..config.media.ports.end().saturating_add(1),
        others: config.link.relays.iter().map(|other| other.link.ip()).collect(),
        refused: config.media.refuse,
        threads: config.media.threads as usize,
        content_dir: Some(config.content_dir),
        dead_media: (!dead_media.is_zero()).then_some(dead_media),
    })
    .await?;
    let relay = Arc::new(relay);
    relay.join_relays(config.link.relays.iter().map(|other| (other.id, other.link)).collect());
    let of = relay.clone();
    let text: strowger_api::Text = Arc::new(move || {
        let text = metrics(&of.stats(), &of.hops());
        Box::pin(async move { text })
    });
    let stopping = strowger_api::Stopping::default();
    let hosts = config.http.hosts.into_iter().collect();
    let http = strowger_api::serve_metrics(config.http.listen, hosts, text, stopping.clone()).await?;
    tracing::info!(relay = %config.id, http = %config.http.listen, "relay started");
    Ok((relay, http, stopping))
}

/// A metric of a relay: name, help, value.
type Of<T> = (&'static str, &'static str, fn(&T) -> f64);

const GAUGES: [Of<RelayStats>; 3] = [
    ("calls", "Calls with media here.", |stats| stats.calls as f64),
    ("legs", "Legs with open ports.", |stats| stats.legs as f64),
    ("content_bytes", "Prompts and music held in memory.", |stats| stats.content_bytes as f64),
];
const COUNTERS: [Of<RelayStats>; 11] = [
    ("packets_in_total", "RTP packets accepted.", |stats| stats.packets_in as f64),
    ("packets_out_total", "RTP packets sent.", |stats| stats.packets_out as f64),
    ("packets_lost_total", "RTP packets missing by sequence number.", |stats| stats.lost as f64),
    ("packets_late_total", "RTP packets out of order or twice.", |stats| stats.late as f64),
    ("strangers_total", "Datagrams from addresses, or of streams, that no leg expects.", |stats| {
        stats.strangers as f64
    }),
    ("malformed_total", "Datagrams that were no packet the leg agreed to.", |stats| stats.malformed as f64),
    ("send_failures_total", "Packets the kernel did not take.", |stats| stats.send_failures as f64),
    ("dead_media_total", "Legs that fell silent.", |stats| stats.dead_media as f64),
    ("orphans_total", "Calls closed because nobody wanted them any more.", |stats| stats.orphans as f64),
    ("frames_skipped_total", "20 ms frames left out because the machine stood still.", |stats| {
        stats.frames_skipped as f64
    }),
    ("media_cpu_seconds_total", "CPU time of the media threads.", |stats| stats.cpu_ns as f64 / 1e9),
];

/// Voice to and from another relay.
const HOP_GAUGES: [Of<HopStats>; 2] = [
    ("jitter_seconds", "Variation of the datagrams' delay (RFC 3550).", |hop| hop.jitter_us as f64 / 1e6),
    ("connected", "1 while there is a connection for media.", |hop| f64::from(u8::from(hop.link.is_some()))),
];
const HOP_COUNTERS: [Of<HopStats>; 6] = [
    ("packets_out_total", "RTP packets sent there.", |hop| hop.packets_out as f64),
    ("packets_in_total", "RTP packets that came from there in time.", |hop| hop.packets_in as f64),
    ("datagrams_out_total", "QUIC datagrams they travelled in.", |hop| hop.datagrams_out as f64),
    ("lost_total", "RTP packets sent by the other relay and never seen here.", |hop| hop.lost as f64),
    ("late_total", "RTP packets that came too late to be heard.", |hop| hop.late as f64),
    ("dropped_total", "RTP packets for which there was no connection, no space or no leg.", |hop| hop.dropped as f64),
];

/// What Prometheus reads of a relay.
fn metrics(stats: &RelayStats, hops: &[HopStats]) -> String {
    let mut families = Families::default();
    for (name, help, value) in GAUGES {
        families.gauge(&format!("strowger_relay_{name}"), help, [Sample::new(&[], value(stats))]);
    }
    for (name, help, value) in COUNTERS {
        families.counter(&format!("strowger_relay_{name}"), help, [Sample::new(&[], value(stats))]);
    }
    let by_peer = |value: fn(&HopStats) -> f64| {
        hops.iter().map(move |hop| Sample::new(&[("peer", &hop.peer.to_string())], value(hop)))
    };
    for (name, help, value) in HOP_GAUGES {
        families.gauge(&format!("strowger_relay_hop_{name}"), help, by_peer(value));
    }
    for (name, help, value) in HOP_COUNTERS {
        families.counter(&format!("strowger_relay_hop_{name}"), help, by_peer(value));
    }
    families.text()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What Prometheus reads of a relay that knows two others.
    const TEXT: &str = include_str!("relay_metrics.txt");

    #[test]
    fn the_text_stays_as_it_is() {
        let stats = RelayStats {
            calls: 3,
            legs: 5,
            packets_in: 1_000_000,
            packets_out: 999_999,
            lost: 7,
            late: 8,
            strangers: 9,
            malformed: 10,
            send_failures: 11,
            dead_media: 12,
            orphans: 13,
            frames_skipped: 14,
            content_bytes: 123_456_789,
            cpu_ns: 1_234_500_000,
            ..Default::default()
        };
        let hop = |peer| HopStats {
            peer: strowger_model::RelayId(peer),
            packets_out: 1,
            datagrams_out: 3,
            packets_in: 2,
            datagrams_in: 9,
            late: 5,
            lost: 4,
            dropped: 6,
            jitter_us: 1_500,
            link: None,
        };
        assert_eq!(families(&metrics(&stats, &[hop(2), hop(3)])), families(TEXT));
    }

    /// Each metric's lines, in the order of the names, which means nothing to Prometheus.
    fn families(text: &str) -> BTreeSet<&str> {
        text.split("# HELP ").collect()
    }
}
