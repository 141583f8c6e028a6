//! The two kinds of process: a node and a relay. Configuration first, then ports, then work.

mod log;
mod private;
mod relay;
mod signals;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use strowger_cluster::{Cluster, Context, DataKeys, Retention, TestBreak, Tuning};
use strowger_config::Fault;
use strowger_config::process::{MetricsFor, NodeConfig, RelayConfig};
use strowger_link::{Identity, IdentityError, LinkError};
use strowger_model::PeerId;

use log::Log;
use signals::Signals;

/// Exit code of a process whose configuration is wrong (EX_USAGE of sysexits.h): starting it again will not help.
const EXIT_CONFIG: u8 = 64;
/// Set by the demo and by tests, which need to know the first token; otherwise it is random, and in a file.
const TOKEN_VARIABLE: &str = "STROWGER_BOOTSTRAP_TOKEN";
/// In the data directory of the node that founds the cluster: what is printed stays in journals.
const TOKEN_FILE: &str = "first-token";
/// Plants a fault, so that the demo can show that its own checks would find one.
const BREAK_VARIABLE: &str = "STROWGER_TEST_BREAK";
/// Set by tests, which have no time for the entries after which the log is made a snapshot otherwise.
const SNAPSHOT_VARIABLE: &str = "STROWGER_TEST_SNAPSHOT_ENTRIES";
/// For what still writes to a disk when the process ends: whatever it is, the next start is made for its loss.
const LEFT_OVER: Duration = Duration::from_secs(1);

pub fn node(path: &Path) -> anyhow::Result<ExitCode> {
    match NodeConfig::load(path) {
        Ok(config) => run(config.log_levels.clone().as_deref(), async |signals, log| {
            let before = config.clone();
            let Some(started) = signals.unless_ended(start_node(config)).await else { return Ok(ended_early()) };
            let (node, http) = started?;
            // Weakly: whoever holds it keeps the node's files open.
            let (path, of) = (path.to_owned(), Arc::downgrade(&node.context));
            signals.reload_by(move || {
                if let Some(context) = of.upgrade() {
                    reload_node(&path, &before, &log, &context);
                }
            });
            signals.end().await;
            tracing::info!("stopping");
            let end = async {
                node.retire().await;
                http.close().await;
                node.stop().await;
            };
            Ok(signals.end_in_order(end).await)
        }),
        Err(faults) => Ok(refuse(&faults)),
    }
}

pub fn relay(path: &Path) -> anyhow::Result<ExitCode> {
    match RelayConfig::load(path) {
        Ok(config) => {
            run(config.log_levels.clone().as_deref(), async |signals, log| relay::run(path, config, signals, log).await)
        }
        Err(faults) => Ok(refuse(&faults)),
    }
}

fn refuse(faults: &[Fault]) -> ExitCode {
    faults.iter().for_each(|fault| note!("strowger: {fault}"));
    ExitCode::from(EXIT_CONFIG)
}

/// Told to stop before it had begun.
fn ended_early() -> ExitCode {
    tracing::info!("stopped while it started");
    ExitCode::SUCCESS
}

fn run(
    levels: Option<&str>,
    work: impl AsyncFnOnce(&mut Signals, Log) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    private::umask();
    let log = Log::begin(levels)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let end = runtime.block_on(async { work(&mut Signals::new().context("listening for signals")?, log).await });
    runtime.shutdown_timeout(LEFT_OVER);
    end
}

/// By what a process proves itself: certificates that somebody issued, unless its file says that it is one of development.
fn identity(tls_dir: &Path, is_development: bool, me: PeerId) -> Result<Identity, IdentityError> {
    match is_development {
        true => Identity::development(tls_dir, me),
        false => Identity::in_production(tls_dir, me),
    }
}

/// What can change while any process runs, as its file and the files that it names say now: certificates and levels.
fn renew(
    identity: Result<Identity, IdentityError>,
    levels: Option<&str>,
    log: &Log,
    link: impl FnOnce(&Identity) -> Result<(), LinkError>,
) {
    match identity.map_err(anyhow::Error::from).and_then(|identity| Ok(link(&identity)?)) {
        Ok(()) => tracing::info!("certificates were read again, and count for new connections"),
        Err(fault) => tracing::error!("certificates stay as they were: {fault:#}"),
    }
    match log.set(levels) {
        Ok(()) => tracing::info!(levels, "levels of the log were read again"),
        Err(fault) => tracing::error!("levels of the log stay as they were: {fault:#}"),
    }
}

fn reload_node(path: &Path, before: &NodeConfig, log: &Log, context: &Context) {
    match NodeConfig::load(path) {
        Ok(now) => {
            let proven = identity(&now.cluster.tls_dir, now.cluster.is_development, PeerId::Node(now.id));
            renew(proven, now.log_levels.as_deref(), log, |identity| context.link.renew(identity));
            renew_data_keys(&now.cluster, context);
            later(&now.later_than(before));
            context.renew_outbound(now.outbound, now.caps);
            tracing::info!("[outbound] was read again, and counts from the next call out");
        }
        Err(faults) => stays(&faults),
    }
}

