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
        #[arg(long, default_value_t = 1)]
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
        Task::Replay { seed, faults, plant } => replay(seed, faults, plant),
    }
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
            "violations": report.violations.len(),
            "calls": report.calls,
            "virtual_seconds": report.virtual_seconds,
            "planted": planted,
        })
        .to_string();
    }
    let mut out = format!(
        "{} seeds, {} violations, {} calls, {} virtual seconds",
        report.seeds,
        report.violations.len(),
        report.calls,
        report.virtual_seconds
    );
    for violation in &report.violations {
        out += &format!("\n  seed {}: {}: {}", violation.seed, violation.breach.promise, violation.breach.text);
    }
    out
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
