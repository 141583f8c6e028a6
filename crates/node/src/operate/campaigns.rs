//! Campaigns: how far they are, starting, stopping, and calls that agents ask for.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::lists::list;
use super::{At, ListQuery, block_on, encode, text};

#[derive(Subcommand, Clone, Debug)]
pub enum CampaignCommand {
    /// The campaign dials.
    Start(Which),
    /// The campaign dials no more; calls that are under way go on.
    Stop(Which),
}

#[derive(Args, Clone, Debug)]
pub struct Which {
    /// Whose campaign it is.
    tenant: String,
    /// As its tenant's file has it.
    name: String,
}

#[derive(Args, Clone, Debug)]
pub struct DialRequest {
    /// Whose agent it is.
    tenant: String,
    /// Whose phone rings first.
    agent: String,
    /// With + and the country code, for example +442071838750.
    number: String,
    /// Whose call it is: its caller id is shown, its hours and lists of barred numbers hold.
    #[arg(long)]
    campaign: String,
}

pub fn campaigns(command: Option<&CampaignCommand>, query: &ListQuery, at: &At) -> anyhow::Result<ExitCode> {
    match command {
        None => list("/api/v1/campaigns", query, at, |answer| {
            print_campaigns(answer["campaigns"].as_array().map_or(&[], Vec::as_slice));
        }),
        Some(CampaignCommand::Start(Which { tenant, name })) => run(tenant, name, "start", at),
        Some(CampaignCommand::Stop(Which { tenant, name })) => run(tenant, name, "stop", at),
    }
}

pub fn print_campaigns(campaigns: &[Value]) {
    say!(
        "{:<12} {:<16} {:<12} {:<8} {:>4} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>10} {:>9}",
        "tenant",
        "campaign",
        "mode",
        "state",
        "node",
        "leads",
        "left",
        "reserved",
        "ringing",
        "talking",
        "dialled",
        "connected",
        "abandoned"
    );
    for line in campaigns {
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        say!(
            "{:<12} {:<16} {:<12} {:<8} {:>4} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>10} {:>9}",
            text(&line["tenant"]),
            text(&line["name"]),
            text(&line["mode"]),
            if line["running"] == true { "running" } else { "stopped" },
            text(&line["node"]),
            text(&line["leads"]),
            count(&line["leads"]).saturating_sub(count(&line["done"])).saturating_sub(count(&line["barred"])),
            text(&line["reserved"]),
            text(&line["ringing"]),
            text(&line["talking"]),
            text(&line["dialled"]),
            text(&line["results"]["connected"]),
            text(&line["results"]["abandoned"])
        );
        // Who stopped it, or has it dialled by hand, knows that already.
        let why = text(&line["standstill"]["why"]);
        if let Some(why) = stands_still(&why) {
            let until =
                line["standstill"]["until"].as_str().map_or_else(String::new, |until| format!(", until {until}"));
            let detail = line["standstill"]["detail"].as_str().map_or_else(String::new, |detail| format!(": {detail}"));
            say!("  {} dials nobody: {why}{detail}{until}", text(&line["name"]));
        }
    }
}

/// In words; none for what its state says already, and while it dials.
fn stands_still(why: &str) -> Option<&'static str> {
    Some(match why {
        "no_node" => "no node paces it yet",
        "no_leads" => "no lead is left to call (see `strowger leads list`)",
        "no_trunk" => "its trunk is not configured, or has no destination",
        "carrier_fails" => "the carrier takes no calls; one is made from time to time to see whether it is back",
        "barred" => "all leads that are left are on a do-not-call list",
        "outside_hours" => "outside the calling hours where those live who are due",
        "nobody_due" => "nobody is due yet",
        "forbidden" => "its leads are not dialled by the lists in [outbound] of the nodes' files",
        "capped" => "a cap in [outbound] of the nodes' files is reached",
        "no_line" => "calls take all lines of its trunk (max_calls)",
        "no_agent_free" => "no agent of its queue is free, or only those that keep_idle leaves for callers",
        "callers_first" => "callers wait for its agents",
        "no_relay" => "no media relay can be reached",
        _ => return None,
    })
}

fn run(tenant: &str, name: &str, what: &str, at: &At) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/campaigns/{}/{}/{what}", encode(tenant), encode(name));
    let answer = block_on(at.client()?.post(&path, &Value::Null))??;
    say!("campaign {name} of {tenant} {}", if answer["running"] == true { "is running" } else { "is stopped" });
    Ok(ExitCode::SUCCESS)
}

pub fn dial(request: &DialRequest, at: &At) -> anyhow::Result<ExitCode> {
    let DialRequest { tenant, agent, number, campaign } = request;
    let path = format!("/api/v1/agents/{}/{}/dial", encode(tenant), encode(agent));
    let answer = block_on(at.client()?.post(&path, &json!({ "campaign": campaign, "number": number })))??;
    let call = text(&answer["call"]);
    say!("call {call}: the phone of {agent} rings first; `strowger explain {call}` tells what becomes of it");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use strowger_dialer::Standstill;

    use super::*;

    #[test]
    fn each_reason_why_nobody_is_dialled_has_words_but_those_that_the_state_says() {
        let without: Vec<&str> = Standstill::WORDS.into_iter().filter(|why| stands_still(why).is_none()).collect();
        assert_eq!(without, ["manual", "stopped"]);
    }
}
