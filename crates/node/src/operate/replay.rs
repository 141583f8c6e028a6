//! What a node has archived of its logs, told again.

use std::path::Path;
use std::process::ExitCode;

use strowger_cluster::{Part, Replayed};

use super::EXIT_WRONG;

pub fn replay(data_dir: &Path) -> ExitCode {
    let replayed = strowger_cluster::replay(data_dir);
    for Replayed { group, parts } in &replayed {
        let name = group.shard().map_or_else(|| "control".to_owned(), |shard| shard.to_string());
        let none = parts.is_empty().then(|| "nothing is archived yet".to_owned());
        parts.iter().map(line).chain(none).for_each(|line| say!("{name:<10} {line}"));
    }
    if replayed.is_empty() {
        say!("nothing is archived yet in {}", data_dir.display());
    }
    let is_wrong = replayed.iter().flat_map(|of| &of.parts).any(is_wrong);
    if is_wrong { ExitCode::from(EXIT_WRONG) } else { ExitCode::SUCCESS }
}

/// A gap is not: the node was away then, or its disk was full.
fn is_wrong(part: &Part) -> bool {
    match part {
        Part::Told { unread, differs, .. } => *differs || !unread.is_empty(),
        Part::Missing { damage, .. } => damage.is_some(),
    }
}

fn line(part: &Part) -> String {
    match part {
        Part::Told { first, last, states, unread, differs } => {
            let states = if *states == 1 { "1 state".to_owned() } else { format!("{states} states") };
            let unread: String = unread.iter().map(|at| format!("; the one after {at} cannot be read")).collect();
            let differs =
                if *differs { format!("; after {last} another came out than that of then") } else { String::new() };
            format!("entries {first} to {last}: {states} came out as they were{unread}{differs}")
        }
        Part::Missing { from, upto, damage: None } => {
            format!("entries {from} to {upto} cannot be told: not all are kept here")
        }
        Part::Missing { from, upto, damage: Some(damage) } => {
            format!("entries {from} to {upto} cannot be told: {damage}")
        }
    }
}
