//! Calls that are proposed and that the log has not shown yet. They count like those that it has: who looks meanwhile,
//! for another shard or another agent, must not hand out the same room again.

use imbl::OrdMap;
use strowger_model::{CallId, ShardId};

use crate::spending::Payer;

/// Names one of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(u64);

/// Copies are cheap: they share what did not change.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay {
    next: u64,
    calls: OrdMap<Ticket, Proposed>,
    by_payer: OrdMap<Payer, u32>,
    /// How far the log of each shard has been counted.
    heard: OrdMap<ShardId, u64>,
}

#[derive(Clone, Debug)]
struct Proposed {
    payers: [Payer; 3],
    /// Once it is granted.
    call: Option<CallId>,
}

impl UnderWay {
    pub fn of(&self, payer: &Payer) -> u32 {
        self.by_payer.get(payer).copied().unwrap_or_default()
    }

    pub fn begin(&mut self, payers: [Payer; 3]) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        for payer in &payers {
            *self.by_payer.entry(payer.clone()).or_insert(0) += 1;
        }
        self.calls.insert(ticket, Proposed { payers, call: None });
        ticket
    }

    /// None: no entry makes it. Of one whose answer was lost that may be wrong; the log counts it then, later than it
    /// should.
    pub fn answered(&mut self, ticket: Ticket, call: Option<CallId>) {
        match call.filter(|call| self.heard.get(&call.shard()).is_none_or(|heard| *heard < call.index())) {
            None => self.end(ticket),
            awaited => {
                if let Some(proposed) = self.calls.get_mut(&ticket) {
                    proposed.call = awaited;
                }
            }
        }
    }

    /// All entries of a shard up to this one are counted.
    pub fn heard(&mut self, shard: ShardId, index: u64) {
        self.heard.insert(shard, index);
        let is_counted = |call: CallId| call.shard() == shard && call.index() <= index;
        let counted = self.calls.iter().filter(|(_, proposed)| proposed.call.is_some_and(is_counted));
        let counted: Vec<Ticket> = counted.map(|(ticket, _)| *ticket).collect();
        counted.into_iter().for_each(|ticket| self.end(ticket));
    }

    fn end(&mut self, ticket: Ticket) {
        let Some(proposed) = self.calls.remove(&ticket) else { return };
        for payer in proposed.payers {
            match self.of(&payer) {
                0 | 1 => drop(self.by_payer.remove(&payer)),
                several => drop(self.by_payer.insert(payer, several - 1)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::AgentId;

    use super::*;

    const SHARD: ShardId = ShardId(2);

    fn agent() -> Payer {
        Payer::Agent(AgentId(1))
    }

    fn begin(calls: &mut UnderWay) -> Ticket {
        calls.begin(Payer::all(AgentId(1), "acme", "carrier"))
    }

    #[test]
    fn a_call_is_under_way_until_it_is_refused_or_counted() {
        let mut calls = UnderWay::default();
        let [refused, granted, open] = std::array::from_fn(|_| begin(&mut calls));
        assert_eq!(
            [agent(), Payer::Tenant("acme".into()), Payer::Trunk("other".into())].map(|of| calls.of(&of)),
            [3, 3, 0]
        );
        calls.answered(refused, None);
        calls.answered(granted, Some(CallId::new(SHARD, 7)));
        assert_eq!(calls.of(&agent()), 2, "its row is not counted yet");
        calls.heard(SHARD, 6);
        calls.heard(ShardId(1), 9);
        assert_eq!(calls.of(&agent()), 2);
        calls.heard(SHARD, 7);
        assert_eq!(calls.of(&agent()), 1);
        calls.answered(open, None);
        assert!(calls.calls.is_empty() && calls.by_payer.is_empty());
    }

    /// The log is often faster than the answer.
    #[test]
    fn an_answer_after_the_entry_ends_it_at_once() {
        let mut calls = UnderWay::default();
        let ticket = begin(&mut calls);
        calls.heard(SHARD, 7);
        assert_eq!(calls.of(&agent()), 1, "whose entry that was is not known yet");
        calls.answered(ticket, Some(CallId::new(SHARD, 7)));
        assert_eq!(calls.of(&agent()), 0);
        calls.answered(ticket, None);
        assert_eq!(calls.of(&agent()), 0, "once");
    }
}
