//! Which crate may use which. The compiler makes arrows real, this makes them the ones that were meant.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// "May use": from, to whom. Every pure crate may use `model`.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sip", &["model"]),
    ("audio", &["model"]),
    ("media", &["model", "audio"]),
    ("table", &["model"]),
    ("ivr", &["model"]),
    ("acd", &["model", "table"]),
    ("agent", &["model", "sip", "table"]),
    ("dialer", &["model", "acd", "table"]),
    ("figures", &["model", "acd", "table"]),
    ("call", &["model", "ivr", "media", "sip", "table"]),
    ("switch", &["model", "acd", "call", "dialer", "media", "sip", "table"]),
    ("config", &["model"]),
    ("link", &["model"]),
    ("raft", &["model", "table", "link"]),
    ("trunk", &["model", "sip"]),
    ("relay", &["model", "audio", "link", "media"]),
    ("store", &["model", "table"]),
    (
        "cluster",
        &[
            "model", "agent", "call", "acd", "dialer", "figures", "table", "raft", "trunk", "media", "link", "store",
            "sip", "switch",
        ],
    ),
    ("api", &["model", "acd", "cluster", "config", "dialer", "figures", "media", "store", "table"]),
    ("phones", &[]),
    ("node", &["api", "cluster", "config", "figures", "link", "media", "model", "phones", "relay", "trunk"]),
    ("sim", &["model", "table", "acd", "agent", "dialer", "call", "media", "sip", "switch"]),
];

/// Crates that touch the world, and the only crates of ours that may name them.
const KEEPERS: &[(&str, &[&str])] = &[
    ("ractor", &["cluster"]),
    ("openraft", &["raft"]),
    ("fjall", &["raft"]),
    ("quinn", &["link"]),
    ("rusqlite", &["store"]),
    ("sipx-sip", &["sip"]),
    ("rsip", &["phones"]),
    ("axum", &["api"]),
    ("prometheus", &["figures"]),
];

/// Crates without clock, socket or task: they may name none of these.
const PURE: &[&str] =
    &["model", "sip", "audio", "media", "table", "ivr", "acd", "agent", "dialer", "figures", "call", "switch"];
const IMPURE: &[&str] = &["tokio", "ractor", "quinn", "openraft", "rand", "getrandom", "socket2", "rustix", "mio"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata runs in the workspace");
    metadata
        .packages
        .iter()
        .map(|package| {
            let used = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            let name = package.name.trim_start_matches("strowger-").to_owned();
            (name, used.map(|dependency| dependency.name.clone()).collect())
        })
        .collect()
}

#[test]
fn crates_use_only_what_they_may() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, used) in dependencies() {
        let may = arrows.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} has no line in ARROWS"));
        for other in used.iter().filter_map(|used| used.strip_prefix("strowger-")) {
            assert!(may.contains(&other), "{name} uses {other}, which is no arrow of the design");
        }
    }
}

#[test]
fn the_world_has_keepers() {
    for (name, used) in dependencies() {
        for (kept, keepers) in KEEPERS {
            let may = !used.contains(*kept) || keepers.contains(&name.as_str());
            assert!(may, "{name} names {kept}, which only {keepers:?} may");
        }
    }
}

#[test]
fn pure_crates_have_no_world() {
    let all = dependencies();
    for pure in PURE {
        for impure in IMPURE {
            assert!(!all[*pure].contains(*impure), "{pure} is pure and may not name {impure}");
        }
    }
}
