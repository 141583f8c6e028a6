//! What happened in a world, as lines a person reads, and one number for all of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use strowger_model::{CallId, Mono};

/// Whom a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// Faults, leaders, memberships: of interest to everybody.
    World,
    /// One call, from its admission on.
    Call(CallId),
    /// Entries that touched no call.
    Log,
    /// A caller whose call has no id yet, or none any more.
    Caller(usize),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Line {
    /// By the world's clock.
    pub at: Mono,
    /// Whom it concerns.
    pub about: About,
    /// For people.
    pub text: String,
}

/// All that was said of a world.
#[derive(Default)]
pub struct Trace {
    lines: Vec<Line>,
    hash: u64,
    /// Which caller made which call.
    callers: BTreeMap<CallId, usize>,
}

impl Trace {
    pub(crate) fn say(&mut self, at: Mono, about: About, text: String) {
        for byte in at.0.to_le_bytes().iter().chain(text.as_bytes()) {
            // FNV-1a, 64 bits.
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines.push(Line { at, about, text });
    }

    pub(crate) fn is_callers(&mut self, call: CallId, caller: usize) {
        self.callers.insert(call, caller);
    }

    /// Two runs of one seed have the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// In the order in which they were said.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The last lines that concern a call (all lines, for none).
    pub fn concerning(&self, call: Option<CallId>, most: usize) -> String {
        let caller = call.and_then(|call| self.callers.get(&call).copied());
        let concerns = |line: &&Line| match (call, line.about) {
            (None, _) | (_, About::World) => true,
            (Some(_), About::Log) => false,
            (Some(call), About::Call(about)) => call == about,
            (Some(_), About::Caller(about)) => caller == Some(about),
        };
        let mut last: Vec<&Line> = self.lines.iter().rev().filter(concerns).take(most).collect();
        last.reverse();
        text_of(last.into_iter())
    }

    /// All lines, one below the other.
    pub fn text(&self) -> String {
        text_of(self.lines.iter())
    }
}

fn text_of<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    let mut out = String::new();
    for line in lines {
        let about = match line.about {
            About::World => "-".to_owned(),
            About::Log => "log".to_owned(),
            About::Call(call) => call.to_string(),
            About::Caller(caller) => format!("caller-{caller}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:>10.3} {about:<10} {}", line.at.0 as f64 / 1e6, line.text);
    }
    out
}