fn renew_data_keys(cluster: &strowger_config::process::Cluster, context: &Context) {
    let renewed = data_keys(cluster).and_then(|keys| {
        let ids: Vec<String> = keys.ids().map(|id| id.to_string()).collect();
        context.renew_data_keys(keys)?;
        Ok(ids)
    });
    match renewed {
        Ok(ids) => tracing::info!(keys = ids.join(" "), "data keys were read again, and the first seals and makes"),
        Err(fault) => tracing::error!("data keys stay as they were: {fault:#}"),
    }
}

fn stays(faults: &[Fault]) {
    faults.iter().for_each(|fault| tracing::error!("nothing was changed: {fault}"));
}

/// Parts of the process's own file that differ from what it began with.
fn later(parts: &[&str]) {
    if !parts.is_empty() {
        tracing::warn!(
            changed = parts.join(" "),
            "what else has changed in its file counts when the process is started again"
        );
    }
}

async fn start_node(config: NodeConfig) -> anyhow::Result<(Cluster, strowger_api::Running)> {
    let identity = identity(&config.cluster.tls_dir, config.cluster.is_development, PeerId::Node(config.id))?;
    let data_keys = data_keys(&config.cluster)?;
    private::directory(&config.data_dir)
        .with_context(|| format!("cannot make {}, or close it to others", config.data_dir.display()))?;
    let token_file = config.data_dir.join(TOKEN_FILE);
    let cluster = Cluster::start(strowger_cluster::Options {
        me: config.id,
        voters: config.cluster.voters.iter().map(|voter| (voter.id, voter.link)).collect(),
        relays: config.cluster.relays.into_iter().map(|relay| (relay.id, relay.link, relay.site)).collect(),
        shards: config.cluster.shards,
        data_dir: config.data_dir,
        identity,
        link_listen: config.cluster.listen,
        sip: strowger_trunk::Options { shared: config.sip.shared, own: Some(config.sip.own) },
        advertised: config.sip.advertised.to_string(),
        data_keys,
        destinations: config.outbound,
        caps: config.caps,
        proxies: config.sip.proxies,
        max_calls: config.limits.max_calls as usize,
        max_calls_per_second: config.limits.max_calls_per_second,
        retention: retention(config.archive),
        tuning: tuning()?,
        test_break: test_break()?,
    })
    .await?;
    let fixed = std::env::var(TOKEN_VARIABLE).ok();
    let metrics = match config.http.metrics {
        MetricsFor::Anyone => strowger_api::Metrics::Anyone,
        MetricsFor::Token => strowger_api::Metrics::Token,
    };
    let hosts = config.http.hosts.into_iter().collect();
    let options = strowger_api::Options { listen: config.http.listen, hosts, metrics, token: fixed.clone() };
    let http = strowger_api::serve(options, cluster.context.clone()).await?;
    tracing::info!(node = %config.id, sip = %config.sip.shared, http = %config.http.listen, "node started");
    if fixed.is_none() {
        let context = cluster.context.clone();
        tokio::spawn(async move {
            if let Some(token) = strowger_api::bootstrap_token(context).await {
                show_once(&token_file, &token);
            }
        });
    }
    Ok((cluster, http))
}

fn show_once(path: &Path, token: &str) {
    match private::file(path, &format!("{token}\n")) {
        Ok(()) => note!("the first admin token is in {}: take it from there and remove the file", path.display()),
        Err(fault) => tracing::error!(
            path = %path.display(), %fault,
            "the first admin token could not be written: start the node once with {TOKEN_VARIABLE}"
        ),
    }
}

fn data_keys(cluster: &strowger_config::process::Cluster) -> anyhow::Result<DataKeys> {
    let path = match &cluster.data_keys {
        Some(path) => path.clone(),
        None if cluster.is_development => Identity::development_data_keys(&cluster.tls_dir)?,
        None => Identity::production_data_keys(&cluster.tls_dir)?,
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the data keys in {}: check data_keys and the rights", path.display()))?;
    DataKeys::parse(&text).with_context(|| format!("{} is no file of data keys", path.display()))
}

fn retention(archive: strowger_config::process::Archive) -> Retention {
    Retention { age: Duration::from_secs(u64::from(archive.days) * 86_400), bytes: u64::from(archive.max_gib) << 30 }
}

fn tuning() -> anyhow::Result<Tuning> {
    let mut tuning = Tuning::default();
    if let Ok(entries) = std::env::var(SNAPSHOT_VARIABLE) {
        tuning.snapshot_entries = entries.parse().with_context(|| format!("{SNAPSHOT_VARIABLE}={entries}"))?;
        tuning.keep_entries = tuning.snapshot_entries / 5;
    }
    Ok(tuning)
}

fn test_break() -> anyhow::Result<Option<TestBreak>> {
    match std::env::var(BREAK_VARIABLE) {
        Ok(name) => {
            TestBreak::named(&name).map(Some).with_context(|| format!("{BREAK_VARIABLE}={name} is no known fault"))
        }
        Err(_) => Ok(None),
    }
}
