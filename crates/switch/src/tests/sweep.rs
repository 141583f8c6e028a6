//! Rows without an actor, and actors without a row.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::{CallId, Incarnation, ShardId};
use strowger_table::Shard;

use super::bench::*;
use crate::{Difference, SWEEP, Sweep, all_rows, differences};

fn compare(bench: &Bench, calls: &[(CallId, bool)]) -> BTreeSet<Difference> {
    let me = (ME.node, ME.incarnation);
    differences(&[&bench.shard], me, &calls.iter().copied().collect(), &BTreeMap::new())
}

#[test]
fn a_call_without_a_row_has_no_actor_for_long() {
    let (here, elsewhere) = (Shard::new(ShardId(1)), CallId::new(ShardId(2), 7));
    let left = CallId::new(ShardId(1), 7);
    let calls = BTreeMap::from([(left, true), (elsewhere, true)]);
    let found = differences(&[&here], (ME.node, Incarnation(1)), &calls, &BTreeMap::new());
    assert_eq!(found, BTreeSet::from([Difference::CallLeft(left)]), "of other shards nothing is known");
}

#[test]
fn a_call_of_this_node_has_an_actor_that_did_not_break_as_long_as_it_has_work() {
    let mut bench = Bench::new();
    let (mine, theirs) = (bench.call_of(ME, "a"), bench.call_of(OTHER, "b"));
    assert_eq!(compare(&bench, &[(mine, true)]), [].into());
    assert_eq!(compare(&bench, &[]), [Difference::CallWithout(mine)].into());
    assert_eq!(compare(&bench, &[(mine, false)]), [Difference::CallWithout(mine)].into());
    assert_eq!(compare(&bench, &[(mine, true), (theirs, true)]), [Difference::CallLeft(theirs)].into());
    bench.ended(ME, mine);
    assert_eq!(compare(&bench, &[]), [].into(), "over, and nothing is left to do");
}

#[test]
fn who_has_an_actor_and_no_row_is_looked_at_as_well() {
    let table = Shard::new(ShardId(1));
    let left = CallId::new(ShardId(1), 7);
    assert_eq!(all_rows(&table, [left]), [strowger_table::RowKey::Call(left)].into());
}

#[test]
fn only_what_stays_different_is_mended() {
    let [one, two, three] = [7, 8, 9].map(|index| Difference::CallLeft(CallId::new(ShardId(1), index)));
    let mut sweep = Sweep::default();
    assert_eq!(sweep.look([].into()), (vec![], SWEEP));
    let (mended, soon) = sweep.look([one, two].into());
    assert!(mended.is_empty() && soon < SWEEP);
    assert_eq!(sweep.look([two, three].into()), (vec![two], SWEEP));
    assert_eq!(sweep.look([three].into()), (vec![], soon), "it is new to this look");
    assert_eq!(sweep.look([].into()), (vec![], SWEEP));
}
