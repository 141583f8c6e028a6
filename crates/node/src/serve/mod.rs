//! The two kinds of process: a node and a relay. Configuration first, then ports, then work.

mod private;
mod relay;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use strowger_cluster::{Cluster, DataKeys, TestBreak};
use strowger_config::Fault;
use strowger_config::process::{NodeConfig, RelayConfig};
use strowger_link::Identity;
use strowger_model::PeerId;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Exit code of a process whose configuration is wrong (EX_USAGE of sysexits.h): starting it again will not help.
const EXIT_CONFIG: u8 = 64;
/// Set by the demo and by tests, which need to know the first token; otherwise it is random, and in a file.
const TOKEN_VARIABLE: &str = "STROWGER_BOOTSTRAP_TOKEN";
/// What is logged, as `LEVEL` or `TARGET=LEVEL` with commas between them.
const LOG_VARIABLE: &str = "STROWGER_LOG";
/// openraft warns of a peer that is out of reach twenty times a second for each group; the link says it once.
const LOG_LEVELS: &str = "info,openraft=error,fjall=warn,quinn=warn";
/// `text` or `json`.
const LOG_FORMAT_VARIABLE: &str = "STROWGER_LOG_FORMAT";
/// In the data directory of the node that founds the cluster: what is printed stays in journals.
const TOKEN_FILE: &str = "first-token";
/// Set by the demo, whose processes must not outlive it however it ends: they end when their standard input does.
const LEASH_VARIABLE: &str = "STROWGER_ENDS_WITH_STDIN";
/// Plants a fault, so that the demo can show that its own checks would find one.
const BREAK_VARIABLE: &str = "STROWGER_TEST_BREAK";

pub fn node(path: &Path) -> anyhow::Result<ExitCode> {
    match NodeConfig::load(path) {
        Ok(config) => run(async move {
            let (node, http) = start_node(config).await?;
            shut_down().await?;
            tracing::info!("stopping");
            http.close().await;
            node.stop().await;
            Ok(ExitCode::SUCCESS)
        }),
        Err(faults) => Ok(refuse(&faults)),
    }
}

pub fn relay(path: &Path) -> anyhow::Result<ExitCode> {
    match RelayConfig::load(path) {
        Ok(config) => run(relay::run(config)),
        Err(faults) => Ok(refuse(&faults)),
    }
}

fn refuse(faults: &[Fault]) -> ExitCode {
    faults.iter().for_each(|fault| note!("strowger: {fault}"));
    ExitCode::from(EXIT_CONFIG)
}

fn run(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    private::umask();
    log()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(work)
}

/// One line for a change, on standard error: text for people, or JSON for a store of logs.
fn log() -> anyhow::Result<()> {
    let filter = match std::env::var(LOG_VARIABLE) {
        Ok(levels) => {
            EnvFilter::try_new(&levels).with_context(|| format!("{LOG_VARIABLE}={levels} names no levels"))?
        }
        Err(_) => EnvFilter::new(LOG_LEVELS),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var(LOG_FORMAT_VARIABLE).as_deref() {
        Ok("json") => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
        Ok("text") | Err(_) => log.with_ansi(std::io::stderr().is_terminal()).init(),
        Ok(other) => anyhow::bail!("{LOG_FORMAT_VARIABLE}={other}: write text or json"),
    }
    Ok(())
}

async fn start_node(config: NodeConfig) -> anyhow::Result<(Cluster, strowger_api::Running)> {
    let identity = Identity::development(&config.cluster.tls_dir, PeerId::Node(config.id))?;
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
        max_calls: config.limits.max_calls as usize,
        max_calls_per_second: config.limits.max_calls_per_second,
        test_break: test_break()?,
    })
    .await?;
    let fixed = std::env::var(TOKEN_VARIABLE).ok();
    let options = strowger_api::Options { listen: config.http.listen, token: fixed.clone() };
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
        None => Identity::development_data_keys(&cluster.tls_dir)?,
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the data keys in {}: check data_keys and the rights", path.display()))?;
    DataKeys::parse(&text).with_context(|| format!("{} is no file of data keys", path.display()))
}

fn test_break() -> anyhow::Result<Option<TestBreak>> {
    match std::env::var(BREAK_VARIABLE) {
        Ok(name) => {
            TestBreak::named(&name).map(Some).with_context(|| format!("{BREAK_VARIABLE}={name} is no known fault"))
        }
        Err(_) => Ok(None),
    }
}

/// Comes back when the process is to end: SIGTERM, SIGINT, or the end of its leash. The signals with which others tell
/// programs to read their files anew would end it, and with it calls that live here, if nobody took them.
async fn shut_down() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut user_1 = signal(SignalKind::user_defined1())?;
    let mut user_2 = signal(SignalKind::user_defined2())?;
    let mut leash = std::pin::pin!(leash());
    loop {
        let ignored = tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = &mut leash => return Ok(()),
            _ = hang_up.recv() => "SIGHUP",
            _ = user_1.recv() => "SIGUSR1",
            _ = user_2.recv() => "SIGUSR2",
        };
        tracing::info!(
            "{ignored} is ignored: the log goes to standard error, and the process's own file is read at its start"
        );
    }
}

/// Comes back when whoever holds the other end of standard input is gone; never without a leash.
async fn leash() {
    if std::env::var_os(LEASH_VARIABLE).is_none() {
        return std::future::pending().await;
    }
    let (over, ended) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of standard input cannot be called off, and must not hold up the runtime's end.
    std::thread::spawn(move || {
        let _read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _gone = over.send(());
    });
    let _over = ended.await;
}
