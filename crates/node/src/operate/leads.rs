//! Leads of a campaign: a list is put on it, or looked at.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{At, block_on, encode, import, text};

#[derive(Subcommand, Clone, Debug)]
pub enum LeadCommand {
    /// Put a CSV file on a campaign's list. Its first line names the columns. Numbers that are on the list stay as they are.
    Import {
        /// With a header line; config/example/tenants says which columns are what.
        file: PathBuf,
        #[command(flatten)]
        of: Campaign,
        /// Write every line that was not taken into this file, with the reason.
        #[arg(long)]
        faults: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Leads in the order of the list: whose turn comes when, and what came of the last call.
    List {
        #[command(flatten)]
        of: Campaign,
        #[command(flatten)]
        query: Query,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Campaign {
    /// Whose campaign it is.
    #[arg(long)]
    tenant: String,
    /// On whose list they are.
    #[arg(long)]
    campaign: String,
}

#[derive(Args, Clone, Debug)]
pub struct Query {
    /// due, dialling or done
    #[arg(long)]
    state: Option<String>,
    /// Only this number, and what else the list says of it.
    #[arg(long)]
    number: Option<String>,
    /// How many at most, 1 to 10000.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// `next` of the page before.
    #[arg(long)]
    after: Option<u32>,
    /// The whole answer, for programs.
    #[arg(long)]
    json: bool,
}

impl Campaign {
    pub fn path(&self) -> String {
        format!("/api/v1/campaigns/{}/{}/leads", encode(&self.tenant), encode(&self.campaign))
    }
}

pub fn leads(command: &LeadCommand) -> anyhow::Result<ExitCode> {
    match command {
        LeadCommand::Import { file, of, faults, at } => import::import(file, of, faults.as_deref(), at),
        LeadCommand::List { of, query, at } => list(of, query, at),
    }
}

fn list(of: &Campaign, query: &Query, at: &At) -> anyhow::Result<ExitCode> {
    let mut path = format!("{}?limit={}", of.path(), query.limit);
    let after = query.after.map(|after| after.to_string());
    for (key, value) in [("state", &query.state), ("number", &query.number), ("after", &after)] {
        if let Some(value) = value {
            path += &format!("&{key}={}", encode(value));
        }
    }
    let answer = block_on(at.client()?.get(&path))??;
    if query.json {
        say!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{:<10} {:<17} {:<20} {:<9} {:<24} {:>5}  last", "lead", "number", "zone", "state", "not before", "tries");
    for lead in answer["leads"].as_array().into_iter().flatten() {
        say!(
            "{:<10} {:<17} {:<20} {:<9} {:<24} {:>5}  {}{}",
            text(&lead["lead"]),
            text(&lead["number"]),
            text(&lead["zone"]),
            text(&lead["state"]),
            text(&lead["due"]),
            text(&lead["attempts"]),
            last(&lead["last"]),
            if lead["barred"] == true { ", on a do-not-call list" } else { "" }
        );
        for (name, value) in lead["fields"].as_object().into_iter().flatten() {
            say!("{:11}{name}: {}", "", text(value));
        }
    }
    if let Some(next) = answer["next"].as_u64() {
        say!("there are more: --after {next}");
    }
    Ok(ExitCode::SUCCESS)
}

fn last(last: &Value) -> String {
    if last.is_null() {
        return "-".to_owned();
    }
    let [at, result, call] = ["at", "result", "call"].map(|key| text(&last[key]));
    format!("{result} at {at}, call {call}")
}
