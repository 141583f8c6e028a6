//! `strowger`: one binary for nodes, relays, operators and the demo.
//!
//! Reading order for a newcomer: this file says what there is; `serve` starts a process; the path of a call then runs
//! through `strowger_trunk`, `strowger_cluster`, `strowger_call` and `strowger_table`.
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod say;

mod demo;
mod operate;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use operate::Wanted;
use strowger_api::ClientError;

/// Memory is returned to the system after bursts, which the C library's allocator does not do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// With the commit it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("STROWGER_COMMIT"), ")");

/// Exit code when no node could answer: none runs there, or none decides at present. Asking others, or later, may help.
const EXIT_NOBODY: u8 = 3;

/// What scripts may rely on.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 no node could answer; \
    4 `status` or `replay` found something wrong; 64 a node's or relay's file is wrong; 75 a node was declared dead and must be \
    started again; 76 a part of a node's log has stopped, its log says why, and it must be started again; 77 the same, for its state \
    differs from the others': keep it stopped.";

/// A contact-centre call-routing cluster.
#[derive(Parser)]
#[command(name = "strowger", version = VERSION, arg_required_else_help = true, after_help = EXIT_CODES)]
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
    CheckConfig {
        /// Of TOML files and prompts; config/example is one.
        dir: PathBuf,
    },
    /// Check such a directory and make it the configuration in force, or go back to an earlier one.
    Apply {
        /// Of TOML files and prompts; config/example is one.
        #[arg(required_unless_present = "to")]
        dir: Option<PathBuf>,
        /// Instead of a directory: one of the last 20 versions, which comes into force again as a new one.
        #[arg(long, value_name = "VERSION", conflicts_with = "dir")]
        to: Option<u64>,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
        /// Remove what the directory has no more without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// The configurations that `apply --to` can go back to; with its number one of them, as its files would say it.
    Versions {
        /// Steps have numbers for names there, prompts the SHA-256 of their content, and passwords are not told.
        version: Option<u64>,
        /// Of that version this tenant's file alone.
        #[arg(long, requires = "version")]
        tenant: Option<String>,
        #[command(flatten)]
        at: operate::At,
    },
    /// Who leads, who is up, how many wait, and what is wrong; exit code 4 if something is.
    Status {
        /// The whole answer, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Call records, newest first.
    Calls {
        #[command(flatten)]
        filter: operate::Filter,
        /// The whole answer, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Why a call went where it went: its path, and what there was to choose from at each offer.
    Explain {
        /// SHARD-INDEX, as `calls` shows it.
        call: String,
        /// The whole answer, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// Tells what a node has archived of its logs again, and whether every state on the way comes out as it was; exit
    /// code 4 if one does not.
    Replay {
        /// The node's data_dir; the node may run.
        data_dir: PathBuf,
    },
    /// Agents: what each is doing, for how long, and why not if not; make them ready or not.
    Agents {
        #[command(subcommand)]
        command: Option<operate::AgentCommand>,
        #[command(flatten)]
        query: operate::ListQuery,
        #[command(flatten)]
        at: operate::At,
    },
    /// Queues: how many wait, for how long, and how many agents are free for them.
    Queues {
        #[command(flatten)]
        query: operate::ListQuery,
        #[command(flatten)]
        at: operate::At,
    },
    /// The configuration in force: its version, tenants and trunks.
    Config {
        /// The whole answer, for programs.
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
        query: operate::ListQuery,
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
    /// Who may use the API: tokens, and when each was used last; make and revoke them.
    Tokens {
        #[command(subcommand)]
        command: Option<operate::TokenCommand>,
        #[command(flatten)]
        at: operate::At,
    },
    /// The audit log: what was done through the API, by whom, from where, and what it came to; newest first.
    Audit {
        #[command(flatten)]
        query: operate::AuditQuery,
        /// The whole answer, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: operate::At,
    },
    /// A whole cluster on this machine, with callers and agents that really speak SIP and RTP.
    Demo(demo::Options),
    /// Completion of commands for a shell, to be put where it looks: `strowger completion bash`.
    Completion {
        /// Which reads it.
        shell: clap_complete::Shell,
    },
    /// The manual page: `strowger man | man -l -`.
    Man,
}

fn main() -> ExitCode {
    let line = Line::parse();
    let done = match line.command {
        Command::Node { config } => serve::node(&config),
        Command::Relay { config } => serve::relay(&config),
        Command::CheckConfig { dir } => operate::check_config(&dir),
        Command::Apply { dir, to, dry_run, yes, at } => {
            // Without a version clap has made sure of a directory.
            let dir = dir.unwrap_or_default();
            operate::apply(&to.map_or(Wanted::Directory(&dir), Wanted::Version), dry_run, yes, &at)
        }
        Command::Versions { version: None, at, .. } => operate::versions(&at),
        Command::Versions { version: Some(version), tenant, at } => operate::version(version, tenant.as_deref(), &at),
        Command::Status { json, at } => operate::status(json, &at),
        Command::Calls { filter, json, at } => operate::calls(&filter, json, &at),
        Command::Explain { call, json, at } => operate::explain(&call, json, &at),
        Command::Replay { data_dir } => Ok(operate::replay(&data_dir)),
        Command::Agents { command, query, at } => operate::agents(command.as_ref(), &query, &at),
        Command::Queues { query, at } => operate::queues(&query, &at),
        Command::Config { json, at } => operate::in_force(json, &at),
        Command::Campaigns { command, query, at } => operate::campaigns(command.as_ref(), &query, &at),
        Command::Leads(command) => operate::leads(&command),
        Command::Dial { request, at } => operate::dial(&request, &at),
        Command::DoNotCall(command) => operate::bars("do-not-call", &command),
        Command::BarredCallers(command) => operate::bars("barred-callers", &command),
        Command::Silenced { command, at } => operate::silenced(command.as_ref(), &at),
        Command::Tokens { command, at } => operate::tokens(command.as_ref(), &at),
        Command::Audit { query, json, at } => operate::audit(&query, json, &at),
        Command::Demo(options) => demo::run(&options),
        Command::Completion { shell } => Ok(operate::completion(shell, &mut Line::command())),
        Command::Man => operate::manual(Line::command()),
    };
    match done {
        Ok(code) => code,
        Err(fault) => {
            note!("strowger: {}", operate::as_commands(told(&fault)));
            let is_nobody = fault.chain().filter_map(|cause| cause.downcast_ref()).any(ClientError::is_of_the_node);
            if is_nobody { ExitCode::from(EXIT_NOBODY) } else { ExitCode::FAILURE }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &clap::Command, look: &mut impl FnMut(&clap::Command)) {
        look(command);
        command.get_subcommands().for_each(|command| each(command, look));
    }

    /// Help and manual page are made of these texts.
    #[test]
    fn every_command_and_every_flag_is_explained() {
        let mut blank = Vec::new();
        each(&Line::command(), &mut |command| {
            let of = command.get_name();
            blank.extend(command.get_about().is_none().then(|| of.to_owned()));
            let flags = command.get_arguments().filter(|flag| flag.get_help().is_none());
            blank.extend(flags.map(|flag| format!("{of} {}", flag.get_id())));
        });
        assert_eq!(blank, Vec::<String>::new());
    }
}
