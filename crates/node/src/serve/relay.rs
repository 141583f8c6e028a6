//! A relay's process, and what Prometheus reads of it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use strowger_config::process::RelayConfig;
use strowger_link::Identity;
use strowger_model::PeerId;
use strowger_relay::hop::HopStats;

use super::shut_down;

pub(super) async fn run(config: RelayConfig) -> anyhow::Result<ExitCode> {
    let identity = Identity::development(&config.link.tls_dir, PeerId::Relay(config.id))?;
    let dead_media = Duration::from_millis(config.media.dead_media_ms.into());
    let relay = strowger_relay::Relay::start(strowger_relay::RelayConfig {
        id: config.id,
        link_listen: config.link.listen,
        identity,
        peers: Vec::new(),
        address: config.media.address,
        advertise: Some(config.media.advertise),
        ports: *config.media.ports.start()..config.media.ports.end().saturating_add(1),
        threads: config.media.threads as usize,
        content_dir: Some(config.content_dir),
        dead_media: (!dead_media.is_zero()).then_some(dead_media),
    })
    .await?;
    let relay = Arc::new(relay);
    relay.join_relays(config.link.relays.iter().map(|other| (other.id, other.link)).collect());
    let of = relay.clone();
    let text: strowger_api::Text = Arc::new(move || {
        let text = relay_metrics(&of.stats()) + &hop_metrics(&of.hops());
        Box::pin(async move { text })
    });
    let http = strowger_api::serve_metrics(config.http.listen, text).await?;
    tracing::info!(relay = %config.id, http = %config.http.listen, "relay started");
    tokio::select! {
        fault = relay.run() => fault?,
        signal = shut_down() => signal?,
    }
    drop(http);
    Ok(ExitCode::SUCCESS)
}

/// A relay's figures as Prometheus reads them.
fn relay_metrics(stats: &strowger_media::RelayStats) -> String {
    let lines: [(&str, &str, &str, u64); 13] = [
        ("calls", "gauge", "Calls with media here.", stats.calls),
        ("legs", "gauge", "Legs with open ports.", stats.legs),
        ("packets_in_total", "counter", "RTP packets accepted.", stats.packets_in),
        ("packets_out_total", "counter", "RTP packets sent.", stats.packets_out),
        ("packets_lost_total", "counter", "RTP packets missing by sequence number.", stats.lost),
        ("packets_late_total", "counter", "RTP packets out of order or twice.", stats.late),
        ("strangers_total", "counter", "Datagrams from addresses no leg expects.", stats.strangers),
        ("malformed_total", "counter", "Datagrams that were no packet the leg agreed to.", stats.malformed),
        ("send_failures_total", "counter", "Packets the kernel did not take.", stats.send_failures),
        ("dead_media_total", "counter", "Legs that fell silent.", stats.dead_media),
        ("orphans_total", "counter", "Calls closed because nobody wanted them any more.", stats.orphans),
        (
            "frames_skipped_total",
            "counter",
            "20 ms frames left out because the machine stood still.",
            stats.frames_skipped,
        ),
        ("content_bytes", "gauge", "Prompts and music held in memory.", stats.content_bytes),
    ];
    let mut text: String = lines
        .iter()
        .map(|(name, kind, help, value)| {
            format!("# HELP strowger_relay_{name} {help}\n# TYPE strowger_relay_{name} {kind}\nstrowger_relay_{name} {value}\n")
        })
        .collect();
    let cpu = stats.cpu_ns as f64 / 1e9;
    text += "# HELP strowger_relay_media_cpu_seconds_total CPU time of the media threads.\n";
    text += &format!(
        "# TYPE strowger_relay_media_cpu_seconds_total counter\nstrowger_relay_media_cpu_seconds_total {cpu}\n"
    );
    text
}

/// One row of a hop's figures.
type Figure = (&'static str, &'static str, &'static str, fn(&HopStats) -> f64);

/// Voice to and from other relays, by relay.
fn hop_metrics(hops: &[HopStats]) -> String {
    let figures: [Figure; 8] = [
        ("packets_out_total", "counter", "RTP packets sent there.", |hop| hop.packets_out as f64),
        ("packets_in_total", "counter", "RTP packets that came from there in time.", |hop| hop.packets_in as f64),
        ("datagrams_out_total", "counter", "QUIC datagrams they travelled in.", |hop| hop.datagrams_out as f64),
        ("lost_total", "counter", "RTP packets sent by the other relay and never seen here.", |hop| hop.lost as f64),
        ("late_total", "counter", "RTP packets that came too late to be heard.", |hop| hop.late as f64),
        ("dropped_total", "counter", "RTP packets for which there was no connection, no space or no leg.", |hop| {
            hop.dropped as f64
        }),
        ("jitter_seconds", "gauge", "Variation of the datagrams' delay (RFC 3550).", |hop| hop.jitter_us as f64 / 1e6),
        ("connected", "gauge", "1 while there is a connection for media.", |hop| {
            f64::from(u8::from(hop.link.is_some()))
        }),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in figures {
        let name = format!("strowger_relay_hop_{name}");
        text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for hop in hops {
            text += &format!("{name}{{peer=\"{}\"}} {}\n", hop.peer, value(hop));
        }
    }
    text
}
