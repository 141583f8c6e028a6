//! Leads of a campaign: whose turn comes when, and what came of the calls to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_cluster::Context;
use strowger_dialer::read_number;
use strowger_model::config::{Campaign, Tenant};
use strowger_model::{Digest, E164, LeadId};
use strowger_store::rfc3339;
use strowger_table::{Attempt, BarList, Lead, LeadTurn, Ledger, Shard};

use crate::body::{Named, Params};
use crate::campaigns::{Which, find};
use crate::error::Problem;
use crate::limit;

const STATES: [&str; 3] = ["due", "dialling", "done"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    state: Option<String>,
    number: Option<String>,
    limit: Option<usize>,
    after: Option<u32>,
}

#[derive(Serialize)]
pub struct Leads {
    leads: Vec<LeadRow>,
    /// What to give as `after` to go on; null when the list ends here. A page may have fewer leads than asked for.
    next: Option<u32>,
}

#[derive(Serialize)]
struct LeadRow {
    /// `CAMPAIGN-PLACE`, as call records have it.
    lead: String,
    number: String,
    zone: String,
    state: &'static str,
    /// RFC 3339, UTC. Not called before; and not outside its calling hours.
    due: Option<String>,
    /// The call to it, while it is being dialled.
    call: Option<String>,
    attempts: u8,
    /// On a do-not-call list: not called whatever its state.
    barred: bool,
    last: Option<LastRow>,
    /// The other columns of its line, when one number was asked for.
    fields: Option<Value>,
}

/// How the last call to it ended.
#[derive(Serialize)]
struct LastRow {
    /// RFC 3339, UTC.
    at: String,
    result: &'static str,
    /// 0 if none came.
    sip_status: u16,
    /// Q.850.
    cause: u8,
    call: String,
}

/// `GET /api/v1/campaigns/{tenant}/{name}/leads`: in the order of the list.
pub async fn list(
    State(context): State<Arc<Context>>,
    Named(which): Which,
    Params(asked): Params<Asked>,
) -> Result<Json<Leads>, Problem> {
    let (tenant, campaign) = find(&context, &which)?;
    check(&asked)?;
    let Some(number) = &asked.number else {
        return Ok(Json(page(&context, &tenant, &campaign, &asked)));
    };
    let advice = "write it with + and the country code, and %2B for the + in an address";
    let number = read_number(number).map_err(|why| Problem::bad_request(format!("`{number}`: {why}"), advice))?;
    let found = one(&context, &tenant, &campaign, number);
    let Some((mut row, source)) = found.filter(|(row, _)| asked.state.as_ref().is_none_or(|state| row.state == state))
    else {
        return Ok(Json(Leads { leads: Vec::new(), next: None }));
    };
    if let Some((batch, line)) = source {
        row.fields = fields(&context, batch, line).await;
    }
    Ok(Json(Leads { leads: vec![row], next: None }))
}

fn check(asked: &Asked) -> Result<(), Problem> {
    if let Some(most) = asked.limit.filter(|most| !(1..=limit::LEADS_MAX).contains(most)) {
        let advice = format!("give 1 to {}, and `after` for the next page", limit::LEADS_MAX);
        return Err(Problem::bad_request(format!("`limit` is {most}"), advice));
    }
    match asked.state.as_deref().filter(|state| !STATES.contains(state)) {
        Some(state) => {
            let advice = format!("give one of {}", STATES.join(", "));
            Err(Problem::bad_request(format!("`{state}` is no state of a lead"), advice))
        }
        None => Ok(()),
    }
}

/// Looks at a bounded number of leads, however few are in the state: a long list must not hold a node up.
fn page(context: &Context, tenant: &Tenant, campaign: &Campaign, asked: &Asked) -> Leads {
    let mut page = Leads { leads: Vec::new(), next: None };
    let Some(view) = context.shard_view(tenant.shard) else { return page };
    let Some((table, ledger)) = view.machine.shard().and_then(|table| Some((table, table.campaign(campaign.id)?)))
    else {
        return page;
    };
    let most = asked.limit.unwrap_or(limit::LEADS_DEFAULT);
    let first = asked.after.map_or(0, |after| after.saturating_add(1));
    let last = ledger.leads.min(first.saturating_add(limit::LEADS_LOOKED_AT));
    for place in first..last {
        let lead = table.lead(LeadId::new(campaign.id, place));
        let rows = lead.map(|lead| row(table, ledger, lead));
        page.leads.extend(rows.filter(|row| asked.state.as_ref().is_none_or(|state| row.state == state)));
        if page.leads.len() == most {
            page.next = (place + 1 < ledger.leads).then_some(place);
            return page;
        }
    }
    page.next = (last < ledger.leads && last > 0).then(|| last - 1);
    page
}

type Source = (Digest, u16);

fn one(context: &Context, tenant: &Tenant, campaign: &Campaign, number: E164) -> Option<(LeadRow, Option<Source>)> {
    let view = context.shard_view(tenant.shard)?;
    let table = view.machine.shard()?;
    let ledger = table.campaign(campaign.id)?;
    let lead = table.lead_by_number(campaign.id, number)?;
    let batch = ledger.batches.get(lead.source.batch as usize);
    Some((row(table, ledger, lead), batch.map(|batch| (*batch, lead.source.line))))
}

/// None if no node that can be reached has them.
async fn fields(context: &Context, batch: Digest, line: u16) -> Option<Value> {
    let lines = context.content.get(&context.link, batch).await?;
    let line = lines.split(|byte| *byte == b'\n').nth(line.into())?;
    serde_json::from_slice(line).ok()
}

fn row(table: &Shard, ledger: &Ledger, lead: &Lead) -> LeadRow {
    let (state, due, call) = match table.turn(lead) {
        LeadTurn::Due { at } => (STATES[0], Some(rfc3339(at.0)), None),
        LeadTurn::Dialling { call } => (STATES[1], None, Some(call.to_string())),
        LeadTurn::Done => (STATES[2], None, None),
    };
    let last = |last: Attempt| LastRow {
        at: rfc3339(last.at.0),
        result: last.result.as_str(),
        sip_status: last.status,
        cause: last.cause.0,
        call: last.call.to_string(),
    };
    LeadRow {
        lead: lead.id.to_string(),
        number: lead.number.to_string(),
        zone: ledger.zones.get(usize::from(lead.zone)).cloned().unwrap_or_default(),
        state,
        due,
        call,
        attempts: lead.attempts,
        barred: table.is_barred(BarList::DoNotCall, ledger.tenant, lead.number),
        last: lead.last.map(last),
        fields: None,
    }
}
