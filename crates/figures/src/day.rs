//! How the calls of a day ended: callers' and called parties' apart, with reasons.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_model::{CampaignId, DialResult, Outcome, QueueId, TenantId};
use strowger_table::Record;

use crate::tally::{Tally, thousandths};

/// Calls that began on a day and are over.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DayFigures {
    /// Of callers, by outcome.
    pub inbound: BTreeMap<&'static str, u64>,
    /// To people who were called, by result.
    pub outbound: BTreeMap<&'static str, u64>,
    /// Callers' calls that failed or were refused, by Q.850 cause.
    pub causes: BTreeMap<u8, u64>,
}

/// What came of a campaign's calls on a day.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampaignDay {
    /// By result.
    pub results: BTreeMap<&'static str, u64>,
    /// Calls that left: all but those that a carrier did not take, that were not dialled, or of which nobody knows.
    pub attempts: u64,
    /// Share of the attempts that somebody answered; none without attempts.
    pub connect_rate: Option<f64>,
    /// Share of those who answered whom no agent was there for; none when nobody answered.
    pub abandoned_share: Option<f64>,
}

/// Calls that began within some time, or several such counts added up.
#[derive(Clone, Default)]
pub(crate) struct Span {
    tenants: BTreeMap<TenantId, Ends>,
    queues: BTreeMap<QueueId, Tally>,
    campaigns: BTreeMap<CampaignId, BTreeMap<DialResult, u64>>,
}

#[derive(Clone, Default)]
struct Ends {
    inbound: BTreeMap<Outcome, u64>,
    outbound: BTreeMap<DialResult, u64>,
    causes: BTreeMap<u8, u64>,
}

impl Span {
    /// A call that is over. `left` is how it left its queue, if it was a caller's and stood in one.
    pub(crate) fn count(&mut self, record: &Record, left: Option<(QueueId, Tally)>) {
        let ends = self.tenants.entry(record.tenant).or_default();
        match record.dial {
            Some(dial) => {
                *ends.outbound.entry(dial.result).or_default() += 1;
                *self.campaigns.entry(dial.campaign).or_default().entry(dial.result).or_default() += 1;
            }
            None => {
                *ends.inbound.entry(record.outcome).or_default() += 1;
                if matches!(record.outcome, Outcome::Failed | Outcome::Rejected) {
                    *ends.causes.entry(record.ended.cause.0).or_default() += 1;
                }
            }
        }
        if let Some((queue, tally)) = left {
            self.queues.entry(queue).or_default().add(tally);
        }
    }

    pub(crate) fn add(&mut self, other: &Span) {
        for (tenant, ends) in &other.tenants {
            self.tenants.entry(*tenant).or_default().add(ends);
        }
        for (queue, tally) in &other.queues {
            self.queues.entry(*queue).or_default().add(*tally);
        }
        for (campaign, results) in &other.campaigns {
            sum(self.campaigns.entry(*campaign).or_default(), results);
        }
    }

    /// Of one tenant.
    pub(crate) fn tenant(&self, id: TenantId) -> DayFigures {
        self.tenants.get(&id).cloned().unwrap_or_default().figures()
    }

    /// Of all tenants.
    pub(crate) fn all(&self) -> DayFigures {
        let mut all = Ends::default();
        self.tenants.values().for_each(|ends| all.add(ends));
        all.figures()
    }

    /// How callers left a queue.
    pub(crate) fn queue(&self, id: QueueId) -> Tally {
        self.queues.get(&id).copied().unwrap_or_default()
    }

    pub(crate) fn campaign(&self, id: CampaignId) -> CampaignDay {
        CampaignDay::new(&self.campaigns.get(&id).cloned().unwrap_or_default())
    }
}

impl Ends {
    fn add(&mut self, other: &Ends) {
        sum(&mut self.inbound, &other.inbound);
        sum(&mut self.outbound, &other.outbound);
        sum(&mut self.causes, &other.causes);
    }

    /// Each outcome and result is said, also if no call had it. That of a caller is never "not reached".
    fn figures(self) -> DayFigures {
        let outcomes = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::NotReached);
        let inbound = outcomes.map(|outcome| (outcome.as_str(), of(&self.inbound, outcome))).collect();
        DayFigures { inbound, outbound: results(&self.outbound), causes: self.causes }
    }
}

impl CampaignDay {
    fn new(counts: &BTreeMap<DialResult, u64>) -> Self {
        let is_attempt = |result: &DialResult| {
            !matches!(result, DialResult::CarrierFailed | DialResult::NotDialled | DialResult::Unknown)
        };
        let attempts = DialResult::ALL.into_iter().filter(is_attempt).map(|result| of(counts, result)).sum();
        let abandoned = of(counts, DialResult::Abandoned);
        let live = of(counts, DialResult::Connected) + abandoned;
        Self {
            results: results(counts),
            attempts,
            connect_rate: thousandths(live, attempts),
            abandoned_share: thousandths(abandoned, live),
        }
    }
}

fn results(counts: &BTreeMap<DialResult, u64>) -> BTreeMap<&'static str, u64> {
    DialResult::ALL.into_iter().map(|result| (result.as_str(), of(counts, result))).collect()
}

fn of<K: Ord>(counts: &BTreeMap<K, u64>, what: K) -> u64 {
    counts.get(&what).copied().unwrap_or_default()
}

fn sum<K: Ord + Copy>(all: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    more.iter().for_each(|(what, count)| *all.entry(*what).or_default() += count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(counts: &[(DialResult, u64)]) -> CampaignDay {
        CampaignDay::new(&counts.iter().copied().collect())
    }

    #[test]
    fn who_answered_is_a_share_of_the_calls_that_left() {
        let none = day(&[]);
        assert_eq!((none.attempts, none.connect_rate, none.abandoned_share), (0, None, None));
        assert_eq!(none.results.len(), DialResult::ALL.len());
        let tried = day(&[
            (DialResult::Connected, 3),
            (DialResult::Abandoned, 1),
            (DialResult::Busy, 2),
            (DialResult::NoAnswer, 2),
            (DialResult::CarrierFailed, 9),
            (DialResult::NotDialled, 9),
            (DialResult::Unknown, 9),
        ]);
        assert_eq!((tried.attempts, tried.connect_rate, tried.abandoned_share), (8, Some(0.5), Some(0.25)));
    }
}
