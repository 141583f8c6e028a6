//! Rows and actors compared, both ways: news of the log make and end actors, and what a fault of ours left different is
//! found here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{AgentId, CallId, ShardId};
use strowger_table::{Call, Shard};

use crate::rows::{has_phones_at, has_work};
use crate::standby::Life;

/// Between two looks.
pub const SWEEP: Duration = Duration::from_secs(5);
/// Only what is still different after this is mended: an actor may be about to begin or to end.
const SETTLED: Duration = Duration::from_millis(300);

/// A row and its actor that do not fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// A call of this node, with work to do and without an actor: what was told to relays and far ends is not known any
    /// more, so it is taken again under a new epoch.
    CallWithout(CallId),
    /// An actor whose call is another's, or gone: it ends.
    CallLeft(CallId),
    /// An agent with phones here, without an actor: it gets one.
    AgentWithout(ShardId, AgentId),
    /// An actor whose agent is another's, or has no phone: it ends.
    AgentLeft(AgentId),
}

/// `me`: whose rows have actors here. `calls` and `agents`: who has a seat, and whether an actor holds it that did not
/// break. They are listed before the tables are looked at: of each the row has been there before, and is missing only if
/// it is gone.
pub fn differences(
    tables: &[&Shard],
    me: Life,
    calls: &BTreeMap<CallId, bool>,
    agents: &BTreeMap<AgentId, bool>,
) -> BTreeSet<Difference> {
    let is_ours = |row: &Call| (row.owner.node, row.owner.incarnation) == me;
    let mut found = BTreeSet::new();
    let mut owned = BTreeSet::new();
    for table in tables {
        let to_do = table.calls().filter(|row| is_ours(row) && has_work(row));
        let without = to_do.filter(|row| calls.get(&row.id) != Some(&true));
        found.extend(without.map(|row| Difference::CallWithout(row.id)));
        let left =
            calls.keys().filter(|id| id.shard() == table.id() && !table.call(**id).is_some_and(|row| is_ours(row)));
        found.extend(left.map(|id| Difference::CallLeft(*id)));
        for row in table.agents().filter(|row| has_phones_at(row, me)) {
            owned.insert(row.id);
            if agents.get(&row.id) != Some(&true) {
                found.insert(Difference::AgentWithout(table.id(), row.id));
            }
        }
    }
    found.extend(agents.keys().filter(|id| !owned.contains(id)).map(|id| Difference::AgentLeft(*id)));
    found
}

/// A look every [`SWEEP`], and a second one where something was different.
#[derive(Debug, Default)]
pub struct Sweep {
    before: BTreeSet<Difference>,
}

impl Sweep {
    /// What is to be mended, and when to look again.
    pub fn look(&mut self, found: BTreeSet<Difference>) -> (Vec<Difference>, Duration) {
        let before = std::mem::take(&mut self.before);
        match (before.is_empty(), found.is_empty()) {
            (true, false) => {
                self.before = found;
                (Vec::new(), SETTLED)
            }
            _ => (before.intersection(&found).copied().collect(), SWEEP),
        }
    }
}
