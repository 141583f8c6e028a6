//! New calls of trunks at this node's door. What a trunk may send is for the whole cluster: each node lets in as many as
//! the rate allows, less what the others say in their heartbeats that they let in, because one carrier's calls come to
//! one node or to all. A view that is a heartbeat old lets in too many for a moment, which is owed afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{Incarnation, Mono, NodeId, TrunkId};

use crate::Gate;

/// For so long after a call its trunk's count is in each heartbeat: who heard none of ten is about to be passive.
const TOLD_FOR: Duration = Duration::from_secs(1);

/// The gates of all trunks that calls have come over.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    /// Each with the rate that it is for.
    gates: BTreeMap<TrunkId, (u32, Gate)>,
    /// Calls let in since this process began, and when the last one was.
    let_in: BTreeMap<TrunkId, (u64, Mono)>,
    /// What each other process said last.
    others: BTreeMap<NodeId, (Incarnation, BTreeMap<TrunkId, u64>)>,
}

impl Trunks {
    /// Whether the trunk, which may send so many calls a second, has room for one more.
    pub fn admit(&mut self, trunk: TrunkId, calls_per_second: u32, now: Mono) -> bool {
        let (rate, gate) =
            self.gates.entry(trunk).or_insert_with(|| (calls_per_second, Gate::new(calls_per_second, now)));
        if *rate != calls_per_second {
            (*rate, *gate) = (calls_per_second, Gate::new(calls_per_second, now));
        }
        gate.admit(now)
    }

    /// One more is in.
    pub fn count(&mut self, trunk: TrunkId, now: Mono) {
        let (count, last) = self.let_in.entry(trunk).or_insert((0, now));
        (*count, *last) = (*count + 1, now);
    }

    /// Of the trunks that sent a call lately, how many this process has let in since it began.
    pub fn lately(&self, now: Mono) -> Vec<(TrunkId, u64)> {
        let lately = self.let_in.iter().filter(|(_, (_, last))| now.since(*last) <= TOLD_FOR);
        lately.map(|(trunk, (count, _))| (*trunk, *count)).collect()
    }

    /// Another process says how many it has let in. What it says first of a trunk may be long ago and is only noted.
    pub fn others(&mut self, (node, incarnation): (NodeId, Incarnation), counts: &[(TrunkId, u64)], now: Mono) {
        let (life, known) = self.others.entry(node).or_insert_with(|| (incarnation, BTreeMap::new()));
        if *life != incarnation {
            (*life, *known) = (incarnation, BTreeMap::new());
        }
        for (trunk, count) in counts {
            let before = known.insert(*trunk, *count).unwrap_or(*count);
            if let Some((_, gate)) = self.gates.get_mut(trunk) {
                gate.spend(count.saturating_sub(before), now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUNK: TrunkId = TrunkId(7);
    const RATE: u32 = 10;
    const BEAT: Duration = Duration::from_millis(100);

    fn process(node: u16, life: u64) -> (NodeId, Incarnation) {
        (NodeId(node), Incarnation(life))
    }

    /// Each node is sent so many calls in each heartbeat's time: how many all let in, in so many seconds.
    fn let_in(offered: [usize; 3], seconds: u32) -> usize {
        let mut nodes = [(); 3].map(|()| Trunks::default());
        let mut now = Mono(10_000_000);
        let mut total = 0;
        for _ in 0..seconds * 10 {
            for (node, calls) in nodes.iter_mut().zip(offered) {
                for _ in 0..calls {
                    if node.admit(TRUNK, RATE, now) {
                        node.count(TRUNK, now);
                        total += 1;
                    }
                }
            }
            now = now + BEAT;
            let said = nodes.each_ref().map(|node| node.lately(now));
            for (from, counts) in (1..).zip(said) {
                for (me, node) in (1..).zip(&mut nodes) {
                    if me != from {
                        node.others(process(from, 1), &counts, now);
                    }
                }
            }
        }
        total
    }

    #[test]
    fn one_node_may_take_the_whole_rate_and_all_together_no_more() {
        let (rate, burst) = (RATE as usize, RATE as usize);
        assert_eq!(let_in([5, 0, 0], 60), 60 * rate + burst - 1, "one carrier, one node");
        for offered in [[5, 5, 5], [9, 1, 0], [1, 1, 1]] {
            let total = let_in(offered, 60);
            let most = 60 * rate + 3 * burst;
            assert!((60 * rate - burst..=most).contains(&total), "{offered:?}: {total}");
        }
    }

    #[test]
    fn what_was_long_ago_or_of_another_life_is_not_counted() {
        let (mut here, now) = (Trunks::default(), Mono(10_000_000));
        assert!(here.admit(TRUNK, RATE, now));
        here.others(process(2, 1), &[(TRUNK, 1000)], now);
        here.others(process(2, 2), &[(TRUNK, 3)], now);
        here.others(process(3, 1), &[(TRUNK, 10)], now);
        here.others(process(3, 2), &[(TRUNK, 15)], now);
        assert_eq!((0..20).filter(|_| here.admit(TRUNK, RATE, now)).count(), 9);
        here.others(process(2, 2), &[(TRUNK, 5)], now);
        let later = now + Duration::from_millis(300);
        assert_eq!((0..20).filter(|_| here.admit(TRUNK, RATE, later)).count(), 1, "two of three are the other's");
    }

    #[test]
    fn a_trunk_that_is_quiet_is_not_told() {
        let (mut here, now) = (Trunks::default(), Mono(10_000_000));
        here.count(TRUNK, now);
        here.count(TRUNK, now);
        assert_eq!(here.lately(now + TOLD_FOR), [(TRUNK, 2)]);
        assert_eq!(here.lately(now + TOLD_FOR + Duration::from_micros(1)), []);
    }

    #[test]
    fn a_rate_that_is_changed_holds_from_the_next_call_on() {
        let (mut here, now) = (Trunks::default(), Mono(10_000_000));
        assert_eq!((0..20).filter(|_| here.admit(TRUNK, RATE, now)).count(), 10);
        assert_eq!((0..20).filter(|_| here.admit(TRUNK, 15, now)).count(), 15);
    }
}
