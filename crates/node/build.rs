//! Which commit is built, for `strowger --version`: an operator must be able to say what runs.

use std::path::Path;
use std::process::Command;

/// Set where a build has no repository, as in an image's.
const VARIABLE: &str = "STROWGER_COMMIT";

fn main() {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    // Grows with each commit and each change of branch.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let commit = std::env::var(VARIABLE).ok().filter(|commit| !commit.is_empty());
    let commit = commit.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])).unwrap_or_else(|| "no commit".to_owned());
    println!("cargo:rustc-env={VARIABLE}={commit}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let told = Command::new("git").args(arguments).output().ok().filter(|told| told.status.success())?;
    let text = String::from_utf8(told.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
