//! One call as people see it: plain values, names instead of ids.

use rusqlite::Row;
use rusqlite::types::Type;
use strowger_model::CallId;

use crate::time::rfc3339;
use crate::{Place, SegmentLine};

/// What is not known, or does not apply, is none. Times that carry no date are spans in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct CallLine {
    /// `SHARD-INDEX`.
    pub call: String,
    /// Name, as it was when the record was written.
    pub tenant: String,
    /// None for a call from one agent to another.
    pub trunk: Option<String>,
    /// Who called: digits, or what the far end said of itself.
    pub from: String,
    /// The number that was called.
    pub to: String,
    /// SIP Call-ID of the customer's leg; empty if no dialog came of it.
    pub sip_call_id: String,
    /// SIP Call-ID of the leg of the agent who spoke last.
    pub agent_sip_call_id: Option<String>,
    /// How it ended: [`Outcome::as_str`](strowger_model::Outcome::as_str).
    pub outcome: String,
    /// Who ended it.
    pub by: String,
    /// Q.850 cause.
    pub cause: u8,
    /// Name of the last queue that it stood in.
    pub queue: Option<String>,
    /// Name of the agent who spoke with the customer last.
    pub agent: Option<String>,
    /// How often an agent was rung for it.
    pub offers: u16,
    /// RFC 3339, UTC.
    pub admitted: String,
    /// As `admitted`, in milliseconds since the Unix epoch.
    pub admitted_ms: u64,
    /// Of its wait in a queue.
    pub wait_ms: Option<u64>,
    /// From the last ring to the conversation.
    pub ring_ms: Option<u64>,
    /// Of all conversations with agents.
    pub talk_ms: Option<u64>,
    /// Of the agents' work after it; written once that is done.
    pub wrap_ms: Option<u64>,
    /// From its admission to its end.
    pub total_ms: u64,
    /// How the call went, as the agent says: a code.
    pub disposition: Option<String>,
    /// Of an outbound call.
    pub campaign: Option<String>,
    /// Number of the lead on the campaign's list.
    pub lead: Option<String>,
    /// What came of dialling the number.
    pub dial_result: Option<String>,
    /// Final SIP status of the called party, 200 of one that answered; 0 if none came.
    pub sip_status: Option<u16>,
    /// The call that it went on in.
    pub into: Option<String>,
    /// The story, piece by piece; empty for records of before there was one.
    pub segments: Vec<SegmentLine>,
    /// Where the next page begins when this is the last line of one.
    #[serde(skip)]
    pub place: Place,
}

impl CallLine {
    /// What `from_row` reads, in its order.
    pub(crate) const COLUMNS: &str = "id, tenant, trunk, from_number, to_number, sip_call_id, agent_sip_call_id, \
         outcome, ended_by, cause, queue, agent, offers, admitted_ms, wait_ms, ring_ms, talk_ms, wrap_ms, total_ms, \
         disposition, campaign, lead, dial_result, sip_status, into_call, segments";

    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let call = CallId(row.get::<_, i64>(0)?.cast_unsigned());
        let admitted_ms: u64 = row.get(13)?;
        Ok(Self {
            call: call.to_string(),
            tenant: row.get(1)?,
            trunk: Some(row.get(2)?).filter(|trunk: &String| !trunk.is_empty()),
            from: row.get(3)?,
            to: row.get(4)?,
            sip_call_id: row.get(5)?,
            agent_sip_call_id: row.get(6)?,
            outcome: row.get(7)?,
            by: row.get(8)?,
            cause: row.get(9)?,
            queue: row.get(10)?,
            agent: row.get(11)?,
            offers: row.get(12)?,
            admitted: rfc3339(admitted_ms),
            admitted_ms,
            wait_ms: row.get(14)?,
            ring_ms: row.get(15)?,
            talk_ms: row.get(16)?,
            wrap_ms: row.get(17)?,
            total_ms: row.get(18)?,
            disposition: row.get(19)?,
            campaign: row.get(20)?,
            lead: row.get(21)?,
            dial_result: row.get(22)?,
            sip_status: row.get(23)?,
            into: row.get(24)?,
            segments: segments(row)?,
            place: Place { admitted_ms, call },
        })
    }
}

fn segments(row: &Row<'_>) -> rusqlite::Result<Vec<SegmentLine>> {
    const COLUMN: usize = 25;
    let Some(text) = row.get::<_, Option<String>>(COLUMN)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text)
        .map_err(|fault| rusqlite::Error::FromSqlConversionFailure(COLUMN, Type::Text, Box::new(fault)))
}
