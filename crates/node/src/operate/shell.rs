//! What a shell and its users want to know of the commands.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Command;

pub fn completion(shell: clap_complete::Shell, line: &mut Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, line, "strowger", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

pub fn manual(line: Command) -> anyhow::Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(line).render(&mut page).context("writing the manual page")?;
    say!("{}", String::from_utf8_lossy(&page).trim_end());
    Ok(ExitCode::SUCCESS)
}
