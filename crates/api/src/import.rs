//! A part of a list of leads on its way into a campaign. Sending it again adds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use strowger_cluster::{Context, Imported};
use strowger_dialer::{ForbiddenNumber, LineFault, Parts, ReadLead, Reading, read_leads};
use strowger_model::E164;
use strowger_model::config::Campaign;
use strowger_table::NewLead;

use crate::audit::Told;
use crate::body::{Params, Raw};
use crate::campaigns::{Which, find};
use crate::error::Problem;
use crate::limit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// On which line of the list the first line of data stands; without it the list begins here.
    first_line: Option<u64>,
}

#[derive(Serialize)]
pub struct Answer {
    added: u32,
    /// Numbers that stand in an earlier line, or on the campaign's list already.
    duplicates: u32,
    invalid: Vec<Invalid>,
}

/// A line that became no lead.
#[derive(Serialize)]
struct Invalid {
    line: u64,
    value: String,
    why: String,
}

/// `POST /api/v1/campaigns/{tenant}/{name}/leads`: each part begins with the list's first line.
pub async fn import(
    State(context): State<Arc<Context>>,
    crate::body::Named(which): Which,
    Params(asked): Params<Asked>,
    Raw(body): Raw,
) -> Result<(Extension<Told>, Json<Answer>), Problem> {
    let (tenant, campaign) = find(&context, &which)?;
    let id = campaign.id;
    // Off the runtime's threads: each number is looked up in its country's plan.
    let node = context.clone();
    let read = tokio::task::spawn_blocking(move || {
        let may_reach = |number| node.may_reach(&tenant, &campaign, number);
        Part::read(&body, &campaign, asked.first_line, may_reach)
    });
    let part = read.await.map_err(|fault| Problem::internal("reading the list", &fault))??;
    let imported =
        if part.leads.is_empty() { Imported::default() } else { context.import(id, part.leads, &part.fields).await? };
    let duplicates = imported.duplicates + part.duplicates;
    let told = Told(format!("{} leads added", imported.added));
    Ok((Extension(told), Json(Answer { added: imported.added, duplicates, invalid: part.invalid })))
}

/// What a part says, ready for the log.
struct Part {
    leads: Vec<NewLead>,
    /// What else is known of the leads: a line of JSON for each.
    fields: Vec<u8>,
    duplicates: u32,
    invalid: Vec<Invalid>,
}

impl Part {
    fn read(
        body: &Bytes,
        campaign: &Campaign,
        first_line: Option<u64>,
        may_reach: impl Fn(E164) -> Result<(), ForbiddenNumber>,
    ) -> Result<Self, Problem> {
        let mut reading = read(text(body)?, campaign, first_line)?;
        let mut forbidden = BTreeMap::new();
        // Nobody would ever dial it.
        reading.leads.retain(|lead| match may_reach(lead.number) {
            Ok(()) => true,
            Err(why) => {
                let fault = LineFault { line: lead.line, value: lead.number.to_string(), why: why.to_string() };
                forbidden.insert(fault.value.clone(), fault.why.clone());
                reading.faults.push(fault);
                false
            }
        });
        // Its repetitions repeat nothing that is on the list.
        reading.duplicates.retain(|again| match forbidden.get(&again.value) {
            Some(why) => {
                reading.faults.push(LineFault { why: why.clone(), ..again.clone() });
                false
            }
            None => true,
        });
        reading.faults.sort_by_key(|fault| fault.line);
        let fields = fields(&reading.leads)?;
        // A part has few enough leads that their lines fit.
        let lead = |(line, lead): (u16, ReadLead)| NewLead { number: lead.number, zone: lead.zone, line };
        let invalid = |fault: LineFault| Invalid { line: fault.line, value: fault.value, why: fault.why };
        Ok(Self {
            leads: (0..).zip(reading.leads).map(lead).collect(),
            fields,
            duplicates: reading.duplicates.len() as u32,
            invalid: reading.faults.into_iter().map(invalid).collect(),
        })
    }
}

fn text(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|fault| {
        let line = 1 + body[..fault.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let what = format!("line {line} of this part is not UTF-8");
        Problem::new(StatusCode::BAD_REQUEST, "not_utf8", what, "save the list as CSV in UTF-8 and send it again")
    })
}

fn read(text: &str, campaign: &Campaign, first_line: Option<u64>) -> Result<Reading, Problem> {
    if let Some(line) = first_line.filter(|line| *line > limit::LIST_LINES) {
        let advice = format!("give the number of a line, 1 to {}", limit::LIST_LINES);
        return Err(Problem::bad_request(format!("`first_line` is {line}"), advice));
    }
    // The header apart: it is read each time, and only in the first part it is followed by the next line of the list.
    let parts = Parts::new(text, limit::LEADS_PER_IMPORT + 1, usize::MAX).ok_or_else(|| bad_list("it is empty"))?;
    let header = read_leads(parts.header(), None, &campaign.columns, None, 1);
    let Some(header) = header.header else {
        let why = header.faults.first().map_or_else(
            || "it has no header".to_owned(),
            |fault| {
                // On one line, whatever stands in the file.
                let value = fault.value.replace(char::is_control, " ");
                format!("line {} is `{value}`: {}", fault.line, fault.why)
            },
        );
        return Err(bad_list(&why));
    };
    let (rest, line) = parts.rest();
    if parts.into_iter().next().is_some_and(|part| part.records > limit::LEADS_PER_IMPORT) {
        let what = format!("the part has more than {} lines of data", limit::LEADS_PER_IMPORT);
        let advice = "send the list in smaller parts, each with the first line of the list before it";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_leads", what, advice));
    }
    let first_line = first_line.unwrap_or(line);
    Ok(read_leads(rest, Some(&header), &campaign.columns, campaign.zone.as_deref(), first_line))
}

fn bad_list(why: &str) -> Problem {
    let advice = "its first line names its columns; the campaign's `columns` say which one is the number";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_list", format!("the list cannot be read: {why}"), advice)
}

fn fields(leads: &[ReadLead]) -> Result<Vec<u8>, Problem> {
    let mut lines = Vec::new();
    for lead in leads {
        serde_json::to_writer(&mut lines, &Fields(lead))
            .map_err(|fault| Problem::internal("writing fields", &fault))?;
        lines.push(b'\n');
        if lines.len() > limit::LEAD_FIELDS_BYTES {
            let what = "what the list says besides numbers is too long with its columns' names";
            let advice = "shorten the names in its first line, or send smaller parts";
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what, advice));
        }
    }
    Ok(lines)
}

/// A lead's other columns, in the order of the list.
struct Fields<'a>(&'a ReadLead);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.fields.len()))?;
        for (name, value) in &self.0.fields {
            map.serialize_entry(&**name, value)?;
        }
        map.end()
    }
}
