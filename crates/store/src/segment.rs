//! A piece of a call's story as people see it: names instead of ids, moments of the wall.

use serde::{Deserialize, Serialize};
use strowger_model::{AgentId, LogTime, QueueId};
use strowger_table::{How, Segment};

/// What is not known, or does not apply, is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentLine {
    /// `flow`, `wait`, `virtual`, `ring`, `talk`, `hold`, `aside` or `wrap`.
    pub kind: String,
    /// In milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// None while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// How it ended, or `open`.
    pub how: String,
    /// Final SIP status of a phone that did not take the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Q.850 cause of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<u8>,
    /// Name of the queue it waited in, or was rung for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Name of the agent rung or spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Who else it was with, as dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The agent who brought it about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of a conversation or a wrap-up: how the call went, as the agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many pieces it stands for: a call with very many adds the later ones to the last of their kind.
    pub times: u16,
    /// How long the earlier ones of those lasted together.
    pub earlier_ms: u64,
}

impl SegmentLine {
    /// `wall` says when a moment of log time was, in milliseconds since the Unix epoch.
    pub fn new(
        segment: &Segment,
        wall: &dyn Fn(LogTime) -> u64,
        queue: &dyn Fn(QueueId) -> String,
        agent: &dyn Fn(AgentId) -> String,
    ) -> Self {
        let (status, cause) = match segment.how {
            How::Missed { status, cause } => (Some(status), Some(cause.0)),
            _ => (None, None),
        };
        Self {
            kind: segment.kind.as_str().to_owned(),
            from_ms: wall(segment.from),
            to_ms: segment.to.map(wall),
            how: segment.how.as_str().to_owned(),
            status,
            cause,
            queue: segment.queue.map(queue),
            agent: segment.agent.map(agent),
            party: segment.party.clone(),
            by: segment.by.map(agent),
            code: segment.code.clone(),
            times: segment.n,
            earlier_ms: segment.spent / 1000,
        }
    }
}
