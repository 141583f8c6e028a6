//! True records: what a record says of far ends is what they said and saw, on the wire, whatever rows had it for.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{CallId, DialResult, HangupBy, LegKey, Outcome};
use strowger_table::Record;

use super::{Found, Step};
use crate::far::Sip;

const PROMISE: &str = "true record";

#[derive(Default)]
pub(crate) struct TrueRecord {
    pub found: Found,
    /// Legs whose INVITE left a node.
    invited: BTreeSet<LegKey>,
    /// Final answers to our INVITEs, by leg.
    answers: BTreeMap<LegKey, BTreeSet<u16>>,
    /// The agent whose phone answered a leg, by its Call-ID.
    answered_by: BTreeMap<String, usize>,
    /// Dialogs that a far end left: it hung up, gave up, refused or no longer knew them.
    left: BTreeSet<String>,
    /// Calls that became one: who of several talked last, and who was the last to leave, is not judged.
    merged: BTreeSet<CallId>,
    /// Called parties' legs of whose calls a record says that nothing was sent.
    unsent: BTreeSet<LegKey>,
}

impl TrueRecord {
    /// A far end's message is on its way to the cluster; `agent`: of which agent's phone.
    pub fn heard(&mut self, sip: &Sip, agent: Option<usize>) {
        let gone = matches!((sip.status(), sip.method()), (0, "BYE" | "CANCEL") | (481, _) | (300.., "INVITE"));
        if gone {
            self.left.insert(sip.call_id().to_owned());
        }
        if let (status @ 200.., "INVITE", Some(key)) = (sip.status(), sip.method(), sip.key()) {
            self.answers.entry(key).or_default().insert(status);
            if let Some(agent) = agent.filter(|_| status < 300) {
                self.answered_by.insert(sip.call_id().to_owned(), agent);
            }
        }
    }

    /// An INVITE of ours leaves a node.
    pub fn invited(&mut self, key: LegKey) {
        self.invited.insert(key);
        if self.unsent.contains(&key) {
            self.found.breach(PROMISE, Some(key.call), || "an INVITE leaves, its record says not dialled".to_owned());
        }
    }

    pub fn committed(&mut self, step: &Step<'_>) {
        self.merged.extend(step.merges().into_iter().flatten());
        for record in step.records.iter().filter(|record| record.wrap_ms.is_none()) {
            let customer = step.after.call(record.call).and_then(|row| row.customer()).map(|leg| leg.key);
            if let Some(text) = self.fault(record, customer) {
                self.found.breach(PROMISE, Some(record.call), || text);
            }
            if record.dial.is_some_and(|dial| dial.result == DialResult::NotDialled) {
                self.unsent.extend(customer);
            }
        }
    }

    fn fault(&self, record: &Record, customer: Option<LegKey>) -> Option<String> {
        let of_far_ends = || self.agent_fault(record).or_else(|| self.hang_up_fault(record));
        let is_one = !self.merged.contains(&record.call);
        self.dial_fault(record, customer).or_else(|| of_far_ends().filter(|_| is_one))
    }

    fn dial_fault(&self, record: &Record, customer: Option<LegKey>) -> Option<String> {
        let dial = record.dial?;
        let none = BTreeSet::new();
        let sent = customer.is_some_and(|key| self.invited.contains(&key));
        let said = customer.and_then(|key| self.answers.get(&key)).unwrap_or(&none);
        let answered = said.iter().any(|status| *status < 300);
        let right = match dial.result {
            DialResult::Connected | DialResult::Abandoned => answered && dial.status == 200,
            DialResult::NotDialled => !sent,
            // Silence may be all that was heard, but only after something was said.
            DialResult::NoAnswer => sent && (dial.status == 0 || said.contains(&dial.status)),
            DialResult::Busy => dial.status == 486 && said.contains(&486),
            DialResult::Rejected => dial.status == 603 && said.contains(&603),
            DialResult::InvalidNumber => dial.status == 404 && said.contains(&404),
            DialResult::CarrierFailed => sent && (dial.status == 0 || said.contains(&dial.status)),
            DialResult::Unreachable => dial.status == 0 || said.contains(&dial.status),
            DialResult::Unknown => true,
        };
        (!right).then(|| {
            format!("{} ({}) is recorded; INVITE sent: {sent}; the phone said {said:?}", dial.result, dial.status)
        })
    }

    /// Who talked, by the record, is the agent whose phone answered.
    fn agent_fault(&self, record: &Record) -> Option<String> {
        if record.outcome != Outcome::Answered {
            return None;
        }
        let answered = record.agent_sip_call_id.as_ref().and_then(|id| self.answered_by.get(id));
        let recorded = record.agent.map(|agent| agent.0 as usize - 1);
        (answered.copied() != recorded || recorded.is_none())
            .then(|| format!("{:?} is recorded as talking, phone {answered:?} answered", record.agent))
    }

    /// Who hung up, by the record, did so.
    fn hang_up_fault(&self, record: &Record) -> Option<String> {
        let dialog = match record.ended.by {
            HangupBy::Caller => Some(&record.sip_call_id),
            // The phone that was rung first, of a call that came to nothing, is in no record.
            HangupBy::Agent => record.agent_sip_call_id.as_ref(),
            HangupBy::System | HangupBy::Party => None,
        }?;
        (!self.left.contains(dialog)).then(|| format!("ended by {:?}, who never left", record.ended.by))
    }
}
