//! Scenarios as files: what is said stands behind `>`, what came of it below; all else is comment.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::World;

/// A step that cannot be played, or an assertion that failed in it; what it said stands above in the test's output.
const STOPPED: &str = "  !! stopped here\n";

/// Plays every scenario of a group; fails with the differences of all that went otherwise than written.
pub fn play_all(group: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(group);
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("scenarios").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.to_string_lossy().contains(&only)) {
        let written = std::fs::read_to_string(file).expect("a scenario");
        let name = file.strip_prefix(folder.parent().expect("a folder")).expect("it is in there").display().to_string();
        let happened = play(&written);
        if happened == written {
            continue;
        }
        faults.push(format!("{name}\n{}", difference(&written, &happened)));
        if std::env::var_os("BLESS").is_some() && !happened.contains(STOPPED) {
            std::fs::write(file, happened).expect("the scenario is written");
        }
    }
    assert!(faults.is_empty(), "what happened is not what is written (BLESS=1 writes it):\n\n{}", faults.join("\n"));
}

/// The scenario with what happens when it is played.
fn play(written: &str) -> String {
    let mut world = World::new();
    let mut happened = String::new();
    for line in written.lines().filter(|line| !line.starts_with("  ")) {
        happened += &format!("{line}\n");
        let Some(step) = line.strip_prefix("> ") else { continue };
        let played = catch_unwind(AssertUnwindSafe(|| world.play(step)));
        let Ok(came) = played else { return happened + STOPPED };
        happened.extend(came.iter().map(|line| format!("  {line}\n")));
    }
    happened + &format!("  left: {}\n", world.what_is_left().join(", "))
}

/// Lines that are only in one of the two, each with the last step above it.
fn difference(written: &str, happened: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (written.lines().collect(), happened.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (at, was) in old.iter().enumerate().rev() {
        for (to, is) in new.iter().enumerate().rev() {
            let best = common[at + 1][to].max(common[at][to + 1]);
            common[at][to] = if was == is { common[at + 1][to + 1] + 1 } else { best };
        }
    }
    let (mut at, mut to, mut step, mut shown) = (0, 0, "", "");
    let mut text = String::new();
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            if old[at].starts_with("> ") {
                step = old[at];
            }
            (at, to) = (at + 1, to + 1);
            continue;
        }
        if shown != step {
            text += &format!("  {step}\n");
            shown = step;
        }
        if to == new.len() || at < old.len() && common[at + 1][to] >= common[at][to + 1] {
            text += &format!("-{}\n", old[at]);
            at += 1;
        } else {
            text += &format!("+{}\n", new[to]);
            to += 1;
        }
    }
    text
}
