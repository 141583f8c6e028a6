//! Addresses whose REGISTERs are not answered because somebody there guessed at passwords.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{At, block_on, text};

#[derive(Subcommand, Clone, Debug)]
pub enum SilencedCommand {
    /// The address is heard again, by all nodes that are up.
    Lift {
        /// As the list shows it.
        address: IpAddr,
    },
}

pub fn silenced(command: Option<&SilencedCommand>, at: &At) -> anyhow::Result<ExitCode> {
    match command {
        None => list(at),
        Some(SilencedCommand::Lift { address }) => {
            block_on(at.client()?.post("/api/v1/silenced/lift", &json!({ "address": address })))??;
            say!("{address} is heard again");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(at: &At) -> anyhow::Result<ExitCode> {
    let answer = block_on(at.client()?.get("/api/v1/silenced"))??;
    say!("{:<40} {:<12} {:>8}", "address", "accounts", "seconds");
    for row in answer["addresses"].as_array().into_iter().flatten() {
        let accounts = if row["all"] == true { "all".to_owned() } else { row["accounts"].to_string() };
        say!("{:<40} {accounts:<12} {:>8}", text(&row["address"]), row["left_s"].to_string());
    }
    Ok(ExitCode::SUCCESS)
}
