//! Names of things, and the lists of them that other things point into.

use std::collections::BTreeMap;

use crate::fault::Faults;
use crate::page::{Place, Written};
use crate::section::Section;

/// As long as a label of a domain name.
const MAX_NAME_CHARS: usize = 63;
/// Names told in a fault before it says how many more there are.
const NAMES_SHOWN: usize = 8;

/// What may be named, in the order it was written. A thing's position stands for it until ids are given.
pub(crate) struct Names<'a> {
    kind: &'static str,
    faults: &'a Faults,
    positions: BTreeMap<String, (usize, Place)>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(kind: &'static str, faults: &'a Faults) -> Self {
        Self { kind, faults, positions: BTreeMap::new() }
    }

    /// Positions are counted, also of what has no name or one that is taken: those are faults already.
    pub(crate) fn add(&mut self, position: usize, name: &Written<String>) {
        check_name(self.kind, name, self.faults);
        if let Some((_, first)) = self.positions.get(&name.value) {
            let what = format!("{} `{}` is already named at {first}", self.kind, name.value);
            self.faults.add(&name.at, what, "give one of them another name");
            return;
        }
        self.positions.insert(name.value.clone(), (position, name.at.clone()));
    }

    /// The position of a name that something points to; a fault if there is none.
    pub(crate) fn find(&self, name: &Written<String>) -> Option<usize> {
        if let Some((position, _)) = self.positions.get(&name.value) {
            return Some(*position);
        }
        let fix = format!("{}, or add it", known(self.positions.keys()));
        self.faults.add(&name.at, format!("there is no {} `{}`", self.kind, name.value), fix);
        None
    }
}

/// Names appear in URIs, file names, metrics and log lines, so they hold only what is plain in all of them.
pub(crate) fn check_name(kind: &str, name: &Written<String>, faults: &Faults) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.value.is_empty() || name.value.len() > MAX_NAME_CHARS || !name.value.chars().all(plain) {
        let fix = format!("use 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 . _ -");
        faults.add(&name.at, format!("`{}` is no name for a {kind}", name.value), fix);
    }
}

/// The end of a fault about a name that is not there.
pub(crate) fn known<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let shown: Vec<_> = names.take(NAMES_SHOWN).map(String::as_str).collect();
    match (shown.is_empty(), more) {
        (true, _) => "none is defined: correct it".to_owned(),
        (_, 0) => format!("known are {}: correct it", shown.join(", ")),
        _ => format!("known are {} and {more} more: correct it", shown.join(", ")),
    }
}

/// A `site`: empty unless it is written.
pub(crate) fn read_site(section: &Section<'_>) -> String {
    let Some(site) = section.optional_text("site", "site = \"berlin\"") else { return String::new() };
    check_name("site", &site, section.page().faults);
    site.value
}
