//! Nobody is called twice: no number has two INVITE dialogs alive at once, a lead has no more of them than attempts are
//! counted and allowed, and an INVITE leaves soon after its call was begun, from the process that was to send it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{CallId, DialResult, LeadId, LegKey, Mono, Owner, TenantId};
use strowger_table::{DialRecord, Shard, limit};

use super::{Found, Step};
use crate::far::{Called, Ring};
use crate::happening::Who;

const PROMISE: &str = "dialled once";
/// A node's log clock is behind the log by what an entry needs to reach it: commit and lag at their longest.
const BEHIND: Duration = Duration::from_millis(400);

#[derive(Default)]
pub(crate) struct DialledOnce {
    pub found: Found,
    /// Calls whose INVITE was to be sent.
    begun: BTreeMap<CallId, Begun>,
    /// Dialogs that far ends saw for each lead: all, and those that no agent asked for.
    rung: BTreeMap<LeadId, (BTreeSet<CallId>, BTreeSet<CallId>)>,
}

struct Begun {
    owner: Owner,
    tenant: TenantId,
    at: Mono,
    lead: Option<LeadId>,
    /// An agent asked for it, and is on the line.
    manual: bool,
    sent: bool,
}

impl DialledOnce {
    pub fn committed(&mut self, step: &Step<'_>, now: Mono) {
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            if row.is_dialling()
                && let Some(outbound) = row.outbound()
            {
                let (owner, lead, manual) =
                    (row.owner, outbound.lead, row.legs.iter().any(|leg| leg.agent().is_some()));
                self.begun.entry(row.id).or_insert(Begun {
                    owner,
                    tenant: row.tenant,
                    at: now,
                    lead,
                    manual,
                    sent: false,
                });
            }
        }
        // What the carrier took to nobody is no attempt.
        let of_carrier = |dial: &DialRecord| dial.result == DialResult::CarrierFailed;
        for record in step.records.iter().filter(|record| record.dial.as_ref().is_some_and(of_carrier)) {
            if let Some((all, unasked)) = record.dial.and_then(|dial| self.rung.get_mut(&dial.lead?)) {
                all.remove(&record.call);
                unasked.remove(&record.call);
            }
        }
    }

    /// An INVITE to a called party leaves a node.
    pub fn left(&mut self, who: Who, call: CallId, now: Mono) {
        let Some(begun) = self.begun.get_mut(&call) else {
            return self.found.breach(PROMISE, Some(call), || "an INVITE for a call that was never begun".to_owned());
        };
        let first = !std::mem::replace(&mut begun.sent, true);
        let (owner, late) = (begun.owner, now.since(begun.at));
        if (owner.node, owner.incarnation) != (who.id(), who.life) {
            self.found.breach(PROMISE, Some(call), || format!("n{} sends the INVITE of {owner:?}", who.node + 1));
        }
        if first && late > limit::DIAL_WITHIN + BEHIND {
            self.found.breach(PROMISE, Some(call), || format!("the INVITE leaves {late:?} after its entry"));
        }
    }

    /// A phone gets an INVITE that it has not had.
    pub fn rung(&mut self, truth: &Shard, called: &Called, key: Option<LegKey>) {
        let Some(key) = key else { return };
        // Another tenant knows nothing of it.
        let tenant = |key: LegKey| self.begun.get(&key.call).map(|begun| begun.tenant);
        let mut live = called.phone.rings().iter().filter(|ring| ring.is_live()).filter_map(|ring: &Ring| ring.key);
        let other = live.find(|other| tenant(*other) == tenant(key));
        if let Some(other) = other {
            let number = called.number;
            self.found.breach(PROMISE, Some(key.call), || format!("{number} is called while it has {other}"));
        }
        let Some(begun) = self.begun.get(&key.call) else { return };
        let Some(lead) = begun.lead.and_then(|lead| truth.lead(lead)) else { return };
        let (all, unasked) = self.rung.entry(lead.id).or_default();
        all.insert(key.call);
        if !begun.manual {
            unasked.insert(key.call);
        }
        let (all, unasked) = (all.len(), unasked.len());
        if all > usize::from(lead.attempts) {
            self.found.breach(PROMISE, Some(key.call), || format!("{all} dialogs, {} attempts", lead.attempts));
        }
        let campaign = truth.tenants().find_map(|tenant| tenant.campaign(lead.id.campaign()));
        if let Some(most) = campaign.map(|campaign| campaign.max_attempts).filter(|most| unasked > usize::from(*most)) {
            self.found.breach(PROMISE, Some(key.call), || format!("{unasked} dialogs, at most {most} attempts"));
        }
    }
}
