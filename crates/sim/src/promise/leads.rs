//! No lead is lost and none is counted twice: each is due, dialled by one live call or done, and the ledger's counts are
//! those of the records.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{CallId, CampaignId, DialResult, LeadId};
use strowger_table::{Body, Command, LeadTurn, Outcome, Record, Shard};

use super::{Found, Step};

const PROMISE: &str = "leads";

#[derive(Default)]
pub(crate) struct Leads {
    pub found: Found,
    taken: BTreeMap<CampaignId, u32>,
    /// Calls that were dialled, and those of them that have no record yet.
    dialled: BTreeMap<CampaignId, BTreeSet<CallId>>,
    results: BTreeMap<(CampaignId, DialResult), u64>,
    recorded: BTreeSet<CallId>,
}

impl Leads {
    pub fn committed(&mut self, step: &Step<'_>, is_first: bool) {
        if step.after.campaigns().next().is_none() {
            return;
        }
        if let (Body::Shard(Command::Import { campaign, .. }), Outcome::Imported { added, .. }) =
            (&step.proposal.body, &step.applied.outcome)
            && is_first
        {
            *self.taken.entry(*campaign).or_default() += added;
        }
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            if let Some(outbound) = row.outbound().filter(|_| row.is_dialling()) {
                self.dialled.entry(outbound.campaign).or_default().insert(row.id);
            }
        }
        step.records.iter().for_each(|record| self.record(step.after, record));
        self.states(step.after);
        self.counts(step.after);
    }

    /// A call that was dialled leaves one record, and it says what came of it.
    fn record(&mut self, shard: &Shard, record: &Record) {
        let outbound = shard.call(record.call).is_some_and(|row| row.outbound().is_some());
        if outbound != record.dial.is_some() {
            return self.found.breach(PROMISE, Some(record.call), || format!("recorded with {:?}", record.dial));
        }
        let Some(dial) = record.dial.filter(|_| record.wrap_ms.is_none()) else { return };
        if !self.recorded.insert(record.call) {
            self.found.breach(PROMISE, Some(record.call), || "two records of one call".to_owned());
        }
        *self.results.entry((dial.campaign, dial.result)).or_default() += 1;
    }

    fn states(&mut self, shard: &Shard) {
        let mut live: BTreeMap<LeadId, CallId> = BTreeMap::new();
        for row in shard.calls().filter(|row| !row.is_over()) {
            if let Some(lead) = row.outbound().and_then(|outbound| outbound.lead)
                && let Some(other) = live.insert(lead, row.id)
            {
                self.found.breach(PROMISE, Some(row.id), || format!("lead {lead} has {other} too"));
            }
        }
        for ledger in shard.campaigns() {
            let mut numbers = BTreeSet::new();
            for lead in shard.leads(ledger.campaign) {
                let dialled_by = lead.dialled_by();
                let held_by = live.remove(&lead.id);
                if dialled_by != held_by {
                    self.found.breach(PROMISE, dialled_by.or(held_by), || {
                        format!("lead {} is {:?}, the calls say {held_by:?}", lead.id, lead.state)
                    });
                }
                if !numbers.insert(lead.number) {
                    self.found.breach(PROMISE, None, || format!("{} is twice on a list", lead.number));
                }
            }
            let done = shard.leads(ledger.campaign).filter(|lead| shard.turn(lead) == LeadTurn::Done).count();
            let counted = shard.leads_done(ledger.campaign);
            if done != counted {
                self.found.breach(PROMISE, None, || format!("{done} leads are done, {counted} counted"));
            }
            let (taken, there) = (self.taken.get(&ledger.campaign).copied().unwrap_or_default(), numbers.len());
            if (taken, taken) != (there as u32, ledger.leads) {
                self.found.breach(PROMISE, None, || format!("{taken} leads taken, {there} there"));
            }
        }
        if let Some((lead, call)) = live.first_key_value() {
            self.found.breach(PROMISE, Some(*call), || format!("a call to lead {lead}, which is not there"));
        }
    }

    fn counts(&mut self, shard: &Shard) {
        for ledger in shard.campaigns() {
            let id = ledger.campaign;
            let dialled = self.dialled.get(&id).map_or(0, BTreeSet::len) as u64;
            if ledger.dialled != dialled {
                self.found.breach(PROMISE, None, || format!("{dialled} calls begun, {} counted", ledger.dialled));
            }
            for result in DialResult::ALL {
                let recorded = self.results.get(&(id, result)).copied().unwrap_or_default();
                let counted = ledger.count(result);
                if recorded != counted {
                    self.found.breach(PROMISE, None, || format!("{result}: {recorded} records, {counted} counted"));
                }
            }
        }
    }
}
