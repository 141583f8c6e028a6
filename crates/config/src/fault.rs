//! What is wrong with a configuration, where, and what to do about it.

use std::cell::RefCell;
use std::fmt;

use crate::page::Place;

/// One thing that is wrong with a configuration. Sorted as an operator walks through the files.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub struct Fault {
    /// Relative to the configuration directory, with `/`.
    pub file: String,
    /// From 1; none when the fault is the file itself.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// A sentence without a full stop: what was found.
    pub what: String,
    /// Another one: what to write in its place.
    pub fix: String,
}

impl Fault {
    pub(crate) fn in_file(file: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {}", self.what, self.fix)
    }
}

/// All faults found so far. Shared by everything that reads, because an operator who is told one fault a run gives up.
#[derive(Default)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, at: &Place, what: impl Into<String>, fix: impl Into<String>) {
        self.push(Fault {
            file: at.file.to_string(),
            line: Some(at.line),
            column: Some(at.column),
            what: what.into(),
            fix: fix.into(),
        });
    }

    pub(crate) fn push(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// In the order in which an operator walks through the files.
    pub(crate) fn into_sorted(self) -> Vec<Fault> {
        let mut faults = self.0.into_inner();
        faults.sort();
        faults.dedup();
        faults
    }
}
