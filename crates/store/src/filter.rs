//! Which calls are asked for.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;
use strowger_model::{CallId, Outcome};

use crate::{CallLine, limit};

/// Everything that is set must hold. Names and numbers are compared whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallFilter {
    /// By name.
    pub tenant: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Name of the last queue that it stood in.
    pub queue: Option<String>,
    /// Name of the agent who spoke with the customer last.
    pub agent: Option<String>,
    /// Name of the campaign that dialled it.
    pub campaign: Option<String>,
    /// The calling number, as the record has it.
    pub from: Option<String>,
    /// The number that was called, as the record has it.
    pub to: Option<String>,
    /// SIP Call-ID of either leg.
    pub sip_call_id: Option<String>,
    /// Admitted at or after, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// Admitted before, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
    /// How many lines; at most `limit::LINES_MAX` whatever is said, `limit::LINES_DEFAULT` when nothing is.
    pub limit: Option<u32>,
    /// The place of the last line of the page before.
    pub after: Option<Place>,
}

/// Where a line stands among all lines; written `MILLISECONDS-SHARD-INDEX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Place {
    /// When the call was admitted, in milliseconds since the Unix epoch; lines are sorted by it, newest first.
    pub admitted_ms: u64,
    /// Tells apart calls of one millisecond.
    pub call: CallId,
}

/// Text that is not the place of a line.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a place to go on from: give back the one that came with the page before")]
pub struct NotAPlace(pub String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.admitted_ms, self.call)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let place = text.split_once('-').and_then(|(admitted_ms, call)| {
            Some(Place { admitted_ms: admitted_ms.parse().ok()?, call: call.parse().ok()? })
        });
        place.ok_or_else(|| NotAPlace(text.to_owned()))
    }
}

impl CallFilter {
    pub(crate) fn lines(&self) -> u32 {
        self.limit.unwrap_or(limit::LINES_DEFAULT).min(limit::LINES_MAX)
    }

    /// The query and its parameters. Only what is set stands in it, so that SQLite can choose the index for it.
    pub(crate) fn query(&self) -> (String, Vec<Value>) {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        let texts = [
            ("tenant = ?", self.tenant.as_deref()),
            ("outcome = ?", self.outcome.map(Outcome::as_str)),
            ("queue = ?", self.queue.as_deref()),
            ("agent = ?", self.agent.as_deref()),
            ("campaign = ?", self.campaign.as_deref()),
            ("from_number = ?", self.from.as_deref()),
            ("to_number = ?", self.to.as_deref()),
        ];
        for (condition, text) in texts {
            let Some(text) = text else { continue };
            conditions.push(condition);
            values.push(Value::from(text.to_owned()));
        }
        if let Some(id) = &self.sip_call_id {
            conditions.push("(sip_call_id = ? OR agent_sip_call_id = ?)");
            values.extend([Value::from(id.clone()), Value::from(id.clone())]);
        }
        for (condition, ms) in [("admitted_ms >= ?", self.since_ms), ("admitted_ms < ?", self.until_ms)] {
            let Some(ms) = ms else { continue };
            conditions.push(condition);
            values.push(Value::from(whole(ms)));
        }
        if let Some(place) = self.after {
            conditions.push("(admitted_ms, id) < (?, ?)");
            values.extend([Value::from(whole(place.admitted_ms)), Value::from(place.call.0.cast_signed())]);
        }
        let wheres = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        let query = format!(
            "SELECT {} FROM calls WHERE {wheres} ORDER BY admitted_ms DESC, id DESC LIMIT {}",
            CallLine::COLUMNS,
            self.lines()
        );
        (query, values)
    }
}

/// SQLite's integers are signed; no duration and no date comes near the edge.
pub(crate) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
