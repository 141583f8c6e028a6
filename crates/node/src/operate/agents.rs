//! Agents: what each is doing, and being made ready or not by somebody else.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::lists::{each, list, names};
use super::{At, ListQuery, block_on, encode, seconds, text};

#[derive(Subcommand, Clone, Debug)]
pub enum AgentCommand {
    /// The agent is given calls again; after the work at hand, if there is any.
    Ready(Whose),
    /// The agent is given no calls any more; what is at hand goes on.
    NotReady {
        #[command(flatten)]
        agent: Whose,
        /// Why, in at most 64 characters: lists and records show it.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Whose {
    /// Whose agent it is.
    tenant: String,
    /// As its tenant's file has it.
    agent: String,
}

pub fn agents(command: Option<&AgentCommand>, query: &ListQuery, at: &At) -> anyhow::Result<ExitCode> {
    match command {
        None => list("/api/v1/agents", query, at, print),
        Some(AgentCommand::Ready(agent)) => give(agent, "ready", &Value::Null, at),
        Some(AgentCommand::NotReady { agent, reason }) => give(agent, "not-ready", &json!({ "reason": reason }), at),
    }
}

fn print(answer: &Value) {
    let [tenant, agent, state, lasts, reason] = ["tenant", "agent", "state", "for (s)", "reason"];
    say!("{tenant:<12} {agent:<16} {state:<12} {lasts:>8}  {reason:<16} {:<12} {}", "call", "queues");
    for line in each(&answer["agents"]) {
        let [tenant, name, state, reason, call] =
            ["tenant", "name", "state", "reason", "call"].map(|key| text(&line[key]));
        let (since, queues) = (seconds(&line["for_ms"]), names(&line["queues"]));
        say!("{tenant:<12} {name:<16} {state:<12} {since:>8}  {reason:<16} {call:<12} {queues}");
    }
}

fn give(Whose { tenant, agent }: &Whose, what: &str, body: &Value, at: &At) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/agents/{}/{}/{what}", encode(tenant), encode(agent));
    block_on(at.client()?.post(&path, body))??;
    say!("agent {agent} of {tenant} is {}, once there is no work at hand", what.replace('-', " "));
    Ok(ExitCode::SUCCESS)
}
