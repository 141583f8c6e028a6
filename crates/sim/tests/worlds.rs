//! The simulator itself: its worlds are clean, come again the same, and catch what is planted.

use strowger_sim::{Campaign, Faults, Plant, Thing, World};

/// Worlds of the ordinary test run; the gate runs more with the command.
const CLEAN_SEEDS: u64 = 100;
/// A planted bug must show within so many worlds.
const PLANT_SEEDS: u64 = 400;

fn campaign(seeds: u64, faults: Faults, plant: Option<Plant>) -> Campaign {
    Campaign { seeds, first_seed: 1, faults, plant, until_caught: plant.is_some() }
}

fn hash_of(seed: u64, plant: Option<Plant>) -> (u64, usize) {
    let mut world = World::new(seed, Faults::All, plant);
    world.run();
    (world.trace().hash(), world.trace().lines().len())
}

#[test]
fn worlds_keep_all_promises() {
    for faults in [Faults::None, Faults::All] {
        let report = campaign(CLEAN_SEEDS, faults, None).run(|_| {});
        let broken: Vec<String> = report
            .violations
            .iter()
            .map(|violation| format!("seed {}: {:?}\n{}", violation.seed, violation.breach, violation.trace))
            .collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        assert!(report.calls > 500, "only {} calls: the worlds do nothing", report.calls);
        if faults == Faults::All {
            let never: Vec<&Thing> = Thing::ALL.iter().filter(|thing| report.seen.times(**thing) == 0).collect();
            assert!(never.is_empty(), "{never:?} never happened in {CLEAN_SEEDS} worlds");
        }
    }
}

#[test]
fn one_seed_is_one_world() {
    for seed in 1..=10 {
        assert_eq!(hash_of(seed, None), hash_of(seed, None), "seed {seed}");
    }
    assert_ne!(hash_of(1, None), hash_of(2, None));
}

#[test]
fn every_planted_bug_breaks_the_promise_it_names() {
    for plant in Plant::ALL.iter().copied() {
        let report = campaign(PLANT_SEEDS, Faults::All, Some(plant)).run(|_| {});
        let last = report.violations.last().map_or("", |violation| violation.breach.promise);
        assert!(plant.breaks().contains(&last), "{plant:?} was not caught in {PLANT_SEEDS} worlds: {last}");
    }
}
