//! `strowger-sim`: runs worlds by seed.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use strowger_sim::{Campaign, Faults, Plant, Report, World};

/// Violations written out in full; more are only counted.
const SHOWN_VIOLATIONS: usize = 5;

#[derive(Parser)]
#[command(about = "Runs the contact centre in seeded, virtual worlds and checks its promises")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs seeds one after the other. Exit code 1 if a promise was broken.
    Run {
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// A number, or `today`: other worlds each day.
        #[arg(long, default_value = "1", value_parser = first_seed)]
        first_seed: u64,
        /// One object at the end, on standard output.
        #[arg(long)]
        json: bool,
        #[arg(long, value_enum, default_value = "all")]
        faults: Faults,
        /// Puts a bug in; the run must then report violations.
        #[arg(long, value_enum)]
        plant: Option<Plant>,
    },
    /// Puts in each bug there is, one after the other; each must break the promise that it names. Exit code 1 if not.
    Planted {
        /// Worlds to look in for each.
        #[arg(long, default_value_t = 400)]
        seeds: u64,
        #[arg(long)]
        json: bool,
    },
    /// Runs one seed and writes all that happened.
    Replay {
        #[arg(long)]
        seed: u64,
        #[arg(long, value_enum, default_value = "all")]
        faults: Faults,
        #[arg(long, value_enum)]
        plant: Option<Plant>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Task::Run { seeds, first_seed, json, faults, plant } => {
            run(&Campaign { seeds, first_seed, faults, plant, until_caught: false }, json)
        }
        Task::Planted { seeds, json } => planted(seeds, json),
        Task::Replay { seed, faults, plant } => replay(seed, faults, plant),
    }
}

/// `today` is the day's number since 1970 times a thousand; it is printed, so that the run can be had again.
fn first_seed(text: &str) -> Result<u64, String> {
    if text != "today" {
        return text.parse().map_err(|fault| format!("a number or `today`: {fault}"));
    }
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(|fault| fault.to_string())?;
    Ok(since.as_secs() / (24 * 60 * 60) * 1000)
}

fn run(campaign: &Campaign, json: bool) -> ExitCode {
    let watched = std::io::stderr().is_terminal();
    let report = campaign.run(|report| {
        if watched {
            eprint!("\r{} of {} seeds, {} violations", report.seeds, campaign.seeds, report.violations.len());
        }
    });
    if watched {
        eprintln!();
    }
    for violation in report.violations.iter().take(SHOWN_VIOLATIONS) {
        let breach = &violation.breach;
        let call = breach.call.map(|call| format!(" (call {call})")).unwrap_or_default();
        eprintln!("seed {}: {}{call}: {}\n{}", violation.seed, breach.promise, breach.text, violation.trace);
    }
    say(&summary(&report, campaign, json));
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn summary(report: &Report, campaign: &Campaign, json: bool) -> String {
    let planted = campaign.plant.map(|plant| format!("{plant:?}"));
    if json {
        return serde_json::json!({
            "seeds": report.seeds,
            "first_seed": campaign.first_seed,
            "violations": report.violations.len(),
            "calls": report.calls,
            "virtual_seconds": report.virtual_seconds,
            "planted": planted,
            "seen": report.seen.named(),
        })
        .to_string();
    }
    let mut out = format!(
        "{} seeds from {}, {} violations, {} calls, {} virtual seconds",
        report.seeds,
        campaign.first_seed,
        report.violations.len(),
        report.calls,
        report.virtual_seconds
    );
    for violation in &report.violations {
        out += &format!("\n  seed {}: {}: {}", violation.seed, violation.breach.promise, violation.breach.text);
    }
    out
}

fn planted(seeds: u64, json: bool) -> ExitCode {
    // A part that panics is caught, and what it would say is of no interest.
    std::panic::set_hook(Box::new(|_| {}));
    let mut survivors = Vec::new();
    for plant in Plant::ALL {
        let campaign = Campaign { seeds, first_seed: 1, faults: Faults::All, plant: Some(*plant), until_caught: true };
        let report = campaign.run(|_| {});
        let last = report.violations.last().map_or("", |violation| violation.breach.promise);
        let caught = plant.breaks().contains(&last);
        if !caught {
            let mut broken: Vec<&str> = report.violations.iter().map(|violation| violation.breach.promise).collect();
            broken.dedup();
            survivors.push(format!("{plant:?} (broke {broken:?} instead)"));
        }
        if !json {
            let how = if caught { format!("{last}, in world {}", report.seeds) } else { "not caught".to_owned() };
            say(&format!("{plant:?}: {how}"));
        }
    }
    let caught = Plant::ALL.len() - survivors.len();
    if json {
        let summary = serde_json::json!({"planted": Plant::ALL.len(), "caught": caught, "survivors": survivors});
        say(&summary.to_string());
    } else {
        say(&format!("{caught} of {} caught; {}", Plant::ALL.len(), survivors.join(", ")));
    }
    if survivors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, faults: Faults, plant: Option<Plant>) -> ExitCode {
    let mut world = World::new(seed, faults, plant);
    let breach = world.run();
    say(&world.trace().text());
    say(&format!("hash {:016x}", world.trace().hash()));
    match breach {
        None => ExitCode::SUCCESS,
        Some(breach) => {
            say(&format!("{}: {} {:?}", breach.promise, breach.text, breach.call));
            ExitCode::FAILURE
        }
    }
}

/// A reader that goes away early is no fault of ours.
fn say(text: &str) {
    let _gone = writeln!(std::io::stdout(), "{text}");
}
