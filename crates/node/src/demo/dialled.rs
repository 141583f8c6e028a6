//! The verdict on outbound calls: what the called parties saw, joined with the records on the SIP Call-ID.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use strowger_phones::{CalledReport, CalledRole, EndedBy};

use super::judge::{FarEnd, Judge, Verdict};

impl Judge {
    pub(super) fn judge_dialled(&self, verdict: &mut Verdict, records: &[Value], by_call_id: &HashMap<&str, &Value>) {
        for called in &self.called {
            verdict.dialled += 1;
            self.judge_called(verdict, called, by_call_id.get(called.call_id.as_str()).copied());
        }
        let seen: HashSet<&str> = self.called.iter().map(|called| called.call_id.as_str()).collect();
        for record in records.iter().filter(|record| record["campaign"].is_string()) {
            let (id, result) = (text(record, "sip_call_id"), text(record, "dial_result"));
            // Who was never reached by an INVITE, or nobody knows.
            if !seen.contains(id) && !matches!(result, "not_dialled" | "unknown") {
                verdict.lost += 1;
                verdict.fault(format!("{}: the record says {result}, but nobody was called", text(record, "to")));
            }
        }
    }

    fn judge_called(&self, verdict: &mut Verdict, called: &CalledReport, record: Option<&Value>) {
        if called.invites > 1 || called.overlapped {
            verdict.dialled_twice += 1;
            verdict.fault(format!("{}: called {} times, {}", called.number, called.invites, called.call_id));
        }
        if called.stuck {
            verdict.stuck += 1;
            verdict.fault(format!("{}: the called phone never came to rest in {}", called.number, called.call_id));
        }
        if called.heard.len() > 1 {
            verdict.double_booked += 1;
            verdict.fault(format!("{}: the called party heard more than one agent", called.call_id));
        }
        let Some(record) = record else {
            verdict.lost += 1;
            return verdict.fault(format!("{}: {} was called, but there is no record", called.call_id, called.number));
        };
        let (saw, says) = (result_seen(called), text(record, "dial_result"));
        if !agrees(saw, says, self.killed > 0) {
            verdict.lost += 1;
            verdict.fault(format!(
                "{}: {} saw {saw} (status {}, ended by {:?}), the record says {says}",
                called.call_id, called.number, called.final_status, called.ended_by
            ));
        }
        if saw == "connected" {
            verdict.connected += 1;
            self.judge_audio(verdict, &FarEnd::from(called), record);
        }
    }
}

/// What became of a call, by the called party's own eyes and ears.
fn result_seen(called: &CalledReport) -> &'static str {
    match called.role {
        CalledRole::Busy => "busy",
        CalledRole::Declines => "rejected",
        CalledRole::Unknown => "invalid_number",
        CalledRole::Unreachable { .. } | CalledRole::Dead => "unreachable",
        _ if called.answered_at.is_none() => "no_answer",
        _ if called.first_agent_tone_at.is_none() => "abandoned",
        // Cut off by us while both still talked: who is called always hangs up in the demo.
        _ if called.ended_by == EndedBy::Called => "connected",
        _ => "cut off",
    }
}

fn agrees(saw: &str, says: &str, a_node_died: bool) -> bool {
    match (saw, says) {
        _ if saw == says => true,
        // Left in the very moment an agent answered: no tone was heard yet.
        ("abandoned", "connected") => true,
        // A node died before it could say that its INVITE had left: whoever rang then is cancelled, and not called again.
        ("no_answer" | "busy" | "rejected" | "invalid_number" | "abandoned", "unknown") => a_node_died,
        _ => false,
    }
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}
