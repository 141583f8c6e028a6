//! Many seeds, one after the other, and what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Breach, Faults, Plant, Seen, World};

/// Lines of the trace shown with a violation.
const SHOWN: usize = 60;

/// Which worlds are run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// How many.
    pub seeds: u64,
    /// The others follow it, each one more.
    pub first_seed: u64,
    /// What may happen to the cluster in them.
    pub faults: Faults,
    /// The bug that is in all of them.
    pub plant: Option<Plant>,
    /// Whether the first violation ends it: enough to know that a planted bug is caught.
    pub until_caught: bool,
}

/// A seed in which a promise was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Runs the same world again.
    pub seed: u64,
    /// The first broken promise; the world ends with it.
    pub breach: Breach,
    /// The last lines that concern it.
    pub trace: String,
}

/// What came of the worlds run so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many are over.
    pub seeds: u64,
    /// At most one of a world.
    pub violations: Vec<Violation>,
    /// That were admitted in all of them.
    pub calls: usize,
    /// By the clocks of the worlds, all together.
    pub virtual_seconds: u64,
    /// What happened in all of them.
    pub seen: Seen,
}

impl Campaign {
    /// Whether a violation is one that the planted bug must bring about.
    fn is_caught_by(&self, violation: &Violation) -> bool {
        self.plant.is_none_or(|plant| plant.breaks().contains(&violation.breach.promise))
    }

    /// Runs all seeds; `progress` hears each, as it is over.
    pub fn run(&self, mut progress: impl FnMut(&Report)) -> Report {
        let mut report = Report::default();
        for seed in (self.first_seed..).take(self.seeds as usize) {
            let mut world = World::new(seed, self.faults, self.plant);
            let violation = violation(seed, &mut world);
            report.seeds += 1;
            report.calls += world.calls();
            report.virtual_seconds += world.now().0 / 1_000_000;
            report.seen.join(world.seen());
            report.violations.extend(violation);
            progress(&report);
            if self.until_caught && report.violations.iter().any(|violation| self.is_caught_by(violation)) {
                break;
            }
        }
        report
    }
}

/// Runs a world; a part that panics is a violation like any other.
fn violation(seed: u64, world: &mut World) -> Option<Violation> {
    let run = catch_unwind(AssertUnwindSafe(|| world.run()));
    let breach = run.unwrap_or_else(|fault| {
        let text = fault.downcast_ref::<String>().cloned();
        let text = text.or_else(|| fault.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Some(Breach { promise: "no panic", call: None, text: text.unwrap_or_default() })
    })?;
    let trace = world.trace().concerning(breach.call, SHOWN);
    Some(Violation { seed, breach, trace })
}
