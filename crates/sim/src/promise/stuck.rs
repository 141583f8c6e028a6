//! Nothing is stuck: no lease outlives its deadline for long, no row lacks the hands of its owner, no caller hangs in
//! a flow.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{CallId, LogTime, Mono};
use strowger_table::{LeaseKey, Shard, Stage};

use super::Found;
use crate::node::Node;

const PROMISE: &str = "nothing is stuck";
/// While the shard has a leader, and across the loss of one.
const LED: Duration = Duration::from_secs(1);
const LOST: Duration = Duration::from_secs(3);
/// A new leader ends no lease in its first second.
const FIRST: Duration = Duration::from_secs(1);
/// The longest step of a flow: a prompt twice, its time for a digit twice, and the death of its owner in between.
const STEP: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Stuck {
    pub found: Found,
    /// Since when a lease is over.
    overdue: BTreeMap<LeaseKey, Mono>,
    /// The step of each call in a flow, its owner's epoch, and since when.
    steps: BTreeMap<CallId, (u16, u64, Mono)>,
}

impl Stuck {
    /// `since`: when the leader was seated; `lost`: when the one before it was lost. A row may fall back into a stage
    /// whose lease is over already (a missed offer, past the longest wait), so what counts is when it was first seen.
    pub fn leases(&mut self, truth: &Shard, log_now: LogTime, now: Mono, since: Mono, lost: Mono) {
        let seen = std::mem::take(&mut self.overdue);
        for key in truth.overdue(log_now, Duration::ZERO) {
            let first = *seen.get(&key).unwrap_or(&now);
            self.overdue.insert(key, first);
            // Without a majority there is no leader for as long as that lasts.
            let regained = first.max(lost).max(since - FIRST);
            let broken = if first >= since + FIRST { now.since(first) > LED } else { now.since(regained) > LOST };
            if broken {
                let call = match key {
                    LeaseKey::Call(call) => Some(call),
                    LeaseKey::Agent(_) | LeaseKey::Parts(_) | LeaseKey::Queue(_) => None,
                };
                self.found.breach(PROMISE, call, || format!("a lease of {key:?} is over since {:?}", now.since(first)));
            }
        }
    }

    pub fn flows(&mut self, truth: &Shard, now: Mono) {
        let mut steps = BTreeMap::new();
        for row in truth.calls() {
            let Stage::Flow { step } = row.stage else { continue };
            // Each owner begins the step anew.
            let (step, epoch) = (step, row.owner.epoch);
            let known = self.steps.get(&row.id).filter(|known| (known.0, known.1) == (step, epoch));
            let since = known.map_or(now, |known| known.2);
            if now.since(since) > STEP {
                self.found.breach(PROMISE, Some(row.id), || format!("in step {step} for {:?}", now.since(since)));
            }
            steps.insert(row.id, (step, epoch, since));
        }
        self.steps = steps;
    }

    /// Every row with something left to do has its actor on the node that owns it.
    pub fn hands(&mut self, node: &Node) {
        let owned = node.replica.shard.calls().filter(|row| node.owns(row.owner));
        let open = owned.filter(|row| !(row.is_over() && row.duties.is_empty()));
        for row in open.filter(|row| !node.actors.contains_key(&row.id)) {
            self.found.breach(PROMISE, Some(row.id), || {
                format!("{} owns it in {:?} and has no actor for it", node.who.id(), row.stage)
            });
        }
    }
}
