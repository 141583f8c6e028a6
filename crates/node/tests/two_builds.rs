//! Two builds in one cluster: this one and one whose layout has a field and a command more. Each node in turn is updated
//! and taken back while calls wait and talk; only when all are updated is the later layout in force, and from then on
//! this build says that it cannot go back.

mod rig;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rig::books::{self, Books};
use rig::house::NUMBER;
use rig::{House, Plan, Rig, until, until_within};
use serde_json::Value;
use strowger_phones::{CallSpec, EndedBy, Phones};

/// The program with the next layout; `./two-builds` makes it.
const NEXT: &str = "STROWGER_NEXT_BUILD";
const AGENTS: usize = 4;
/// Calls that begin beside each other while nodes change.
const CALLS_A_STEP: usize = 4;
const NODES: u16 = 3;
/// A layout is raised ten seconds after the last voter was updated.
const RAISED: Duration = Duration::from_secs(30);
const RETURNED: Duration = Duration::from_secs(60);

fn name(at: usize) -> String {
    (1001 + at).to_string()
}

/// Of each group on a node: entries applied, hash of the state, layout.
fn groups(rig: &Rig, node: u16) -> BTreeMap<u64, (u64, String, u64)> {
    let status = rig.try_get(node, "/api/v1/status").expect("a status");
    let row = |group: &Value| {
        let hash = group["hash"].as_str()?.to_owned();
        assert_eq!(group["diverged"], false, "{group}");
        Some((group["group"].as_u64()?, (group["applied"].as_u64()?, hash, group["layout"].as_u64()?)))
    };
    status["groups"].as_array().expect("groups").iter().map(|group| row(group).expect("a group")).collect()
}

/// Nodes that have applied the same have the same state, whichever build they run. True if all have applied the same.
fn agree(rig: &Rig) -> bool {
    let all: Vec<_> = rig.living().map(|node| groups(rig, node)).collect();
    let mut are_level = true;
    for pair in all.windows(2) {
        for (group, (applied, hash, layout)) in &pair[0] {
            let (other_applied, other_hash, other_layout) = &pair[1][group];
            are_level &= applied == other_applied;
            assert!(applied != other_applied || (hash, layout) == (other_hash, other_layout), "group {group}: {all:?}");
        }
    }
    are_level
}

fn layouts(rig: &Rig) -> Vec<u64> {
    rig.living().flat_map(|node| groups(rig, node).into_values().map(|(_, _, layout)| layout)).collect()
}

#[test]
#[ignore = "needs a second build: ./two-builds makes it and runs this"]
fn a_cluster_is_updated_node_by_node_and_back_while_calls_go_on() {
    let next = PathBuf::from(std::env::var(NEXT).unwrap_or_else(|_| panic!("{NEXT}: the path of the other build")));
    let house = (0..AGENTS).fold(House::new(), |house, at| house.registers(&name(at), true));
    let mut rig = Rig::start(Plan::of(NODES, NODES), &house);
    let phones = Phones::start(rig.phones(11)).expect("phones");
    books::register(&rig, &phones, &(0..AGENTS).map(name).collect::<Vec<_>>(), |_| None);

    // To the next build and back, then all to the next, one after the other.
    let steps = [(3, true), (3, false), (3, true), (1, true), (1, false), (2, true), (1, true)];
    let mut placed = 0;
    for (node, is_next) in steps {
        for _ in 0..CALLS_A_STEP {
            let mut spec = CallSpec::new(&format!("+4930{placed}"), NUMBER, 2 * placed as u16);
            spec.talk = Duration::from_secs(5);
            phones.place_call(spec);
            placed += 1;
        }
        until("agents talk", || phones.live().agents_talking > 0);
        assert!(layouts(&rig).iter().all(|layout| *layout == 1), "raised while a voter could not read it");
        rig.kill(node);
        if is_next {
            rig.restart_as(node, &next);
        } else {
            rig.restart(node);
        }
        rig.until_ready(node);
        until("all have one state", || agree(&rig));
    }
    until_within(RAISED, "all groups are at layout 2", || layouts(&rig).iter().all(|layout| *layout == 2));
    let books = Books::of(phones.finish(RETURNED));
    assert_eq!(books.callers.len(), placed, "a call was lost");
    for caller in &books.callers {
        let (_, record) = books.served(&rig, caller, EndedBy::Caller);
        assert_eq!(record["outcome"], "answered", "{record}");
    }
    rig.until_at_rest();
    rig.all_records(placed);
    until("all have one state", || agree(&rig));

    // There is no way back behind a layout that is in force, and the old build says so.
    rig.kill(2);
    rig.restart(2);
    let mut end = None;
    until("the old build ends", || {
        end = end.take().or_else(|| rig.ended(2));
        end.is_some()
    });
    let (status, log) = end.expect("it ended");
    assert!(!status.success() && log.contains("this build knows none after 1"), "{status}: {log}");
    rig.restart_as(2, &next);
    rig.until_ready(2);
    until("all have one state", || agree(&rig));
}
