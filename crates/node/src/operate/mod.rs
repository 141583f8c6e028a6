//! What operators type. Answers on standard output, faults with what to do on standard error.

mod agents;
mod audit;
mod bars;
mod calls;
mod campaigns;
mod config;
mod import;
mod leads;
mod lists;
mod progress;
mod replay;
mod shell;
mod silenced;
mod status;
mod tokens;

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use strowger_api::{Client, ClientError, limit};

pub use agents::{AgentCommand, agents};
pub use audit::{AuditQuery, audit};
pub use bars::{Bars, bars};
pub use calls::{Filter, calls, explain};
pub use campaigns::{CampaignCommand, DialRequest, campaigns, dial};
pub use config::{Wanted, apply, check_config, version, versions};
pub use leads::{LeadCommand, leads};
pub use lists::{ListQuery, in_force, queues};
pub use replay::replay;
pub use shell::{completion, manual};
pub use silenced::{SilencedCommand, silenced};
pub use status::status;
pub use tokens::{TokenCommand, tokens};

/// Exit code when the answer came and something is wrong.
const EXIT_WRONG: u8 = 4;

/// Where the cluster is and who asks.
#[derive(Args, Clone, Debug)]
pub struct At {
    /// HTTP address of any node, HOST:PORT; of several with commas between them the first that can answer is asked.
    #[arg(long, global = true, env = "STROWGER_NODE", default_value = "127.0.0.1:8081")]
    node: String,
    /// How long a node may take to answer what only reads.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = limit::READ.as_secs())]
    wait: u64,
    /// API token; the first one is in `first-token` in the data directory of the node that founded the cluster.
    #[arg(long, global = true, env = "STROWGER_TOKEN", default_value = "", hide_env_values = true)]
    token: String,
}

impl At {
    #[allow(clippy::result_large_err, reason = "made once a command; what it says is what matters")]
    pub fn client(&self) -> Result<Client, ClientError> {
        let token = (!self.token.is_empty()).then(|| self.token.clone());
        Client::of(&self.node, token, Duration::from_secs(self.wait))
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    Ok(runtime.block_on(work))
}

/// Routes that nodes name in what to do, and the commands that ask them; what begins like another comes before it.
const COMMANDS: [(&str, &str); 17] = [
    ("GET /api/v1/campaigns/{tenant}/{name}/leads", "`strowger leads list`"),
    ("GET /api/v1/campaigns", "`strowger campaigns`"),
    ("GET /api/v1/config/versions/{version}", "`strowger versions VERSION`"),
    ("GET /api/v1/config/versions", "`strowger versions`"),
    ("GET /api/v1/config", "`strowger config`"),
    ("GET /api/v1/status", "`strowger status`"),
    ("GET /api/v1/agents", "`strowger agents`"),
    ("GET /api/v1/queues", "`strowger queues`"),
    ("GET /api/v1/calls/{id}/explain", "`strowger explain CALL`"),
    ("GET /api/v1/calls", "`strowger calls`"),
    ("GET /api/v1/do-not-call", "`strowger do-not-call list`"),
    ("GET /api/v1/barred-callers", "`strowger barred-callers list`"),
    ("GET /api/v1/silenced", "`strowger silenced`"),
    ("GET /api/v1/tokens", "`strowger tokens`"),
    ("GET /api/v1/audit", "`strowger audit`"),
    ("POST /api/v1/agents/{tenant}/{name}/dial", "`strowger dial`"),
    ("POST /api/v1/tokens", "`strowger tokens add`"),
];

/// What a node says to programs, for somebody who types.
pub fn as_commands(mut text: String) -> String {
    for (route, command) in COMMANDS {
        text = text.replace(&format!("{route}?tenant="), &format!("{command} --tenant ")).replace(route, command);
    }
    text
}

/// A value as a table shows it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{:.1}", ms / 1000.0))
}

/// A value as a query carries it (RFC 3986, 2.1).
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_types_is_told_what_to_type() {
        for (said, read) in [
            ("see GET /api/v1/status for the nodes", "see `strowger status` for the nodes"),
            ("see GET /api/v1/campaigns?tenant=acme", "see `strowger campaigns` --tenant acme"),
            ("see GET /api/v1/campaigns/{tenant}/{name}/leads", "see `strowger leads list`"),
            ("see GET /api/v1/config/versions, or GET /api/v1/config", "see `strowger versions`, or `strowger config`"),
            ("see GET /api/v1/agents?tenant=acme", "see `strowger agents` --tenant acme"),
            ("see GET /api/v1/openapi.json", "see GET /api/v1/openapi.json"),
        ] {
            assert_eq!(as_commands(said.to_owned()), read);
        }
    }

    /// For programs alone: a description, a stream, one record, and calls that a wallboard shows.
    const NO_COMMAND: [&str; 4] =
        ["/api/v1/openapi.json", "/api/v1/events", "/api/v1/calls/{id}", "/api/v1/calls/live"];

    #[test]
    fn whatever_can_be_read_has_a_command() {
        let named = |route: &strowger_api::Route| format!("{} {}", route.method.to_uppercase(), route.path);
        let routes: Vec<String> = strowger_api::ROUTES.iter().map(named).collect();
        let commands: Vec<&str> = COMMANDS.iter().map(|(route, _)| *route).collect();
        assert!(commands.iter().all(|command| routes.iter().any(|route| route == command)), "{routes:?}");
        let read = strowger_api::ROUTES.iter().filter(|route| route.method == "get" && route.needs.is_some());
        for route in read.filter(|route| !NO_COMMAND.contains(&route.path)) {
            assert!(commands.contains(&&*named(route)), "{}", named(route));
        }
        for (at, route) in commands.iter().enumerate() {
            assert!(!commands[at + 1..].iter().any(|later| later.starts_with(route)), "{route} hides a later one");
        }
    }
}
