//! The demo's campaigns: a list of leads for each tenant, and a carrier whose numbers answer, are busy, ring for ever,
//! decline or do not exist.

use std::time::Duration;

use anyhow::Context as _;
use strowger_api::Client;
use strowger_phones::{CalledRole, CalledSpec, Dialled, Law};

use super::tenants::{CAMPAIGN, TENANTS};

/// Leads of each campaign: more than the longest demo dials.
const LEADS: usize = 2_000;
/// German mobile numbers, a block of 100 000 for each tenant.
const FIRST_LEAD: u64 = 491_721_000_000;
const BLOCK: u64 = 100_000;
const TALK_S: std::ops::Range<u64> = 4..15;
/// As patient as people who are called are: longer than an agent's phone rings.
const PATIENCE: Duration = Duration::from_secs(8);

/// Gives each campaign its list.
pub async fn import(client: &Client) -> anyhow::Result<()> {
    for (tenant, firm) in TENANTS.iter().enumerate() {
        for part in (0..LEADS as u64).collect::<Vec<_>>().chunks(1000) {
            let lines: String = part.iter().map(|lead| format!("+{},lead {lead}\n", number(tenant, *lead))).collect();
            let path = format!("/api/v1/campaigns/{}/{CAMPAIGN}/leads", firm.name);
            let answer = client.post_csv(&path, format!("number,name\n{lines}")).await;
            answer.with_context(|| format!("importing the leads of {}", firm.name))?;
        }
    }
    Ok(())
}

pub async fn stop(client: &Client) -> anyhow::Result<()> {
    for firm in &TENANTS {
        let path = format!("/api/v1/campaigns/{}/{CAMPAIGN}/stop", firm.name);
        client.post(&path, &serde_json::json!({})).await.with_context(|| format!("stopping {}", firm.name))?;
    }
    Ok(())
}

fn number(tenant: usize, lead: u64) -> u64 {
    FIRST_LEAD + tenant as u64 * BLOCK + lead
}

/// What a number is like: half of all people answer.
pub fn called(dialled: &Dialled<'_>) -> CalledSpec {
    let draw = dialled.draw;
    let after = Duration::from_millis(800 + draw % 2500);
    let talk = Duration::from_secs(TALK_S.start + draw / 7 % (TALK_S.end - TALK_S.start));
    let role = match draw % 12 {
        0..6 => CalledRole::Answers { after, talk, patience: PATIENCE },
        6 | 7 => CalledRole::Busy,
        8 | 9 => CalledRole::Silent,
        10 => CalledRole::Declines,
        _ => CalledRole::Unknown,
    };
    // Even tones are the callers' and the called's.
    let mut spec = CalledSpec::new(role, 2 * (draw / 13 % 55) as u16);
    spec.law = if draw.is_multiple_of(2) { Law::Pcma } else { Law::Pcmu };
    spec
}
