//! Dispositions: what an agent says of a call ends the agent's wrap-up and stands in the call's record, and nothing else
//! does. Who is not wrapping up that call says nothing of it. Of several agents the one who left it last is believed.

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId};
use strowger_table::{Command, Record, Refusal, Shard, SlotState};

use super::{Found, Step};

const PROMISE: &str = "disposition";

#[derive(Default)]
pub(crate) struct Disposed {
    pub found: Found,
    /// In the order in which those who said it left the call.
    said: BTreeMap<CallId, BTreeMap<u16, String>>,
}

impl Disposed {
    pub fn committed(&mut self, step: &Step<'_>) {
        if let Some(Command::Dispose { agent, call, code }) = step.command()
            && !step.is_repeat
        {
            self.judge(step, *agent, *call, code);
        }
        for record in step.records {
            self.record(record);
        }
    }

    fn judge(&mut self, step: &Step<'_>, agent: AgentId, call: CallId, code: &str) {
        // Of a process that was declared dead nothing is taken.
        if step.applied.outcome.refusal() == Some(Refusal::Fenced) {
            return;
        }
        let (granted, wrap) = (step.is_granted(), wraps(step.before, agent, call));
        // What came by a node that is over is refused, and the agent says it again by another.
        let from = step.proposal.from;
        let is_over = from.incarnation <= step.before.fenced(from.node);
        if granted != (wrap.is_some() && !is_over) && !step.is_wrong {
            let outcome = &step.applied.outcome;
            self.found.breach(PROMISE, Some(call), || {
                format!("{agent} wraps it up: {}, said {code}: {outcome:?}", wrap.is_some())
            });
        }
        if !granted {
            return;
        }
        self.said.entry(call).or_default().insert(wrap.unwrap_or_default(), code.to_owned());
        if wraps(step.after, agent, call).is_some() {
            self.found.breach(PROMISE, Some(call), || format!("{agent} said {code} and still wraps it up"));
        }
        let is_over = step.after.call(call).is_none_or(|row| row.is_over());
        let written = step.records.iter().any(|record| record.call == call && record.wrap_ms.is_some());
        if is_over && !written {
            self.found.breach(PROMISE, Some(call), || format!("{agent} said {code}, and no record says so"));
        }
    }

    fn record(&mut self, record: &Record) {
        let said = self.said.get(&record.call).and_then(|said| said.last_key_value()).map(|(_, code)| code);
        if record.disposition.as_ref() != said {
            let (written, call) = (&record.disposition, record.call);
            self.found.breach(PROMISE, Some(call), || format!("recorded as {written:?}, said was {said:?}"));
        }
    }
}

/// The wrap-up of an agent after a call, by its place in the call's story.
fn wraps(shard: &Shard, agent: AgentId, call: CallId) -> Option<u16> {
    let wrap = |state: SlotState| match state {
        SlotState::Wrap { call: wrapped, segment, .. } if wrapped == call => Some(segment),
        _ => None,
    };
    shard.agent(agent)?.slots.iter().find_map(|slot| wrap(slot.state))
}
