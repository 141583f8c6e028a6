//! A directory of configuration is checked and applied.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{At, block_on, encode, text};

pub fn check_config(dir: &Path) -> anyhow::Result<ExitCode> {
    let files = strowger_config::read_dir(dir)?;
    match strowger_config::parse(&files, &load_prompt, &strowger_config::sealed_for_check) {
        Ok(draft) => {
            say!("{} is good: {} pieces of content", dir.display(), draft.contents().len());
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            faults.iter().for_each(|fault| note!("{fault}"));
            let faults = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
            note!("{faults} in {}", dir.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn load_prompt(wav: &[u8]) -> Result<(Vec<u8>, strowger_model::Digest), String> {
    let content = strowger_media::content::from_wav(wav).map_err(|fault| fault.to_string())?;
    Ok((content.bytes, content.digest))
}

/// What comes into force.
pub enum Wanted<'a> {
    Directory(&'a Path),
    /// One of the versions that the cluster keeps.
    Version(u64),
}

pub fn apply(wanted: &Wanted<'_>, dry_run: bool, yes: bool, at: &At) -> anyhow::Result<ExitCode> {
    let (path, mut body) = match wanted {
        Wanted::Directory(dir) => ("/api/v1/config", strowger_api::archive(&strowger_config::read_dir(dir)?, true)),
        Wanted::Version(version) => ("/api/v1/config/roll-back", json!({ "to": version, "dry_run": true })),
    };
    let client = at.client()?;
    let send = |body: &Value| block_on(client.post(path, body));
    if !yes || dry_run {
        let planned = send(&body)??;
        tell_changes(&planned);
        if dry_run {
            say!("nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
        ask_about(removed(&planned))?;
        body["against"] = planned["version"].clone();
    }
    body["dry_run"] = json!(false);
    let done = send(&body)??;
    if yes {
        tell_changes(&done);
    }
    say!("version {} is in force", done["version"]);
    Ok(ExitCode::SUCCESS)
}

fn changes(answer: &Value) -> &[Value] {
    answer["changes"].as_array().map_or(&[], Vec::as_slice)
}

fn removed(planned: &Value) -> usize {
    changes(planned).iter().filter(|change| change["what"] == "removed").count()
}

/// Calls, leads and agents of what is removed go with it, and no later version brings them back.
fn ask_about(removed: usize) -> anyhow::Result<()> {
    if removed == 0 {
        return Ok(());
    }
    let what = if removed == 1 { "1 thing".to_owned() } else { format!("{removed} things") };
    if !std::io::stdin().is_terminal() {
        bail!("{what} would be removed, and nothing was changed: look at the changes, then say --yes");
    }
    note!("{what} will be removed, with what lives on it. Go on? [y/N]");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

/// The configurations that can be gone back to.
pub fn versions(at: &At) -> anyhow::Result<ExitCode> {
    let answer = block_on(at.client()?.get("/api/v1/config/versions"))??;
    say!("{:>8} {:>8} {:>8}", "version", "tenants", "trunks");
    for version in answer["versions"].as_array().into_iter().flatten() {
        let [number, tenants, trunks] = ["version", "tenants", "trunks"].map(|key| text(&version[key]));
        say!("{number:>8} {tenants:>8} {trunks:>8}{}", if version["in_force"] == true { "  in force" } else { "" });
    }
    Ok(ExitCode::SUCCESS)
}

/// One of them, file by file.
pub fn version(version: u64, tenant: Option<&str>, at: &At) -> anyhow::Result<ExitCode> {
    let of = tenant.map(|tenant| format!("?tenant={}", encode(tenant))).unwrap_or_default();
    let answer = block_on(at.client()?.get(&format!("/api/v1/config/versions/{version}{of}")))??;
    for (path, file) in answer["files"].as_object().into_iter().flatten() {
        say!("# ---- {path} of version {version}\n{}", text(file));
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_changes(planned: &Value) {
    for change in changes(planned) {
        let [what, kind, name] = ["what", "kind", "name"].map(|key| text(&change[key]));
        match change["detail"].as_str().unwrap_or_default() {
            "" => say!("{what} {kind} {name}"),
            detail => say!("{what} {kind} {name}: {detail}"),
        }
    }
}
