//! What a node has archived of its logs, told again.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::EXIT_WRONG;

pub fn replay(data_dir: &Path) -> anyhow::Result<ExitCode> {
    let replayed = strowger_cluster::replay(data_dir)
        .with_context(|| format!("telling again what is archived in {}", data_dir.display()))?;
    for of in &replayed {
        let name = of.group.shard().map_or_else(|| "control".to_owned(), |shard| shard.to_string());
        let states = if of.states == 1 { "1 state".to_owned() } else { format!("{} states", of.states) };
        match of.differs {
            _ if of.last < of.first => say!("{name:<10} nothing is archived yet"),
            None => say!("{name:<10} entries {} to {}: {states} came out as they were", of.first, of.last),
            Some(index) => say!("{name:<10} after entry {index} another state came out than the one of then"),
        }
    }
    if replayed.is_empty() {
        say!("nothing is archived yet");
    }
    let differs = replayed.iter().any(|of| of.differs.is_some());
    Ok(if differs { ExitCode::from(EXIT_WRONG) } else { ExitCode::SUCCESS })
}
