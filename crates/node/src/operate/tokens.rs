//! Tokens for the API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, block_on, encode, text};

#[derive(Subcommand, Clone, Debug)]
pub enum TokenCommand {
    /// Make a token, and print its text: it is shown this once.
    Add(NewToken),
    /// A token is worth nothing any more, on any node.
    Revoke {
        /// As the list has it.
        name: String,
        /// The tenant that the token is for; without it, one for the whole cluster.
        #[arg(long)]
        tenant: Option<String>,
    },
}

#[derive(Args, Clone, Debug)]
pub struct NewToken {
    /// What lists and the audit log call it: 1 to 64 of A-Z a-z 0-9 . _ -
    name: String,
    /// viewer reads, operator gives commands too, admin changes the configuration and makes tokens.
    #[arg(long)]
    role: String,
    /// It sees and touches this tenant alone; without it the whole cluster.
    #[arg(long)]
    tenant: Option<String>,
    /// It expires so many days from now; without it never.
    #[arg(long)]
    days: Option<u32>,
}

pub fn tokens(command: Option<&TokenCommand>, at: &At) -> anyhow::Result<ExitCode> {
    match command {
        None => list(at),
        Some(TokenCommand::Add(new)) => add(new, at),
        Some(TokenCommand::Revoke { name, tenant }) => {
            let of = tenant.as_ref().map(|tenant| format!("?tenant={}", encode(tenant))).unwrap_or_default();
            block_on(at.client()?.post(&format!("/api/v1/tokens/{}/revoke{of}", encode(name)), &json!({})))??;
            say!("{name} is revoked");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn add(new: &NewToken, at: &At) -> anyhow::Result<ExitCode> {
    const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
    let lasts = new.days.map(|days| u64::from(days) * SECONDS_PER_DAY);
    let wish = json!({ "name": new.name, "role": new.role, "tenant": new.tenant, "expires_in_s": lasts });
    let made = block_on(at.client()?.post("/api/v1/tokens", &wish))??;
    say!("{}", text(&made["token"]));
    Ok(ExitCode::SUCCESS)
}

fn list(at: &At) -> anyhow::Result<ExitCode> {
    let answer = block_on(at.client()?.get("/api/v1/tokens"))??;
    say!("{:<24} {:<9} {:<16} {:<9} {:<25} {:<25} last use", "name", "role", "tenant", "id", "made", "expires");
    for row in answer["tokens"].as_array().into_iter().flatten() {
        let [name, role, tenant, id, made, expires, last] =
            ["name", "role", "tenant", "id", "made", "expires", "last_use"].map(|key| text(&row[key]));
        let expires = if row["expired"] == true { "expired".to_owned() } else { expires };
        say!("{name:<24} {role:<9} {tenant:<16} {id:<9} {made:<25} {expires:<25} {last}");
    }
    Ok(ExitCode::SUCCESS)
}
