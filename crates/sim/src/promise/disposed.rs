//! Dispositions: what an agent says of a call stands in the call's record, whenever it comes while the call is known, ends
//! the agent's wrap-up, and nothing else does. Who never talked in that call says nothing of it. Of several agents the one
//! who left it last is believed.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{AgentId, CallId};
use strowger_table::{Command, Record, Refusal, SegmentKind, Shard, SlotState};

use super::{Found, Step};

const PROMISE: &str = "disposition";

#[derive(Default)]
pub(crate) struct Disposed {
    pub found: Found,
    /// In the order in which those who said it left the call.
    said: BTreeMap<CallId, BTreeMap<u16, String>>,
    /// Calls that took what was said in another along, and those.
    merged: BTreeSet<CallId>,
}

impl Disposed {
    pub fn committed(&mut self, step: &Step<'_>) {
        if let Some(Command::Dispose { agent, call, code }) = step.command()
            && !step.is_repeat
        {
            self.judge(step, *agent, *call, code);
        }
        self.merged.extend(step.merges().into_iter().flatten());
        for record in step.records {
            self.record(record);
        }
    }

    fn judge(&mut self, step: &Step<'_>, agent: AgentId, call: CallId, code: &str) {
        // Of a process that was declared dead nothing is taken.
        if step.applied.outcome.refusal() == Some(Refusal::Fenced) {
            return;
        }
        let (granted, talked) = (step.is_granted(), work(step.before, agent, call).is_some());
        // What came by a node that is over is refused, and the agent says it again by another.
        let from = step.proposal.from;
        let is_over = from.incarnation <= step.before.fenced(from.node);
        if granted != (talked && !is_over) && !step.is_wrong {
            let outcome = &step.applied.outcome;
            self.found
                .breach(PROMISE, Some(call), || format!("{agent} talked in it: {talked}, said {code}: {outcome:?}"));
        }
        if !granted {
            return;
        }
        let piece = work(step.after, agent, call).unwrap_or_default();
        self.said.entry(call).or_default().insert(piece, code.to_owned());
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
        if record.disposition.as_ref() != said && !self.merged.contains(&record.call) {
            let (written, call) = (&record.disposition, record.call);
            self.found.breach(PROMISE, Some(call), || format!("recorded as {written:?}, said was {said:?}"));
        }
    }
}

/// The last piece of an agent's work in a call, by its place in the call's story.
fn work(shard: &Shard, agent: AgentId, call: CallId) -> Option<u16> {
    shard.agent(agent)?;
    let is_work = |kind: SegmentKind| matches!(kind, SegmentKind::Talk | SegmentKind::Wrap);
    let pieces = &shard.call(call)?.segments;
    pieces.iter().rfind(|piece| piece.agent == Some(agent) && is_work(piece.kind)).map(|piece| piece.no)
}

/// The wrap-up of an agent after a call, by its place in the call's story.
fn wraps(shard: &Shard, agent: AgentId, call: CallId) -> Option<u16> {
    let wrap = |state: SlotState| match state {
        SlotState::Wrap { call: wrapped, segment, .. } if wrapped == call => Some(segment),
        _ => None,
    };
    shard.agent(agent)?.slots.iter().find_map(|slot| wrap(slot.state))
}
