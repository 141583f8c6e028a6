//! A directory of configuration is checked and applied.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{At, block_on, text};

pub fn check_config(dir: &Path) -> anyhow::Result<ExitCode> {
    let files = strowger_config::read_dir(dir)?;
    match strowger_config::parse(&files, &load_prompt, &strowger_config::sealed_for_check) {
        Ok(draft) => {
            println!("{} is good: {} pieces of content", dir.display(), draft.contents().len());
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            eprintln!("{} faults in {}", faults.len(), dir.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn load_prompt(wav: &[u8]) -> Result<(Vec<u8>, strowger_model::Digest), String> {
    let content = strowger_media::content::from_wav(wav).map_err(|fault| fault.to_string())?;
    Ok((content.bytes, content.digest))
}

pub fn apply(dir: &Path, dry_run: bool, at: &At) -> anyhow::Result<ExitCode> {
    let files = strowger_config::read_dir(dir)?;
    let answer = block_on(at.client().post("/api/v1/config", &strowger_api::archive(&files, dry_run)))??;
    tell(&answer, dry_run);
    Ok(ExitCode::SUCCESS)
}

/// To one of the configurations that the cluster keeps.
pub fn roll_back(to: u64, dry_run: bool, at: &At) -> anyhow::Result<ExitCode> {
    let asked = json!({ "to": to, "dry_run": dry_run });
    let answer = block_on(at.client().post("/api/v1/config/roll-back", &asked))??;
    tell(&answer, dry_run);
    Ok(ExitCode::SUCCESS)
}

fn tell(answer: &Value, dry_run: bool) {
    for change in answer["changes"].as_array().into_iter().flatten() {
        println!(
            "{} {} {}: {}",
            text(&change["what"]),
            text(&change["kind"]),
            text(&change["name"]),
            text(&change["detail"])
        );
    }
    let version = &answer["version"];
    println!("{}", if dry_run { "nothing was changed".to_owned() } else { format!("version {version} is in force") });
}
