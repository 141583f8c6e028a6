//! What this process logs: one line for a change, on standard error, as text for people or JSON for a store of logs.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, reload};

/// What is logged, as `LEVEL` or `TARGET=LEVEL` with commas between them. It goes before the process's file.
const LEVELS_VARIABLE: &str = "STROWGER_LOG";
/// openraft warns of a peer that is out of reach twenty times a second for each group; the link says it once.
const LEVELS: &str = "info,openraft=error,fjall=warn,quinn=warn";
/// `text` or `json`.
const FORMAT_VARIABLE: &str = "STROWGER_LOG_FORMAT";

/// The process's log, whose levels may change.
pub struct Log(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send>);

impl Log {
    /// `levels`: what the process's file says, if it says something.
    pub fn begin(levels: Option<&str>) -> anyhow::Result<Self> {
        let filter = filter(levels)?;
        let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
        match std::env::var(FORMAT_VARIABLE).as_deref() {
            Ok("json") => {
                let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
                let log = log.with_env_filter(filter).with_filter_reloading();
                let handle = log.reload_handle();
                log.init();
                Ok(Self(Box::new(move |filter| handle.reload(filter))))
            }
            Ok("text") | Err(_) => {
                let log =
                    log.with_ansi(std::io::stderr().is_terminal()).with_env_filter(filter).with_filter_reloading();
                let handle = log.reload_handle();
                log.init();
                Ok(Self(Box::new(move |filter| handle.reload(filter))))
            }
            Ok(other) => anyhow::bail!("{FORMAT_VARIABLE}={other}: write text or json"),
        }
    }

    /// What the file says now.
    pub fn set(&self, levels: Option<&str>) -> anyhow::Result<()> {
        Ok(self.0(filter(levels)?)?)
    }
}

fn filter(levels: Option<&str>) -> anyhow::Result<EnvFilter> {
    match (std::env::var(LEVELS_VARIABLE), levels) {
        (Ok(levels), _) => {
            EnvFilter::try_new(&levels).with_context(|| format!("{LEVELS_VARIABLE}={levels} names no levels"))
        }
        (Err(_), Some(levels)) => {
            EnvFilter::try_new(levels).with_context(|| format!("levels = \"{levels}\" under [log] names no levels"))
        }
        (Err(_), None) => Ok(EnvFilter::new(LEVELS)),
    }
}
