//! Block lists: numbers that nobody dials, and callers that nobody takes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use strowger_api::limit;

use super::{At, block_on, encode, text};

#[derive(Subcommand, Clone, Debug)]
pub enum Bars {
    /// Put numbers on the list.
    Add {
        #[command(flatten)]
        numbers: Numbers,
        #[command(flatten)]
        at: At,
    },
    /// Take numbers off the list.
    Lift {
        #[command(flatten)]
        numbers: Numbers,
        #[command(flatten)]
        at: At,
    },
    /// Print the list, a number a line.
    List {
        /// That tenant's own list; without it everybody's.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Numbers {
    /// With + and the country code, for example +442071838750.
    numbers: Vec<String>,
    /// A file of further numbers, one a line.
    #[arg(long)]
    file: Option<PathBuf>,
    /// For this tenant alone; without it for everybody.
    #[arg(long)]
    tenant: Option<String>,
}

/// `list` is its name in addresses.
pub fn bars(list: &str, command: &Bars) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/{list}");
    match command {
        Bars::Add { numbers, at } => change(&path, numbers, false, at),
        Bars::Lift { numbers, at } => change(&path, numbers, true, at),
        Bars::List { tenant, at } => print(&path, tenant.as_deref(), at),
    }
}

fn change(path: &str, of: &Numbers, lift: bool, at: &At) -> anyhow::Result<ExitCode> {
    let mut numbers = of.numbers.clone();
    if let Some(file) = &of.file {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        numbers.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if numbers.is_empty() {
        bail!("no number is given: name some, or a --file of them");
    }
    let client = at.client()?;
    block_on(async {
        for (part, some) in numbers.chunks(limit::NUMBERS_PER_BAR).enumerate() {
            let before = part * limit::NUMBERS_PER_BAR;
            let wish = json!({ "tenant": of.tenant, "numbers": some, "lift": lift });
            let sent = client.post(path, &wish).await;
            sent.with_context(|| match before {
                0 => "no number is done".to_owned(),
                before => format!("the first {before} of {} numbers are done", numbers.len()),
            })?;
        }
        anyhow::Ok(())
    })??;
    let done = if lift { "lifted" } else { "barred" };
    match numbers.as_slice() {
        [number] => say!("{number} is {done}"),
        numbers => say!("{} numbers are {done}", numbers.len()),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(path: &str, tenant: Option<&str>, at: &At) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let mut after: Option<String> = None;
    loop {
        let mut page = format!("{path}?limit={}", limit::BARS_MAX);
        for (key, value) in [("tenant", tenant), ("after", after.as_deref())] {
            if let Some(value) = value {
                page += &format!("&{key}={}", encode(value));
            }
        }
        let answer = block_on(client.get(&page))??;
        answer["numbers"].as_array().into_iter().flatten().for_each(|number| say!("{}", text(number)));
        match answer["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}
