//! The audit log.

use std::process::ExitCode;

use clap::Args;

use super::{At, block_on, encode, text};

#[derive(Args, Clone, Debug)]
pub struct AuditQuery {
    /// Only what tokens of this tenant did.
    #[arg(long)]
    tenant: Option<String>,
    /// Only what this token did, by its name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only from this moment on, as 2026-05-01T12:00:00Z.
    #[arg(long)]
    since: Option<String>,
    /// Only before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Go on behind the act of this number, the last of the page before.
    #[arg(long, value_name = "ACT")]
    after: Option<u64>,
    /// How many at most, 1 to 10000.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

pub fn audit(query: &AuditQuery, json: bool, at: &At) -> anyhow::Result<ExitCode> {
    let mut path = format!("/api/v1/audit?limit={}", query.limit);
    let after = query.after.map(|act| act.to_string());
    for (key, value) in [
        ("tenant", &query.tenant),
        ("token", &query.by),
        ("since", &query.since),
        ("until", &query.until),
        ("after", &after),
    ] {
        if let Some(value) = value {
            path += &format!("&{key}={}", encode(value));
        }
    }
    let answer = block_on(at.client()?.get(&path))??;
    if json {
        say!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{:>9} {:<24} {:<20} {:<12} {:<15} {:>6}  what", "act", "at", "token", "tenant", "from", "status");
    for act in answer["acts"].as_array().into_iter().flatten() {
        let [no, at, token, tenant, from, what, asked, told] =
            ["act", "at", "token", "tenant", "from", "what", "asked", "told"].map(|key| text(&act[key]));
        let status = act["status"].as_u64().map_or_else(|| "?".to_owned(), |status| status.to_string());
        let rest = [asked, told].join(" ");
        say!("{no:>9} {at:<24} {token:<20} {tenant:<12} {from:<15} {status:>6}  {what} {}", rest.trim());
    }
    if let Some(next) = answer["next"].as_u64() {
        note!("there are more: --after {next}");
    }
    Ok(ExitCode::SUCCESS)
}
