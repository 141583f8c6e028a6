//! The door lets in what the limits allow: of a trunk no more calls at once than its bound and what the node that judges
//! cannot know of yet, and no more a second than the cluster's rate; and nobody is turned away while there is room. Judged
//! by the table after every entry and by who let in whom when, not by what the door counts.

use std::collections::BTreeSet;
use std::time::Duration;

use strowger_model::{Mono, SECOND_US, TrunkId};

use super::Found;
use crate::happening::Who;
use crate::scenario::{Limits, Scenario};

const PROMISE: &str = "door";
/// So long a burst may come at once, for each process.
const BURST: Duration = Duration::from_secs(1);
/// What the others have let in is known within this: beats that are lost, and a node that nobody hears goes on until it is
/// passive. For so long all together may let in what each may.
const VIEW: Duration = Duration::from_secs(2);
/// What was let in counts where it is heard of, which may be later by as much; and as much may be owed for it.
const COUNTS_FOR: Duration = Duration::from_secs(6);

pub(crate) struct Door {
    pub found: Found,
    node: Limits,
    trunks: [Limits; 2],
    /// Also those that were for nobody, or unwanted: they count against the rates.
    let_in: Vec<LetIn>,
}

struct LetIn {
    at: Mono,
    by: Who,
    trunk: TrunkId,
}

/// What there is as a node judges one more call of a trunk.
#[derive(Debug)]
pub(crate) struct AtDoor {
    pub who: Who,
    pub trunk: TrunkId,
    /// On the node.
    pub actors: usize,
    /// Calls of the trunk that the node must know of.
    pub known: usize,
    /// Lines of the trunk, as many as it may know of.
    pub most: usize,
}

impl Door {
    pub fn new(scenario: &Scenario) -> Self {
        let (node, trunks) = (scenario.node_limits, scenario.trunk_limits);
        Self { found: Found::default(), node, trunks, let_in: Vec::new() }
    }

    pub fn lets_in(&mut self, at: &AtDoor, now: Mono) {
        let limits = self.of(at.trunk);
        self.judged(at.who, at.trunk, now);
        let times = |of: &dyn Fn(&LetIn) -> bool| self.times(of);
        let (own, trunk) = (|one: &LetIn| one.by == at.who, |one: &LetIn| one.trunk == at.trunk);
        let lives: BTreeSet<Who> = self.let_in.iter().filter(|one| trunk(one)).map(|one| one.by).collect();
        let together = BURST * lives.len() as u32 + VIEW;
        let is_too_much = at.known >= limits.calls as usize
            || at.actors >= self.node.calls as usize
            || is_over(&times(&own), self.node.rate, BURST, now)
            || is_over(&times(&|one| own(one) && trunk(one)), limits.rate, BURST, now)
            || is_over(&times(&trunk), limits.rate, together, now);
        if is_too_much {
            let node = self.node;
            self.found.breach(PROMISE, None, || format!("one more is let in than {limits:?} and {node:?}: {at:?}"));
        }
    }

    /// The rates have one call less to give.
    pub fn judged(&mut self, by: Who, trunk: TrunkId, at: Mono) {
        self.let_in.push(LetIn { at, by, trunk });
    }

    pub fn turns_away(&mut self, at: &AtDoor, now: Mono) {
        let limits = self.of(at.trunk);
        let is_full = at.most >= limits.calls as usize
            || at.actors >= self.node.calls as usize
            || is_spent(&self.times(&|one| one.by == at.who), self.node.rate, Duration::ZERO, now)
            || is_spent(&self.times(&|one| one.trunk == at.trunk), limits.rate, COUNTS_FOR, now);
        if !is_full {
            let node = self.node;
            self.found.breach(PROMISE, None, || format!("turned away, with room by {limits:?} and {node:?}: {at:?}"));
        }
    }

    fn of(&self, trunk: TrunkId) -> Limits {
        self.trunks[trunk.0 as usize - 1]
    }

    fn times(&self, of: &dyn Fn(&LetIn) -> bool) -> Vec<Mono> {
        self.let_in.iter().filter(|one| of(one)).map(|one| one.at).collect()
    }
}

/// More since some instant than the rate has room for, with so long a burst.
fn is_over(times: &[Mono], rate: u32, burst: Duration, now: Mono) -> bool {
    windows(times, now).any(|(count, since)| count * cost(rate) > (since + burst).as_micros() as u64)
}

/// One more would be more than that, also if what was let in counted late.
fn is_spent(times: &[Mono], rate: u32, late: Duration, now: Mono) -> bool {
    let mut windows = windows(times, now);
    windows.any(|(count, since)| (count + 1) * cost(rate) > (since.saturating_sub(late) + BURST).as_micros() as u64)
}

/// How many since each of them, and how long ago that was.
fn windows(times: &[Mono], now: Mono) -> impl Iterator<Item = (u64, Duration)> {
    times.iter().enumerate().map(move |(at, since)| ((times.len() - at) as u64, now.since(*since)))
}

/// Microseconds that a call costs.
fn cost(rate: u32) -> u64 {
    SECOND_US / u64::from(rate)
}
