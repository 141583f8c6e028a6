//! `strowger`: one binary for nodes, relays, operators and the demo.
//!
//! Reading order for a newcomer: this file says what there is; `serve` starts a process; the path of a call then runs
//! through `strowger_trunk`, `strowger_cluster`, `strowger_call` and `strowger_table`.
#![warn(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "a command line program prints its answers")]

mod demo;
mod operate;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Memory is returned to the system after bursts, which the C library's allocator does not do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A contact-centre call-routing cluster.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node: SIP edge, routing, HTTP.
    Node {
        /// The node's TOML file; config/node-1.toml explains every key.
        #[arg(long)]
        config: PathBuf,
    },
    /// Run a media relay.
    Relay {
        /// The relay's TOML file; config/relay-1.toml explains every key.
        #[arg(long)]
        config: PathBuf,
    },
    /// Check a directory of tenants, flows, queues and trunks, and print every fault.
    CheckConfig { dir: PathBuf },
    /// Check such a directory and make it the configuration in force, or go back to an earlier one.
    Apply {
        #[arg(required_unless_present = "to")]
        dir: Option<PathBuf>,
        /// Instead of a directory: one of the last 20 versions, which comes into force again as a new one.
        #[arg(long, value_name = "VERSION", conflicts_with = "dir")]
        to: Option<u64>,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Who leads, who is up, how many wait.
    Status {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Call records, newest first.
    Calls {
        #[command(flatten)]
        filter: operate::Filter,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Why a call went where it went: its path, and what there was to choose from at each offer.
    Explain {
        /// SHARD-INDEX, as `calls` shows it.
        call: String,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Campaigns: how far they are; start and stop them.
    Campaigns {
        #[command(subcommand)]
        command: Option<operate::CampaignCommand>,
        #[command(flatten)]
        query: operate::CampaignQuery,
        #[command(flatten)]
        at: operate::At,
    },
    /// Lists of whom to call.
    #[command(subcommand)]
    Leads(operate::LeadCommand),
    /// Rings an agent's phone, then calls a number for a campaign.
    Dial {
        #[command(flatten)]
        request: operate::DialRequest,
        #[command(flatten)]
        at: operate::At,
    },
    /// Numbers that nobody dials.
    #[command(subcommand)]
    DoNotCall(operate::Bars),
    /// Callers that are refused.
    #[command(subcommand)]
    BarredCallers(operate::Bars),
    /// Addresses that are not heard because somebody there guessed at agents' passwords.
    Silenced {
        #[command(subcommand)]
        command: Option<operate::SilencedCommand>,
        #[command(flatten)]
        at: operate::At,
    },
    /// A whole cluster on this machine, with callers and agents that really speak SIP and RTP.
    Demo(demo::Options),
}

fn main() -> ExitCode {
    let line = Line::parse();
    let done = match line.command {
        Command::Node { config } => serve::node(&config),
        Command::Relay { config } => serve::relay(&config),
        Command::CheckConfig { dir } => operate::check_config(&dir),
        Command::Apply { to: Some(to), dry_run, at, .. } => operate::roll_back(to, dry_run, &at),
        // Without a version clap has made sure of a directory.
        Command::Apply { dir, dry_run, at, .. } => operate::apply(&dir.unwrap_or_default(), dry_run, &at),
        Command::Status { json, at } => operate::status(json, &at),
        Command::Calls { filter, json, at } => operate::calls(&filter, json, &at),
        Command::Explain { call, json, at } => operate::explain(&call, json, &at),
        Command::Campaigns { command, query, at } => operate::campaigns(command.as_ref(), &query, &at),
        Command::Leads(command) => operate::leads(&command),
        Command::Dial { request, at } => operate::dial(&request, &at),
        Command::DoNotCall(command) => operate::bars("do-not-call", &command),
        Command::BarredCallers(command) => operate::bars("barred-callers", &command),
        Command::Silenced { command, at } => operate::silenced(command.as_ref(), &at),
        Command::Demo(options) => demo::run(&options),
    };
    match done {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("strowger: {}", told(&fault));
            ExitCode::FAILURE
        }
    }
}

/// A fault with its causes, each once: many name their cause in their own words already.
fn told(fault: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in fault.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}
